import { currentSchema, type Schema } from '../codec/migrate.ts';
import { type PlacedEntity, placeOf, storePath } from '../codec/paths.ts';
import { corrupt, type FileEntity, fileBytesMax, parseFile, type Reading } from '../codec/tree.ts';
import { keyOf } from '../core/ids.ts';
import { type ArtifactRef, type Contents, emptyContents, emptyState, type State } from '../core/state.ts';
import type { Table } from '../core/table.ts';
import { GitStateError, isGitStateError } from '../errors.ts';
import { decodeCommit } from '../git/commit.ts';
import type { ObjectReader } from '../git/reader.ts';
import { atPath, loadTree, missing, type Tree, type TreeChange } from './tree.ts';

/** The state as of one commit, with the trees it was read from. */
export interface Snapshot {
  /** Null before the first commit. */
  readonly commit: string | null;
  /** Author time of the commit, in seconds since 1970. */
  readonly at: number;
  readonly tree: Tree | null;
  readonly state: State;
}

export const emptySnapshot: Snapshot = { commit: null, at: 0, tree: null, state: emptyState };

/** Sessions whose contents are wanted, by key; `all` for every one. */
export type Wanted = 'all' | ReadonlySet<string>;

/** Whether everything that is wanted is loaded. */
export function holds({ state }: Snapshot, wanted: Wanted): boolean {
  const keys = wanted === 'all' ? [...state.sessions.entries()].map(([key]) => key) : [...wanted];
  return keys.every((key) => state.contents.has(key) || !state.sessions.has(key));
}

/** Reads the state of `commit`. What is the same in `before` is taken from there: only other object ids are read.
 *  @param schema that is known; what stands in an older one is brought up to it.
 *  @throws COMMIT_NOT_FOUND, CORRUPT_STATE (also for a tree that is no store), SCHEMA_TOO_NEW */
export async function readSnapshot(
  reader: ObjectReader,
  commit: string,
  before: Snapshot,
  wish: Wanted,
  schema: Schema = currentSchema,
): Promise<Snapshot> {
  const object = await reader.read(commit);
  if (object?.type !== 'commit') throw new GitStateError('COMMIT_NOT_FOUND', `no commit '${commit}'`);
  const { tree: treeOid, author } = decodeCommit(object.body);
  // What was loaded once is kept current: a session left out here would silently grow old.
  const wanted =
    wish === 'all' ? wish : new Set([...wish, ...[...before.state.contents.entries()].map(([key]) => key)]);
  const changes: TreeChange[] = [];
  const tree = await loadTree(reader, treeOid, before.tree, (folder) => isWanted(folder, wanted), changes);
  if (!tree.entries.has(storePath)) throw noStore(commit);
  const state = await withChanges(reader, before.state, changes, schema);
  return { commit: object.oid, at: author.at, tree, state: withLoadedContents(state, wanted, tree) };
}

/** What stands there is no state that was emptied: it never was one. */
function noStore(commit: string): GitStateError {
  return new GitStateError('CORRUPT_STATE', `commit ${commit.slice(0, 12)} holds no '${storePath}'`, {
    hint: 'git state doctor',
    details: { path: storePath, fault: 'is missing', commit },
  });
}

function isWanted(folder: string, wanted: Wanted): boolean {
  const [top, session, inner] = folder.split('/');
  if (top === 'payload') return false;
  if (top !== 'sessions' || inner === undefined || wanted === 'all') return true;
  return wanted.has(keyOf(session!));
}

/** Sessions that hold nothing yet are loaded as well: their contents are known to be empty. */
function withLoadedContents(state: State, wanted: Wanted, tree: Tree): State {
  let { contents } = state;
  for (const [name, entry] of tree.entries.get('sessions')?.tree?.entries ?? []) {
    const key = keyOf(name);
    const known =
      wanted === 'all' ||
      wanted.has(key) ||
      [...(entry.tree?.entries.values() ?? [])].every((e) => !e.folder);
    if (known && !contents.has(key)) contents = contents.with(key, emptyContents);
  }
  return contents === state.contents ? state : { ...state, contents };
}

type Edits = Map<string, unknown>;
type ContentsTable = keyof Contents;

/** Changes by table: those of the store, and those of each session. */
interface Editing {
  store: Edits;
  presets: Edits;
  sessions: Edits;
  contents: Map<string, Map<ContentsTable, Edits>>;
  readme: string | null | undefined;
}

async function withChanges(
  reader: ObjectReader,
  state: State,
  changes: TreeChange[],
  schema: Schema,
): Promise<State> {
  if (changes.length === 0) return state;
  const editing: Editing = {
    store: new Map(),
    presets: new Map(),
    sessions: new Map(),
    contents: new Map(),
    readme: undefined,
  };
  const reading = { schema, stored: state.store?.schema ?? schema.version };
  // The store says in which schema the others stand.
  const first = changes.find(({ path }) => path === storePath);
  if (first) {
    await edit(reader, state, editing, [first], reading);
    const store = editing.store.get('') as State['store'] | undefined;
    reading.stored = store?.schema ?? schema.version;
  }
  const others = first ? changes.filter((change) => change !== first) : changes;
  await edit(reader, state, editing, others, reading);
  let { contents } = state;
  for (const [session, tables] of editing.contents) {
    const edited: Record<string, unknown> = { ...(contents.get(session) ?? emptyContents) };
    for (const [table, edits] of tables) edited[table] = (edited[table] as Table<unknown>).withAll(edits);
    contents = contents.with(session, edited as unknown as Contents);
  }
  for (const [key, value] of editing.sessions) if (value === undefined) contents = contents.without(key);
  const sessions = state.sessions.withAll(editing.sessions as Map<string, never>);
  for (const [key] of contents.entries()) {
    if (!sessions.has(key)) throw corrupt(`sessions/${key}`, 'has contents and no session.json');
  }
  return {
    readme: editing.readme === undefined ? state.readme : editing.readme,
    store: editing.store.has('')
      ? ((editing.store.get('') as State['store'] | undefined) ?? null)
      : state.store,
    presets: state.presets.withAll(editing.presets as Map<string, never>),
    sessions,
    contents,
  };
}

/** Notes what has changed; all files that are to be read come in one stream. */
async function edit(
  reader: ObjectReader,
  state: State,
  editing: Editing,
  changes: readonly TreeChange[],
  reading: Reading,
): Promise<void> {
  const files: EntityFile[] = [];
  for (const change of changes) {
    const { path, oid } = change;
    const place = placeOf(path);
    if (!place) throw corrupt(path, 'no such file belongs here');
    if (place.kind === 'payload') continue;
    if (place.kind === 'readme') {
      editing.readme = oid;
    } else if (place.kind === 'artifact') {
      const ref: ArtifactRef | undefined = oid === null ? undefined : { path: place.path, oid };
      editsOf(editing, place.session, 'artifacts').set(place.path, ref);
    } else if (oid === null) {
      put(editing, place, path, goneEntity(state, place, path));
    } else {
      files.push(change as EntityFile);
    }
  }
  await readEntities(reader, files, (place, path, entity) => put(editing, place, path, entity), reading);
}

function put(editing: Editing, place: PlacedEntity, path: string, { key, value }: FileEntity): void {
  const edits = tableOf(editing, place);
  const known = edits.get(key);
  // `A.json` and `a.json` are one entity: a store that holds both was not written by gitstate.
  if (value !== undefined && known !== undefined) throw corrupt(path, 'stands there twice, in other letters');
  if (value !== undefined || !edits.has(key)) edits.set(key, value);
}

type EntityFile = TreeChange & { oid: string };

async function readEntities(
  reader: ObjectReader,
  files: readonly EntityFile[],
  take: (place: PlacedEntity, path: string, entity: FileEntity) => void,
  reading: Reading,
): Promise<void> {
  const oids = files.map(({ oid }) => oid);
  const reads = reader.readEach(oids, (object, index) => {
    const { path, oid } = files[index]!;
    if (object?.type !== 'blob') throw missing(path, 'blob', oid);
    if (object.body.length > fileBytesMax) throw corrupt(path, 'is larger than 10 MiB');
    const place = placeOf(path)!;
    take(place, path, parseFile(place, path, object.body.toString('utf8'), reading));
  });
  await reads.catch((error: unknown) => {
    const object = isGitStateError(error) ? error.details.object : undefined;
    const culprit = files.find(({ oid }) => oid === object);
    throw culprit ? atPath(error, culprit.path) : error;
  });
}

/** The key under which a file that is gone stood. Long checkpoint names are shortened in the path, so they are looked
 *  up in the state. */
function goneEntity(state: State, place: PlacedEntity, path: string): { key: string; value: undefined } {
  if (place.kind === 'store') return { key: '', value: undefined };
  if (place.kind === 'session') return { key: keyOf(place.session), value: undefined };
  if (place.kind === 'cost') return { key: `${place.day}/${keyOf(place.id)}`, value: undefined };
  if (place.kind === 'checkpoint' && /~[0-9a-f]{16}$/.test(place.id)) {
    const { checkpoints } = state.contents.get(keyOf(place.session)) ?? emptyContents;
    const stem = place.id.slice(0, 150);
    const found = [...checkpoints.entries()].find(
      ([, { name }]) => name.startsWith(stem) && name.length > 200,
    );
    if (found) return { key: found[0], value: undefined };
  }
  if ('id' in place) return { key: keyOf(place.id), value: undefined };
  throw corrupt(path, 'no such file belongs here');
}

function tableOf(editing: Editing, place: PlacedEntity): Edits {
  switch (place.kind) {
    case 'store':
      return editing.store;
    case 'preset':
      return editing.presets;
    case 'session':
      return editing.sessions;
    case 'feature':
    case 'worker':
    case 'checkpoint':
    case 'cost':
      return editsOf(editing, place.session, `${place.kind}s`);
    default:
      throw new TypeError(`a ${place.kind} stands in no table`);
  }
}

function editsOf(editing: Editing, session: string, table: ContentsTable): Edits {
  const key = keyOf(session);
  const tables = editing.contents.get(key) ?? new Map<ContentsTable, Edits>();
  editing.contents.set(key, tables);
  const edits = tables.get(table) ?? new Map();
  tables.set(table, edits);
  return edits;
}
