import { corrupt, type FileChange } from '../codec/tree.ts';
import { GitStateError } from '../errors.ts';
import { type NewObject, newObject, type ObjectFormat } from '../git/objects.ts';
import type { ObjectReader } from '../git/reader.ts';
import { decodeTree, encodeTree } from '../git/tree.ts';
import { TreeBody } from '../git/tree-body.ts';

/** No path of ours is deeper; artifacts may hold folders of their own. */
const depthMax = 40;

/** A Git tree in memory. Subtrees are loaded when somebody looks into them, and shared between versions. */
export interface Tree {
  readonly oid: string;
  readonly entries: ReadonlyMap<string, Entry>;
  /** Whether there is no folder in it, where that is known without a look. */
  readonly isFlat?: boolean;
  /** The encoded tree, where this process has read or made it. */
  readonly body?: TreeBody | undefined;
}

export interface Entry {
  readonly oid: string;
  readonly folder: boolean;
  /** The subtree, once it was loaded. */
  readonly tree: Tree | null;
}

/** A file that is not the same in two trees; null where it is gone. */
export interface TreeChange {
  path: string;
  oid: string | null;
}

/** Loads the tree `oid` and lists the files in it that differ from `before`, reading only what has another object id.
 *  @param isWanted folders for which it is false stay unloaded.
 *  @throws CORRUPT_STATE for modes that gitstate never writes, and for objects that are missing. */
export async function loadTree(
  reader: ObjectReader,
  oid: string,
  before: Tree | null,
  isWanted: (folder: string) => boolean,
  changes: TreeChange[],
  path = '',
): Promise<Tree> {
  const old = before?.entries ?? new Map<string, Entry>();
  const { entries, body } = before?.oid === oid ? before : await readTree(reader, oid, path);
  const loaded = new Map<string, Entry>();
  const pending: Promise<void>[] = [];
  for (const [name, entry] of entries) {
    const place = path === '' ? name : `${path}/${name}`;
    const previous = old.get(name);
    loaded.set(name, previous?.oid === entry.oid ? previous : entry);
    if (previous && previous.folder !== entry.folder) listGone(previous, place, changes);
    if (!entry.folder) {
      if (previous?.oid !== entry.oid) changes.push({ path: place, oid: entry.oid });
    } else if (isWanted(place) && !(previous?.oid === entry.oid && previous.tree && isWhole(previous.tree))) {
      const sub = loadTree(reader, entry.oid, previous?.tree ?? null, isWanted, changes, place);
      pending.push(sub.then((tree) => void loaded.set(name, { ...entry, tree })));
    }
  }
  for (const [name, entry] of old) {
    if (!entries.has(name)) listGone(entry, path === '' ? name : `${path}/${name}`, changes);
  }
  await Promise.all(pending);
  return { oid, entries: loaded, body };
}

/** Whether everything below is in memory. */
function isWhole(tree: Tree): boolean {
  if (tree.isFlat) return true;
  for (const entry of tree.entries.values()) {
    if (entry.folder && (entry.tree === null || !isWhole(entry.tree))) return false;
  }
  return true;
}

function listGone(entry: Entry, path: string, changes: TreeChange[]): void {
  if (!entry.folder) changes.push({ path, oid: null });
  for (const [name, child] of entry.tree?.entries ?? []) listGone(child, `${path}/${name}`, changes);
}

async function readTree(reader: ObjectReader, oid: string, path: string): Promise<Tree> {
  if (path.split('/').length > depthMax) throw corrupt(path, `is nested deeper than ${depthMax} folders`);
  const object = await reader.read(oid).catch((error) => Promise.reject(atPath(error, path || '/')));
  if (object?.type !== 'tree') throw missing(path || '/', 'tree', oid);
  const format = oid.length === 64 ? 'sha256' : 'sha1';
  const entries = new Map<string, Entry>();
  for (const { mode, name, oid: child } of decodeTree(format, object.body)) {
    const folder = mode === '40000';
    if (!folder && mode !== '100644') throw corrupt(`${path}/${name}`, `has the mode ${mode}`);
    entries.set(name, { oid: child, folder, tree: null });
  }
  return { oid, entries, body: new TreeBody(format, object.body) };
}

/** An object that the path `path` names and that is not there, or is something else. */
export function missing(path: string, type: 'blob' | 'tree', oid: string): GitStateError {
  const { message, details } = corrupt(path, `its ${type} ${oid} is missing`);
  return new GitStateError('CORRUPT_STATE', message, {
    hint: 'git state doctor',
    details: { ...details, object: oid },
  });
}

/** A damaged object says of itself only which one it is; whoever looked for it knows the path. */
export function atPath(error: unknown, path: string): unknown {
  if (!(error instanceof GitStateError) || error.code !== 'CORRUPT_STATE' || 'path' in error.details)
    return error;
  const { message, details } = corrupt(path, error.message);
  return new GitStateError('CORRUPT_STATE', message, {
    hint: 'git state doctor',
    details: { ...error.details, ...details },
    cause: error,
  });
}

/** The tree with `changes` made; new blobs and trees are appended to `objects`. */
export function changeTree(
  tree: Tree | null,
  changes: readonly FileChange[],
  format: ObjectFormat,
  objects: NewObject[],
): Tree {
  const entries = new Map(tree?.entries ?? []);
  const below = new Map<string, FileChange[]>();
  const touched = new Set<string>();
  for (const change of changes) {
    const slash = change.path.indexOf('/');
    const name = slash < 0 ? change.path : change.path.slice(0, slash);
    touched.add(name);
    if (slash < 0) {
      setFile(entries, name, change, format, objects);
    } else {
      const inner = below.get(name) ?? [];
      inner.push({ ...change, path: change.path.slice(slash + 1) });
      below.set(name, inner);
    }
  }
  for (const [name, inner] of below) {
    const entry = entries.get(name);
    if (entry?.folder && entry.tree === null) throw new TypeError(`the folder '${name}' is not loaded`);
    const sub = changeTree(entry?.tree ?? null, inner, format, objects);
    if (sub.entries.size === 0) entries.delete(name);
    else entries.set(name, { oid: sub.oid, folder: true, tree: sub });
  }
  const body = withOids(tree, entries, touched) ?? encode(entries, format);
  const object = newObject(format, 'tree', body.bytes);
  if (object.oid !== tree?.oid) objects.push(object);
  return { oid: object.oid, entries, body };
}

function encode(entries: ReadonlyMap<string, Entry>, format: ObjectFormat): TreeBody {
  const rows = [...entries].map(([name, { oid, folder }]) => ({
    mode: folder ? '40000' : '100644',
    name,
    oid,
  }));
  return new TreeBody(format, encodeTree(rows));
}

/** The body of `tree` with what `touched` entries hold now; null where an entry came, went, or became another kind. */
function withOids(
  tree: Tree | null,
  entries: ReadonlyMap<string, Entry>,
  touched: Iterable<string>,
): TreeBody | null {
  const oids = new Map<string, string>();
  for (const name of touched) {
    const [before, now] = [tree?.entries.get(name), entries.get(name)];
    if (before?.folder !== now?.folder) return null;
    if (now) oids.set(name, now.oid);
  }
  return tree?.body?.with(oids) ?? null;
}

function setFile(
  entries: Map<string, Entry>,
  name: string,
  change: FileChange,
  format: ObjectFormat,
  objects: NewObject[],
): void {
  if ('gone' in change) {
    entries.delete(name);
  } else if ('oid' in change) {
    entries.set(name, { oid: change.oid, folder: false, tree: null });
  } else {
    const object = newObject(format, 'blob', change.text);
    if (entries.get(name)?.oid !== object.oid) objects.push(object);
    entries.set(name, { oid: object.oid, folder: false, tree: null });
  }
}
