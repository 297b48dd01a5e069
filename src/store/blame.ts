import { corrupt } from '../codec/tree.ts';
import { pointerTo } from '../core/diff.ts';
import { equalJson } from '../core/json.ts';
import { type History, operationOf, readCommit } from './commits.ts';
import { pathHistoryThrough } from './epochs.ts';

/** Which commit gave each field of a file the value that it has. */

export interface Setter {
  commit: string;
  at: string;
  /** Type of the operation; null for a commit made by hand. */
  op: string | null;
  actor: string;
}

/** A field of a file, by JSON pointer (RFC 6901). */
export interface BlamedField extends Setter {
  path: string;
  value: unknown;
}

const readAheadMax = 64;

/** The fields of the file at `path` as of `tip`, in the order of the file, each with who set it. */
export async function blameFile(history: History, tip: string, path: string): Promise<BlamedField[]> {
  const fields = new Map<string, { value: unknown; commit: string | null }>();
  let open = 0;
  for await (const { commit, before, after } of versionsOf(history, { tip, path })) {
    if (fields.size === 0) {
      for (const [pointer, value] of leavesOf(after)) fields.set(pointer, { value, commit: null });
      open = fields.size;
    }
    for (const [pointer, field] of fields) {
      if (field.commit !== null || equalJson(valueAt(before, pointer) ?? null, field.value)) continue;
      field.commit = commit;
      open -= 1;
    }
    if (before !== undefined && open > 0) continue;
    for (const field of fields.values()) field.commit ??= commit;
    break;
  }
  const setters = new Map<string, Setter>();
  for (const { commit } of fields.values()) {
    if (commit !== null && !setters.has(commit)) setters.set(commit, await setterOf(history, commit));
  }
  return [...fields].map(([pointer, { value, commit }]) => ({
    path: pointer,
    value,
    ...setters.get(commit!)!,
  }));
}

/** The newest commit after `since` that changed what stands at `pointer` in a file; null where none did. */
export async function lastSetter(
  history: History,
  range: { tip: string; since: string; path: string },
  pointer: string,
): Promise<Setter | null> {
  for await (const { commit, before, after } of versionsOf(history, range)) {
    if (!equalJson(valueAt(before, pointer) ?? null, valueAt(after, pointer) ?? null))
      return setterOf(history, commit);
  }
  return null;
}

async function setterOf({ reader, schema }: History, oid: string): Promise<Setter> {
  const commit = (await readCommit(reader, oid))!;
  const operation = await operationOf(reader, commit, schema);
  const at = new Date(commit.author.at * 1000).toISOString().replace('.000Z', 'Z');
  return { commit: oid, at, op: operation?.type ?? null, actor: commit.author.name };
}

interface Version {
  commit: string;
  /** The file's value before and after the commit; undefined where there was no file. */
  before: unknown;
  after: unknown;
}

/** What became of a file, newest first, read as far as it is asked for. */
async function* versionsOf(
  history: History,
  { path, ...range }: { tip: string; since?: string; path: string },
): AsyncGenerator<Version> {
  const commits = await pathHistoryThrough(history, { ...range, paths: [path] });
  const { reader } = history;
  const read = async (oid: string | null): Promise<unknown> => {
    if (oid === null) return undefined;
    const object = await reader.read(oid);
    if (object === null) throw corrupt(path, `its blob ${oid} is missing`);
    try {
      return JSON.parse(object.body.toString('utf8'));
    } catch {
      throw corrupt(path, `is no JSON in blob ${oid}`);
    }
  };
  for (let at = 0; at < commits.length; at += readAheadMax) {
    const versions = commits.slice(at, at + readAheadMax).map(async ({ commit, files }) => {
      const { before, after } = files.find((file) => file.path === path)!;
      return { commit, before: await read(before), after: await read(after) };
    });
    for (const version of await Promise.all(versions)) yield version;
  }
}

/** The values that hold no others, with their pointers; an empty list or object is a value. */
function* leavesOf(value: unknown, path = ''): Generator<[pointer: string, value: unknown]> {
  const entries = typeof value === 'object' && value !== null ? Object.entries(value) : [];
  if (entries.length === 0) yield [path, value];
  for (const [key, inner] of entries) yield* leavesOf(inner, pointerTo(path, key));
}

/** What a JSON pointer points to; undefined where there is nothing. */
function valueAt(value: unknown, pointer: string): unknown {
  let inner = value;
  for (const part of pointer.split('/').slice(1)) {
    if (typeof inner !== 'object' || inner === null) return undefined;
    inner = new Map(Object.entries(inner)).get(part.replace(/~1/g, '/').replace(/~0/g, '~'));
  }
  return inner;
}
