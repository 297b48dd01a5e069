import { createHash } from 'node:crypto';
import { expect } from 'vitest';
import { ClaimId, keyOf } from '../../src/core/ids.ts';
import type { JsonObject, JsonValue } from '../../src/core/json.ts';
import { emptyContents, type State } from '../../src/core/state.ts';
import { parseInstant } from '../../src/core/time.ts';
import { isGitStateError } from '../../src/errors.ts';
import type { ImportContext, Imported } from '../../src/formats/imported.ts';
import { filesOf, oid, Scene, stateOf } from '../support/scene.ts';

/** What an import is given, and what stores do with what it gives. */

export const now = parseInstant('2026-01-15T12:00:00Z')!;

export function context(session?: string): ImportContext {
  return {
    at: now,
    ...(session === undefined ? {} : { session }),
    claimId: (feature) => ClaimId.parse(createHash('sha256').update(feature).digest('hex')),
  };
}

/** The state after the operation that carries what was imported, read back from the files of the branch. */
export function stateWith(imported: Imported): State {
  const state = stateOf(filesOf(sceneWith(imported).state));
  // A session without any entity has no file but its own.
  const bare = imported.sessions
    .map(({ session }) => keyOf(session.id))
    .filter((key) => !state.contents.has(key));
  return { ...state, contents: state.contents.withAll(new Map(bare.map((key) => [key, emptyContents]))) };
}

/** A scene in which it was imported, to go on from there. */
export function sceneWith({ sessions }: Imported): Scene {
  const scene = new Scene();
  scene.do('store.init', { store: 'lineage1', preset: null, readme: oid('a') }, null);
  const carried = JSON.parse(JSON.stringify({ format: 'test', sessions })) as object;
  const operation = scene.operation('store.import', carried, null);
  // Parsing must change nothing: what is put in place is what was imported.
  expect(operation.args).toEqual({ format: 'test', sessions });
  return scene.do('store.import', carried, null);
}

/** The document with each time that can be read in seconds of UTC, and without negative zeros. */
export function settled<T>(value: T): T {
  const text = JSON.stringify(value, (_, item: unknown) =>
    typeof item === 'string' ? (parseInstant(item) ?? item) : item,
  );
  return JSON.parse(text) as T;
}

/** Takes computed fields out of a copy. @param paths names joined by dots; `*` stands for every entry. */
export function without(document: JsonValue, paths: readonly string[]): JsonValue {
  const copy = JSON.parse(JSON.stringify(document)) as JsonValue;
  for (const path of paths) remove(copy, path.split('.'));
  return copy;
}

function remove(value: JsonValue | undefined, [name, ...rest]: string[]): void {
  if (typeof value !== 'object' || value === null || name === undefined) return;
  const record = value as JsonObject;
  const keys = name === '*' ? Object.keys(record) : Object.hasOwn(record, name) ? [name] : [];
  for (const key of keys) {
    // A null is a statement of the document and no figure.
    if (rest.length > 0) remove(record[key], rest);
    else if (record[key] !== null) delete record[key];
  }
}

/** The refusal of `action`. */
export function refusalOf(action: () => unknown): {
  code: string;
  message: string;
  path: unknown;
  hint: string;
} {
  try {
    action();
  } catch (error) {
    if (!isGitStateError(error)) throw error;
    return { code: error.code, message: error.message, path: error.details.path, hint: error.hint ?? '' };
  }
  throw new Error('nothing was refused');
}
