import { GitStateError } from '../errors.ts';
import type { Checkpoint, CostSheet, Feature, Preset, Session, StoreInfo, Worker } from './entities.ts';
import { compareNatural, keyOf } from './ids.ts';
import { Table } from './table.ts';

/** The whole state as of one commit. Every change makes a new value and shares what did not change. */
export interface State {
  /** Null while nothing is initialised. */
  readonly store: StoreInfo | null;
  /** Object id of the branch's README.md. */
  readonly readme: string | null;
  readonly presets: Table<Preset>;
  readonly sessions: Table<Session>;
  /** What stands in each session; see `contentsOf`. */
  readonly contents: Table<Contents>;
}

/** Everything in one session, each table keyed by the id without case. */
export interface Contents {
  readonly features: Table<Feature>;
  readonly workers: Table<Worker>;
  readonly checkpoints: Table<Checkpoint>;
  /** Keyed `<day>/<feature>` or `<day>/<feature>~<part>`. */
  readonly costs: Table<CostSheet>;
  /** Keyed `<feature>/<step>/<file>`; the bytes stay in Git. */
  readonly artifacts: Table<ArtifactRef>;
}

export interface ArtifactRef {
  readonly path: string;
  readonly oid: string;
}

export const emptyState: State = {
  store: null,
  readme: null,
  presets: Table.of(),
  sessions: Table.of(),
  contents: Table.of(),
};

export const emptyContents: Contents = {
  features: Table.of(),
  workers: Table.of(),
  checkpoints: Table.of(),
  costs: Table.of(),
  artifacts: Table.of(),
};

/** What an operation has to know before it is applied. A state may hold less than everything, never less than this. */
export interface Reads {
  /** Sessions whose contents are needed; `all` where the operation looks at every one. */
  readonly contents: 'all' | readonly string[];
}

/** Thrown where a session's contents were not loaded: absent and unknown are never confused. */
export class NotLoaded extends Error {
  override readonly name = 'NotLoaded';
  readonly session: string;
  constructor(session: string) {
    super(`the contents of session '${session}' are not loaded`);
    this.session = session;
  }
}

export function requireStore(state: State): StoreInfo {
  if (state.store) return state.store;
  throw new GitStateError('NOT_INITIALIZED', 'this repository has no state branch yet', {
    hint: 'git state init',
  });
}

export function findSession(state: State, id: string): Session | undefined {
  const session = state.sessions.get(keyOf(id));
  return session?.id === id ? session : undefined;
}

export function requireSession(state: State, id: string): Session {
  requireStore(state);
  const session = findSession(state, id);
  if (session) return session;
  throw new GitStateError('SESSION_NOT_FOUND', `no session '${id}'`, {
    hint: 'see what there is with `git state session list --all`, or start one with `git state session start`',
  });
}

export function requireActiveSession(state: State, id: string): Session {
  const session = requireSession(state, id);
  if (session.status === 'active') return session;
  throw new GitStateError('SESSION_NOT_ACTIVE', `session '${id}' is ${session.status}`, {
    hint: `make it active again with \`git state session update --session ${id} --status active\``,
    details: { session: id, status: session.status },
  });
}

/** What stands in a session. @throws NotLoaded where the session is there and its contents were left out. */
export function contentsOf(state: State, sessionId: string): Contents {
  const contents = state.contents.get(keyOf(sessionId));
  if (contents) return contents;
  if (state.sessions.has(keyOf(sessionId))) throw new NotLoaded(sessionId);
  return emptyContents;
}

export function findFeature(state: State, sessionId: string, id: string): Feature | undefined {
  const feature = contentsOf(state, sessionId).features.get(keyOf(id));
  return feature?.id === id ? feature : undefined;
}

export function requireFeature(state: State, sessionId: string, id: string): Feature {
  const feature = findFeature(state, sessionId, id);
  if (feature) return feature;
  const twin = contentsOf(state, sessionId).features.get(keyOf(id));
  throw new GitStateError('FEATURE_NOT_FOUND', `no feature '${id}' in session '${sessionId}'`, {
    hint: twin ? `did you mean '${twin.id}'?` : 'see what there is with `git state list`',
    details: { feature: id, session: sessionId },
  });
}

/** All features of a session in the natural order of their ids. */
export function featuresInOrder(contents: Contents): Feature[] {
  return [...contents.features.values()].sort((a, b) => compareNatural(a.id, b.id));
}

export function putSession(state: State, session: Session): State {
  const key = keyOf(session.id);
  const contents = state.sessions.has(key) ? state.contents : state.contents.with(key, emptyContents);
  return { ...state, sessions: state.sessions.with(key, session), contents };
}

export function putContents(state: State, sessionId: string, change: Partial<Contents>): State {
  const contents = { ...contentsOf(state, sessionId), ...change };
  return { ...state, contents: state.contents.with(keyOf(sessionId), contents) };
}

export function putFeature(state: State, sessionId: string, feature: Feature): State {
  const { features } = contentsOf(state, sessionId);
  return putContents(state, sessionId, { features: features.with(keyOf(feature.id), feature) });
}

export function dropFeature(state: State, sessionId: string, id: string): State {
  const { features } = contentsOf(state, sessionId);
  return putContents(state, sessionId, { features: features.without(keyOf(id)) });
}

/** Remembers a worker at its first claim. */
export function putWorkerOnce(state: State, sessionId: string, worker: Worker): State {
  const { workers } = contentsOf(state, sessionId);
  if (workers.has(keyOf(worker.id))) return state;
  return putContents(state, sessionId, { workers: workers.with(keyOf(worker.id), worker) });
}

export function putCheckpoint(state: State, sessionId: string, checkpoint: Checkpoint): State {
  const { checkpoints } = contentsOf(state, sessionId);
  return putContents(state, sessionId, { checkpoints: checkpoints.with(keyOf(checkpoint.name), checkpoint) });
}

export function findCheckpoint(state: State, sessionId: string, name: string): Checkpoint | undefined {
  const checkpoint = contentsOf(state, sessionId).checkpoints.get(keyOf(name));
  return checkpoint?.name === name ? checkpoint : undefined;
}

export function requireCheckpoint(state: State, sessionId: string, name: string): Checkpoint {
  const checkpoint = findCheckpoint(state, sessionId, name);
  if (checkpoint) return checkpoint;
  throw new GitStateError('CHECKPOINT_NOT_FOUND', `no checkpoint '${name}' in session '${sessionId}'`, {
    hint: 'see what there is with `git state checkpoint list`',
  });
}
