import { returnedCheckpoint, returnedCheckpoints } from './checkpoints.ts';
import { settleRemovedCost } from './costs.ts';
import { type Change, diffStates } from './diff.ts';
import type { Feature, Session } from './entities.ts';
import { keyOf } from './ids.ts';
import { equalJson } from './json.ts';
import { requireNoClaims } from './operations/session-end.ts';
import { revertFields, type Subject } from './revert.ts';
import { type Right, requireRight } from './rules.ts';
import { claimedFeatures } from './select.ts';
import { type Contents, contentsOf, putContents, putSession, requireStore, type State } from './state.ts';
import { Table } from './table.ts';
import type { Instant } from './time.ts';
import { addMirrored } from './undo-cost.ts';
import { asReturned, isTellingOfFeature, requireSoundReturn, revertFeature } from './undo-feature.ts';

/** Taking one operation back, entity by entity, out of the states before and after it. It reads no arguments of the
 *  operation, so that every type of operation, and an undo itself, goes the same way. */

export interface Undoing extends Right {
  before: State;
  after: State;
  at: Instant;
  op: string;
  operation: string;
  written: Readonly<Record<string, string>>;
}

/** @returns the new state, and what stands in the way; with any of that, the state is of no use. */
export function takeBack(state: State, undoing: Undoing): { state: State; clashes: Change[] } {
  const { before, after } = undoing;
  const clashes: Change[] = [];
  let next = { ...state, presets: revertPresets(state, undoing, clashes) };
  if (next.presets === state.presets) next = state;
  const keys = new Set([...before.sessions.entries(), ...after.sessions.entries()].map(([key]) => key));
  for (const key of keys) {
    const [old, made] = [before.sessions.get(key), after.sessions.get(key)];
    if (old === undefined) next = withoutSession(next, made!, undoing, clashes);
    else if (made === undefined) next = withSession(next, old, undoing, clashes);
    else next = revertSession(next, key, undoing, clashes);
    if (next.contents.get(key) !== state.contents.get(key)) next = settleRemovedCost(next, key);
  }
  return { state: next, clashes };
}

function revertPresets(state: State, { before, after }: Undoing, clashes: Change[]): State['presets'] {
  return revertTable(state.presets, before.presets, after.presets, ({ name }) => ({
    subject: { entity: 'preset', session: null, id: name },
    clashes,
  }));
}

/** A table whose entities are taken back as a whole. */
function revertTable<V>(
  now: Table<V>,
  before: Table<V>,
  after: Table<V>,
  about: (value: V) => { subject: Subject; clashes: Change[] },
  returned: (value: V) => V = (value) => value,
): Table<V> {
  let table = now;
  for (const key of differing(before, after)) {
    const [old, made, present] = [before.get(key), after.get(key), now.get(key)];
    if (!isSame(present, made)) {
      const { subject, clashes } = about((present ?? made ?? old)!);
      clashes.push({ ...subject, path: '', from: made ?? null, to: present ?? null });
    } else table = old === undefined ? table.without(key) : table.with(key, returned(old));
  }
  return table;
}

/** Keys of the entities that are not the same; states read one after the other share few of them. */
function differing<V>(before: Table<V>, after: Table<V>): string[] {
  return after.changedSince(before).filter((key) => !isSame(before.get(key), after.get(key)));
}

function isSame(a: unknown, b: unknown): boolean {
  return a === undefined || b === undefined ? a === b : equalJson(a, b);
}

const sessionBookkeeping = new Set(['updated_at', 'claim_counts', 'removed_cost']);

/** A session that the operation brought goes again, if nothing has happened in it. */
function withoutSession(state: State, made: Session, undoing: Undoing, clashes: Change[]): State {
  const key = keyOf(made.id);
  const subject: Subject = { entity: 'session', session: made.id, id: made.id };
  const present = state.sessions.get(key);
  if (!present) {
    clashes.push({ ...subject, path: '', from: made, to: null });
    return state;
  }
  const contents = contentsOf(state, present.id);
  clashes.push(...diffStates(undoing.after, state, key).filter(isTelling));
  for (const feature of claimedFeatures(contents)) requireRight(feature, undoing);
  const store = requireStore(state);
  return {
    ...state,
    store: leavesTraces(present, contents) ? { ...store, retired: withId(store.retired, made.id) } : store,
    sessions: state.sessions.without(key),
    contents: state.contents.without(key),
  };
}

/** Whether a change says more than when, and how often something was claimed. */
function isTelling(change: Change): boolean {
  if (change.entity === 'feature') return isTellingOfFeature(change);
  return change.entity !== 'session' || !sessionBookkeeping.has(change.path.split('/')[1] ?? '');
}

/** Tags still stand, and tokens were given out: another session of the same id would meet them. */
function leavesTraces({ claim_counts }: Session, { features, checkpoints }: Contents): boolean {
  if (Object.keys(claim_counts).length > 0) return true;
  if ([...checkpoints.values()].some(({ automatic }) => !automatic)) return true;
  return [...features.values()].some(({ claim_count }) => claim_count > 0);
}

function withId<T extends string>(ids: T[], id: T): T[] {
  return ids.includes(id) ? ids : [...ids, id];
}

/** A session that the operation dropped comes back with all that stood in it, but for its claims. */
function withSession(state: State, old: Session, undoing: Undoing, clashes: Change[]): State {
  const present = state.sessions.get(keyOf(old.id));
  if (present) {
    clashes.push({ entity: 'session', session: old.id, id: old.id, path: '', from: null, to: present });
    return state;
  }
  const { at } = undoing;
  const contents = contentsOf(undoing.before, old.id);
  const features = [...contents.features.entries()].map(
    ([key, feature]) => [key, asReturned(feature, 0, at)] as const,
  );
  const checkpoints = returnedCheckpoints(old.id, contents.checkpoints, undoing.written);
  return putContents(putSession(state, { ...old, updated_at: at }), old.id, {
    ...contents,
    features: Table.of(features),
    checkpoints,
  });
}

function revertSession(state: State, key: string, undoing: Undoing, clashes: Change[]): State {
  const { before, after, at } = undoing;
  const versions = { before: before.sessions.get(key)!, after: after.sessions.get(key)! };
  const [old, made] = [contentsOf(before, key), contentsOf(after, key)];
  const sessionChanged = !isSame(versions.before, versions.after);
  if (!sessionChanged && (old === made || isSameContents(old, made))) return state;
  const { id } = versions.before;
  const now = state.sessions.get(key);
  if (now?.id !== id) {
    clashes.push({ entity: 'session', session: id, id, path: '', from: versions.after, to: now ?? null });
    return state;
  }
  const session = revertFields(
    { entity: 'session', session: id, id },
    { ...versions, now },
    sessionBookkeeping,
    clashes,
  );
  const contents = contentsOf(state, id);
  const reverted = revertContents(contents, session, { before: old, after: made }, undoing, clashes);
  const ends = session.status !== now.status && session.status !== 'active';
  if (ends && !undoing.force) requireNoClaims(session, reverted.contents);
  let next = state;
  if (sessionChanged || reverted.session !== session)
    next = putSession(next, { ...reverted.session, updated_at: at });
  next = putContents(next, id, reverted.contents);
  if (clashes.length === 0)
    requireSoundReturn(next, id, { before, touched: reverted.touched, gone: reverted.gone });
  return next;
}

function isSameContents(before: Contents, after: Contents): boolean {
  return (Object.keys(before) as (keyof Contents)[]).every(
    (table) => differing(before[table] as Table<unknown>, after[table] as Table<unknown>).length === 0,
  );
}

interface Reverted {
  session: Session;
  contents: Contents;
  /** Features that came back or changed, and ids of those that went. */
  touched: Feature[];
  gone: Feature[];
}

function revertContents(
  now: Contents,
  session: Session,
  { before, after }: { before: Contents; after: Contents },
  undoing: Undoing,
  clashes: Change[],
): Reverted {
  const { id } = session;
  const about = (entity: Change['entity'], idOf: string) => ({
    subject: { entity, session: id, id: idOf },
    clashes,
  });
  const reverted: Reverted = { session, contents: now, touched: [], gone: [] };
  let { features } = now;
  for (const key of differing(before.features, after.features)) {
    const versions = {
      before: before.features.get(key),
      after: after.features.get(key),
      now: features.get(key),
    };
    const counted = new Map(Object.entries(reverted.session.claim_counts)).get(key) ?? 0;
    const feature = revertFeature(id, versions, counted, undoing, clashes);
    const gone = versions.now && feature?.id !== versions.now.id ? versions.now : undefined;
    if (gone) reverted.gone.push(gone);
    if (gone && gone.claim_count > 0) reverted.session = withCount(reverted.session, key, gone.claim_count);
    if (feature) reverted.touched.push(feature);
    features = feature ? features.with(key, feature) : features.without(key);
  }
  const checkpoints = revertTable(
    now.checkpoints,
    before.checkpoints,
    after.checkpoints,
    ({ name }) => about('checkpoint', name),
    (checkpoint) => returnedCheckpoint(id, checkpoint, undoing.written),
  );
  const artifacts = revertTable(now.artifacts, before.artifacts, after.artifacts, ({ path }) =>
    about('artifact', path),
  );
  const costs = addMirrored(
    now.costs,
    { before: before.costs, after: after.costs },
    id,
    undoing.operation,
    clashes,
  );
  const workers = revertWorkers(now.workers, before.workers, after.workers);
  reverted.contents = { features, workers, checkpoints, costs, artifacts };
  return reverted;
}

/** The counter of a feature that goes stays with the session. */
function withCount(session: Session, key: string, count: number): Session {
  const counts = new Map(Object.entries(session.claim_counts));
  counts.set(key, Math.max(count, counts.get(key) ?? 0));
  return { ...session, claim_counts: Object.fromEntries(counts) as Session['claim_counts'] };
}

/** A worker that has come back by itself, or has changed, stays: it stands in nobody's way. */
function revertWorkers(
  now: Contents['workers'],
  before: Contents['workers'],
  after: Contents['workers'],
): Contents['workers'] {
  let workers = now;
  for (const key of differing(before, after)) {
    const old = before.get(key);
    if (!isSame(now.get(key), after.get(key))) continue;
    workers = old === undefined ? workers.without(key) : workers.with(key, old);
  }
  return workers;
}
