import { totalCost } from './costs.ts';
import type { Feature } from './entities.ts';
import { compareNatural } from './ids.ts';
import { equalJson } from './json.ts';
import { amountOf, microsOf } from './money.ts';
import { type Contents, contentsOf, type State } from './state.ts';
import type { Table } from './table.ts';

/** One field of one entity that is not the same at two points. */
export interface Change {
  entity: 'store' | 'preset' | 'session' | 'feature' | 'worker' | 'checkpoint' | 'cost' | 'artifact';
  /** Session of the entity; null for what stands in none. */
  session: string | null;
  id: string;
  /** JSON pointer (RFC 6901) to the field; empty for the whole entity. */
  path: string;
  from: unknown;
  to: unknown;
}

/** How many features there are, and how many of each status. */
export type Counts = Record<'total' | Feature['status'], number>;

export interface DiffSummary {
  changes: number;
  /** Features that became completed, and that became failed. */
  completed: number;
  failed: number;
  /** Features by status. */
  progress: { from: Counts; to: Counts };
  cost: { from: number; to: number; delta: number };
}

/** What differs between two states, by meaning. Contents of `session` alone, or of all sessions.
 *  @throws NotLoaded where the contents of a session that is asked for were left out. */
export function diffStates(from: State, to: State, session?: string): Change[] {
  const present = new Map([...from.sessions.entries(), ...to.sessions.entries()]);
  const wanted = (key: string) => session === undefined || key === session.toLowerCase();
  const contents = [...present.keys()].filter(wanted);
  return diffParts(from, to, { store: session === undefined, wanted, contents });
}

/** What one operation made of a state. What is not loaded in either was not touched. */
export function diffFollowing(before: State, after: State): Change[] {
  const contents = [...after.contents.changedSince(before.contents)];
  return diffParts(before, after, { store: true, wanted: () => true, contents });
}

function diffParts(
  from: State,
  to: State,
  { store, wanted, contents }: { store: boolean; wanted: (key: string) => boolean; contents: string[] },
): Change[] {
  const changes: Change[] = [];
  if (store) {
    addFields(changes, { entity: 'store', session: null, id: 'store' }, from.store, to.store);
    diffTables(changes, 'preset', null, from.presets, to.presets, ({ name }) => name);
  }
  for (const key of to.sessions.changedSince(from.sessions).filter(wanted).sort(compareNatural)) {
    const [old, now] = [from.sessions.get(key), to.sessions.get(key)];
    addFields(changes, { entity: 'session', session: (now ?? old)!.id, id: (now ?? old)!.id }, old, now);
  }
  for (const key of contents.sort(compareNatural)) {
    const { id } = (to.sessions.get(key) ?? from.sessions.get(key))!;
    diffContents(changes, id, contentsOf(from, id), contentsOf(to, id));
  }
  return changes;
}

function diffContents(changes: Change[], session: string, from: Contents, to: Contents): void {
  diffTables(changes, 'feature', session, from.features, to.features, ({ id }) => id);
  diffTables(changes, 'worker', session, from.workers, to.workers, ({ id }) => id);
  diffTables(changes, 'checkpoint', session, from.checkpoints, to.checkpoints, ({ name }) => name);
  diffTables(changes, 'cost', session, from.costs, to.costs, (_, key) => key);
  diffTables(changes, 'artifact', session, from.artifacts, to.artifacts, ({ path }) => path);
}

function diffTables<V>(
  changes: Change[],
  entity: Change['entity'],
  session: string | null,
  from: Table<V>,
  to: Table<V>,
  idOf: (value: V, key: string) => string,
): void {
  for (const key of [...to.changedSince(from)].sort(compareNatural)) {
    const [old, now] = [from.get(key), to.get(key)];
    const [oldId, id] = [old && idOf(old, key), now && idOf(now, key)];
    // An id in other letters is another entity: one went, one came.
    if (oldId !== id && oldId !== undefined) addFields(changes, { entity, session, id: oldId }, old, null);
    if (id !== undefined) addFields(changes, { entity, session, id }, oldId === id ? old : null, now);
  }
}

/** The fields in which one entity differs; one that came or went is one change. */
export function entityChanges(
  subject: Pick<Change, 'entity' | 'session' | 'id'>,
  from: unknown,
  to: unknown,
): Change[] {
  const changes: Change[] = [];
  addFields(changes, subject, from, to);
  return changes;
}

/** Lists the fields that differ; a whole entity that came or went is one change. */
function addFields(
  changes: Change[],
  subject: Pick<Change, 'entity' | 'session' | 'id'>,
  from: unknown,
  to: unknown,
): void {
  if (from == null || to == null) {
    if (from != null || to != null)
      changes.push({ ...subject, path: '', from: from ?? null, to: to ?? null });
    return;
  }
  for (const { path, from: old, to: now } of valueChanges(from, to, ''))
    changes.push({ ...subject, path, from: old, to: now });
}

function* valueChanges(
  from: unknown,
  to: unknown,
  path: string,
): Generator<Pick<Change, 'path' | 'from' | 'to'>> {
  if (Object.is(from, to)) return;
  const bothArrays = Array.isArray(from) && Array.isArray(to) && from.length === to.length;
  const bothObjects = isPlain(from) && isPlain(to);
  if (!bothArrays && !bothObjects) {
    if (!equalJson(from, to)) yield { path, from, to };
    return;
  }
  const [old, now] = [new Map(Object.entries(from as object)), new Map(Object.entries(to as object))];
  // A key that went, and one that came with null, would both read as `to: null`: the object tells them apart.
  if (
    [...old.keys()].some((key) => !now.has(key)) ||
    [...now].some(([key, v]) => v === null && !old.has(key))
  ) {
    yield { path, from, to };
    return;
  }
  for (const [key, value] of now) {
    const pointer = pointerTo(path, key);
    if (old.has(key)) yield* valueChanges(old.get(key), value, pointer);
    else yield { path: pointer, from: null, to: value };
  }
}

/** JSON pointer (RFC 6901) to a field of what `path` points to. */
export function pointerTo(path: string, key: string): string {
  return `${path}/${key.replace(/~/g, '~0').replace(/\//g, '~1')}`;
}

function isPlain(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Progress and money between two states. */
export function summarize(from: State, to: State, changes: readonly Change[], session?: string): DiffSummary {
  const became = (status: Feature['status']) =>
    changes.filter((change) => {
      if (change.entity !== 'feature') return false;
      if (change.path === '/status') return change.to === status;
      return change.path === '' && (change.to as Feature | null)?.status === status;
    }).length;
  const [old, now] = [costOf(from, session), costOf(to, session)];
  const delta = amountOf(microsOf(now) - microsOf(old));
  return {
    changes: changes.length,
    completed: became('completed'),
    failed: became('failed'),
    progress: { from: countsOf(from, session), to: countsOf(to, session) },
    cost: { from: old, to: now, delta },
  };
}

function countsOf(state: State, session: string | undefined): Counts {
  const counts: Counts = { total: 0, pending: 0, in_progress: 0, completed: 0, failed: 0, archived: 0 };
  for (const [key, { id }] of state.sessions.entries()) {
    if (session !== undefined && key !== session.toLowerCase()) continue;
    for (const { status } of contentsOf(state, id).features.values()) {
      counts.total += 1;
      counts[status] += 1;
    }
  }
  return counts;
}

function costOf(state: State, session: string | undefined): number {
  let micros = 0n;
  for (const [key, entity] of state.sessions.entries()) {
    if (session !== undefined && key !== session.toLowerCase()) continue;
    micros += microsOf(totalCost(entity, contentsOf(state, entity.id)));
  }
  return amountOf(micros);
}
