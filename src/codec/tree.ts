import type * as z from 'zod';
import { Checkpoint, CostSheet, Feature, Preset, Session, StoreInfo, Worker } from '../core/entities.ts';
import { keyOf } from '../core/ids.ts';
import { type JsonValue, jsonDepthMax, jsonFault } from '../core/json.ts';
import { type Contents, emptyContents, type State } from '../core/state.ts';
import type { Table } from '../core/table.ts';
import { GitStateError } from '../errors.ts';
import { canonicalJson } from './canonical.ts';
import { currentSchema, migrateDocument, type Schema, schemaTooNew } from './migrate.ts';
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
import { parseFeature, quickOf, unsure } from './quick.ts';

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

/** In which schema files are stored, and which one the reader knows. */
export interface Reading {
  schema: Schema;
  stored: number;
}

const currentReading: Reading = { schema: currentSchema, stored: currentSchema.version };

/** Reads the text of a state file. @throws CORRUPT_STATE, SCHEMA_TOO_NEW */
export function parseFile(
  place: PlacedEntity,
  path: string,
  text: string,
  reading: Reading = currentReading,
): FileEntity {
  const read = <V>(schema: z.ZodType<V>) => {
    const isCurrent = place.kind !== 'store' && reading.stored === reading.schema.version;
    return (
      (isCurrent ? quickly(schema, text) : undefined) ??
      parsed(schema, path, documentOf(place, path, text, reading))
    );
  };
  switch (place.kind) {
    case 'store':
      return { key: '', value: read(StoreInfo) };
    case 'preset':
      return placed(path, read(Preset), ({ name }) => [name, presetPath(name)]);
    case 'session':
      return placed(path, read(Session), ({ id }) => [id, sessionPath(id)]);
    case 'feature':
      return placed(path, read(Feature), ({ id }) => [id, featurePath(place.session, id)]);
    case 'worker':
      return placed(path, read(Worker), ({ id }) => [id, workerPath(place.session, id)]);
    case 'checkpoint':
      return placed(path, read(Checkpoint), ({ name }) => [name, checkpointPath(place.session, name)]);
    case 'cost':
      requireHome(path, costPath(place.session, place.day, keyOf(place.id)), place.id);
      return { key: `${place.day}/${keyOf(place.id)}`, value: read(CostSheet) };
    case 'readme':
    case 'payload':
    case 'artifact':
      throw new TypeError(`'${path}' holds no entity`);
    default:
      return place satisfies never;
  }
}

/** What the text says if it is as gitstate writes it; undefined where that takes a closer look. */
function quickly<V>(schema: z.ZodType<V>, text: string): V | undefined {
  if (text.length * 3 > fileBytesMax) return undefined;
  try {
    const value = quickOf(schema)(schema === (Feature as z.ZodType) ? parseFeature(text) : JSON.parse(text));
    return value === unsure ? undefined : (value as V);
  } catch {
    return undefined;
  }
}

/** The document of a file in the schema that the reader knows. */
function documentOf(place: PlacedEntity, path: string, text: string, { schema, stored }: Reading): JsonValue {
  const document = parseJson(path, text);
  if (place.kind !== 'store') return migrateDocument(schema, stored, place, document);
  const own = schemaOf(document);
  if (own === null) return document;
  if (own > schema.version) throw schemaTooNew('the store', own, schema);
  const migrated = migrateDocument(schema, own, place, document);
  // What is stored is not what is known: the number stays until every file was brought up to it.
  return own === schema.version ? migrated : { ...(migrated as object), schema: own };
}

/** The number under `schema`; null where there is none. */
function schemaOf(document: JsonValue): number | null {
  const schema = typeof document === 'object' && document !== null && 'schema' in document && document.schema;
  return typeof schema === 'number' ? schema : null;
}

/** @param placeFor the id of an entity and the path at which its file belongs. */
function placed<V>(
  path: string,
  value: V,
  placeFor: (value: V) => readonly [id: string, home: string],
): FileEntity {
  const [id, home] = placeFor(value);
  requireHome(path, home, id);
  return { key: keyOf(id), value };
}

/** A file elsewhere than where its entity belongs would stand beside the right one for good. */
function requireHome(path: string, home: string, id: string): void {
  if (path !== home) throw corrupt(path, `names '${id}' inside, which belongs at '${home}'`);
}

function parsed<V>(schema: z.ZodType<V>, path: string, document: JsonValue): V {
  const result = schema.safeParse(document);
  if (result.success) return result.data;
  throw corrupt(path, firstIssue(result.error));
}

function firstIssue({ issues }: z.ZodError): string {
  return `${issues[0]?.path.join('.') || 'the document'}: ${issues[0]?.message}`;
}

function parseJson(path: string, text: string): JsonValue {
  if (Buffer.byteLength(text) > fileBytesMax) throw corrupt(path, 'is larger than 10 MiB');
  let document: JsonValue;
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
