import type { z } from 'zod';
import {
  Checkpoint,
  CostSheet,
  Feature,
  Preset,
  Session,
  StoreInfo,
  schemaVersion,
  Worker,
} from '../core/entities.ts';
import { keyOf } from '../core/ids.ts';
import { jsonDepthMax, jsonFault } from '../core/json.ts';
import { type Contents, emptyContents, type State } from '../core/state.ts';
import type { Table } from '../core/table.ts';
import { GitStateError } from '../errors.ts';
import { canonicalJson } from './canonical.ts';
import {
  artifactPath,
  checkpointPath,
  costPath,
  featurePath,
  type PlacedEntity,
  presetPath,
  readmePath,
  sessionPath,
  storePath,
  workerPath,
} from './paths.ts';

/** Largest state file, in bytes; artifacts are not under it. */
export const fileBytesMax = 10 * 1024 * 1024;
/** Levels of an entity's own around the JSON of users: the document, its steps, a step. */
const entityLevels = 3;

/** What a path of the tree becomes: text that is stored as a blob, or a blob that exists already. */
export type FileChange =
  | { path: string; text: string }
  | { path: string; oid: string }
  | { path: string; gone: true };

/** The files that differ between two states, in no particular order. */
export function changedFiles(before: State, after: State): FileChange[] {
  const changes: FileChange[] = [];
  if (after.readme !== before.readme) changes.push(blobChange(readmePath, after.readme));
  if (after.store !== before.store) changes.push(entityChange(storePath, StoreInfo, after.store));
  collect(changes, before.presets, after.presets, Preset, (_, preset) => presetPath(preset.name));
  collect(changes, before.sessions, after.sessions, Session, (_, session) => sessionPath(session.id));
  for (const key of after.contents.changedSince(before.contents)) {
    const session = (after.sessions.get(key) ?? before.sessions.get(key))!.id;
    const old = before.contents.get(key) ?? emptyContents;
    changes.push(...changedContents(session, old, after.contents.get(key) ?? emptyContents));
  }
  return changes;
}

function changedContents(session: string, before: Contents, after: Contents): FileChange[] {
  const changes: FileChange[] = [];
  collect(changes, before.features, after.features, Feature, (_, { id }) => featurePath(session, id));
  collect(changes, before.workers, after.workers, Worker, (_, { id }) => workerPath(session, id));
  collect(changes, before.checkpoints, after.checkpoints, Checkpoint, (_, { name }) =>
    checkpointPath(session, name),
  );
  collect(changes, before.costs, after.costs, CostSheet, (key) =>
    costPath(session, key.slice(0, 10), key.slice(11)),
  );
  for (const key of after.artifacts.changedSince(before.artifacts)) {
    const { path } = (after.artifacts.get(key) ?? before.artifacts.get(key))!;
    changes.push(blobChange(artifactPath(session, path), after.artifacts.get(key)?.oid ?? null));
  }
  return changes;
}

function collect<V>(
  changes: FileChange[],
  before: Table<V>,
  after: Table<V>,
  schema: z.ZodType<V>,
  pathOf: (key: string, value: V) => string,
): void {
  for (const key of after.changedSince(before)) {
    const [old, value] = [before.get(key), after.get(key)];
    const oldPath = old && pathOf(key, old);
    const path = value && pathOf(key, value);
    // An id that comes back in other letters has another file.
    if (oldPath !== undefined && oldPath !== path) changes.push({ path: oldPath, gone: true });
    if (path !== undefined) changes.push(entityChange(path, schema, value as V));
  }
}

function blobChange(path: string, oid: string | null): FileChange {
  return oid === null ? { path, gone: true } : { path, oid };
}

function entityChange<V>(path: string, schema: z.ZodType<V>, value: V | null): FileChange {
  if (value === null) return { path, gone: true };
  // Parsing settles the key order and refuses to write what could not be read again.
  const result = schema.safeParse(value);
  if (!result.success)
    throw new GitStateError('INVALID_INPUT', `'${path}' cannot be written: ${firstIssue(result.error)}`);
  const text = canonicalJson(result.data);
  if (Buffer.byteLength(text) > fileBytesMax) {
    throw new GitStateError('INVALID_INPUT', `'${path}' would be larger than 10 MiB`);
  }
  return { path, text };
}

/** An entity read from its file, ready to stand in a state. */
export type FileEntity = { key: string; value: unknown };

/** Reads the text of a state file. @throws CORRUPT_STATE, SCHEMA_TOO_NEW */
export function parseFile(place: PlacedEntity, path: string, text: string): FileEntity {
  switch (place.kind) {
    case 'store':
      return { key: '', value: parseStore(path, text) };
    case 'preset':
      return checked(Preset, path, text, ({ name }) => ({ id: name, home: presetPath(name) }));
    case 'session':
      return checked(Session, path, text, ({ id }) => ({ id, home: sessionPath(id) }));
    case 'feature':
      return checked(Feature, path, text, ({ id }) => ({ id, home: featurePath(place.session, id) }));
    case 'worker':
      return checked(Worker, path, text, ({ id }) => ({ id, home: workerPath(place.session, id) }));
    case 'checkpoint':
      return checked(Checkpoint, path, text, ({ name }) => ({
        id: name,
        home: checkpointPath(place.session, name),
      }));
    case 'cost':
      requireHome(path, costPath(place.session, place.day, keyOf(place.id)), place.id);
      return { key: `${place.day}/${keyOf(place.id)}`, value: parsed(CostSheet, path, text) };
    case 'readme':
    case 'payload':
    case 'artifact':
      throw new TypeError(`'${path}' holds no entity`);
    default:
      return place satisfies never;
  }
}

function parseStore(path: string, text: string): StoreInfo {
  const document = parseJson(path, text);
  const schema =
    typeof document === 'object' && document !== null && 'schema' in document ? document.schema : null;
  if (typeof schema === 'number' && schema > schemaVersion) {
    throw new GitStateError(
      'SCHEMA_TOO_NEW',
      `the store has schema ${schema}, this gitstate knows ${schemaVersion}`,
      {
        hint: 'install a newer gitstate: npm install -g gitstate',
        details: { schema, supported: schemaVersion },
      },
    );
  }
  return parsed(StoreInfo, path, text);
}

/** @param placeFor the id of an entity and the path at which its file belongs. */
function checked<V>(
  schema: z.ZodType<V>,
  path: string,
  text: string,
  placeFor: (value: V) => { id: string; home: string },
): FileEntity {
  const value = parsed(schema, path, text);
  const { id, home } = placeFor(value);
  requireHome(path, home, id);
  return { key: keyOf(id), value };
}

/** A file elsewhere than where its entity belongs would stand beside the right one for good. */
function requireHome(path: string, home: string, id: string): void {
  if (path !== home) throw corrupt(path, `names '${id}' inside, which belongs at '${home}'`);
}

function parsed<V>(schema: z.ZodType<V>, path: string, text: string): V {
  const result = schema.safeParse(parseJson(path, text));
  if (result.success) return result.data;
  throw corrupt(path, firstIssue(result.error));
}

function firstIssue({ issues }: z.ZodError): string {
  return `${issues[0]?.path.join('.') || 'the document'}: ${issues[0]?.message}`;
}

function parseJson(path: string, text: string): unknown {
  if (Buffer.byteLength(text) > fileBytesMax) throw corrupt(path, 'is larger than 10 MiB');
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    throw corrupt(path, 'is no JSON');
  }
  const fault = jsonFault(document, jsonDepthMax + entityLevels);
  if (fault) throw corrupt(path, fault);
  return document;
}

export function corrupt(path: string, fault: string): GitStateError {
  return new GitStateError('CORRUPT_STATE', `'${path}' on the state branch is damaged: ${fault}`, {
    hint: 'git state doctor',
    details: { path, fault },
  });
}
