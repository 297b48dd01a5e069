import { type IsStopped, stopsOn } from '../../core/budgets.ts';
import { type Change, diffFollowing } from '../../core/diff.ts';
import type { Feature, Session } from '../../core/entities.ts';
import { sessionByPrefix } from '../../core/prefix.ts';
import { type Contents, contentsOf, requireFeature, requireSession, type State } from '../../core/state.ts';
import { type Instant, instantOf } from '../../core/time.ts';
import { type FeatureView, featureView, type Renewals } from '../../core/views.ts';
import { isGitStateError } from '../../errors.ts';
import type { ClaimFile } from '../claim-file.ts';
import { contactedAt } from '../contact.ts';
import type { Engine } from '../engine.ts';
import type { Durability, Landed, Proposal } from '../proposal.ts';
import { readableSessionOf } from '../proposals/scope.ts';
import type { Remote } from '../remote.ts';
import type { RemotePublisher } from '../remote-publisher.ts';
import type { Snapshot } from '../snapshot.ts';
import type { Transactor } from '../transact.ts';

/** What every call of the library may say. Each overrides what the store was opened with. */
export interface CallOptions {
  session?: string;
  worker?: string;
  /** Proves the right to write to a claimed feature. */
  token?: string;
  /** Overrides the claim of somebody else, and is recorded as such. */
  force?: boolean;
  /** Id of the operation: repeated, it gives the first result again and changes nothing. */
  opId?: string;
}

/** A call that only reads may ask for an earlier point of the history. */
export interface ReadOptions {
  session?: string;
  /** Checkpoint, commit, date or age. */
  at?: string;
}

export interface Written {
  /** The commit of the operation; null where nothing had to change. */
  commit: string | null;
  changed: boolean;
  durability: Durability;
}

export interface Defaults {
  session?: string | undefined;
  worker?: string | undefined;
  token?: string | undefined;
  feature?: string | undefined;
  /** The claim of the worktree in which the store was opened. */
  claimFile: ClaimFile | null;
}

/** An open store, as the groups of methods share it. */
export interface Context {
  readonly engine: Engine;
  /** Where the store was opened: paths that callers give are relative to it. */
  readonly cwd: string;
  readonly transactor: Transactor;
  /** The remote by which operations count; null where this repository decides. */
  readonly remote: Remote | null;
  readonly publisher: RemotePublisher | null;
  /** Whether the remote is left out on purpose. */
  readonly offline: boolean;
  /** Name for a worker that gives none. */
  readonly derivedWorker: string;
  readonly defaults: Defaults;
  readonly warn: (message: string) => void;
  /** What is odd about the surroundings. */
  readonly warnings: () => string[];
}

type Scoped = CallOptions & { feature?: string | undefined };

/** The request with what was left out filled in: from the store's options, then from the worktree's claim file. */
export function scoped<T extends Scoped>({ defaults }: Context, options: T): T & Scoped {
  const { claimFile } = defaults;
  const session = options.session ?? defaults.session ?? claimFile?.session;
  const worker = options.worker ?? defaults.worker;
  const feature = options.feature ?? defaults.feature ?? claimFile?.feature;
  return {
    ...options,
    session,
    worker,
    feature,
    token: tokenFor({ ...options, worker, feature, session }, defaults),
  };
}

/** A token serves the feature it was given for. That of the claim file says nothing about other features. */
function tokenFor(options: Scoped, { token, claimFile }: Defaults): string | undefined {
  const given = options.token ?? token;
  if (given !== undefined || claimFile === null) return given;
  const same = (value: string | undefined, own: string) => value === undefined || value === own;
  const own = same(options.feature, claimFile.feature) && same(options.session, claimFile.session);
  return own && same(options.worker, claimFile.worker) ? claimFile.token : undefined;
}

/** Submits a mutation of the options that its schema knows. */
export async function submit<R>(
  { engine, transactor, warn }: Context,
  proposal: Proposal<R>,
  { opId, ...request }: Record<string, unknown> & { opId?: string | undefined },
): Promise<Landed> {
  const given = Object.fromEntries(Object.entries(request).filter(([, value]) => value !== undefined));
  const landed = await transactor.submit(proposal, given, { operationId: opId });
  const warning = engine.clockWarning();
  if (warning !== null) warn(warning);
  return landed;
}

export function writtenOf({ commit, repeated, durability }: Landed): Written {
  return { commit, changed: commit !== null && !repeated, durability };
}

/** What a mutation changed, by meaning. */
export async function changesOf({ engine }: Context, { commit, before, state }: Landed): Promise<Change[]> {
  if (commit === null) return [];
  if (before) return diffFollowing(before, state);
  const parent = (await engine.reader.info(`${commit}^`))?.oid;
  return parent === undefined ? [] : diffFollowing((await engine.past(parent)).state, state);
}

/** The session and feature that a mutation was about, as they stand after it. */
export function subjectOf(landed: Landed): { session: string; feature: string } {
  const { session, feature } = landed.operation
    ? { session: landed.operation.session, feature: (landed.operation.args as { feature?: string }).feature }
    : (landed.decision as { session: string | null; feature?: string });
  if (session === null || feature === undefined) throw new TypeError('the operation is about no feature');
  return { session, feature };
}

/** The answer of a command that changes one feature. */
export async function featureAnswer(context: Context, landed: Landed): Promise<FeatureView & Written> {
  const { session, feature } = subjectOf(landed);
  const entity = requireFeature(landed.state, session, feature);
  const contents = contentsOf(landed.state, session);
  const renewals = await renewalsAfter(context, landed, session, entity);
  const isStopped = stopsOn(requireSession(landed.state, session), contents, nowOf(context));
  return { ...featureView(contents, entity, isStopped, renewals), ...writtenOf(landed) };
}

/** Lease end of a feature right after an operation on it: what that has just set need not be read. */
export async function renewalsAfter(
  context: Context,
  { operation, decision, repeated }: Landed,
  session: string,
  feature: Feature,
): Promise<Renewals> {
  if (repeated) return renewalsOf(context, session, [feature]);
  if (decision.renewal) return new Map([[feature.id, decision.renewal.to.expires_at]]);
  return operation?.type === 'feature.claim' ? new Map() : renewalsOf(context, session, [feature]);
}

/** Lease ends as renewed, of those features that are claimed. */
export async function renewalsOf(
  { engine }: Context,
  session: string,
  features: Iterable<Feature>,
): Promise<Renewals> {
  const claimed = [...features].filter((feature) => feature.claim !== null);
  const leases = await Promise.all(claimed.map((feature) => engine.shownLease(session, feature)));
  const ends = claimed.map((feature, index) => [feature.id, leases[index]?.expires_at] as const);
  return new Map(
    ends.filter((end): end is [Feature['id'], NonNullable<(typeof end)[1]>] => end[1] !== undefined),
  );
}

/** A session as of the tip, or as of an earlier point. */
export interface Reading {
  snapshot: Snapshot;
  state: State;
  session: Session;
  contents: Contents;
  /** Whether this is the present, where leases count. */
  present: boolean;
  /** The moment that is shown. */
  at: Instant;
  /** Whether money keeps a feature from being claimed then. */
  isStopped: IsStopped;
}

/** Reads the session that is meant, with its contents. The beginning of its id will do, unless something is written
 *  after it: then it is `whole`. */
export async function readSession(
  context: Context,
  options: ReadOptions,
  { whole = false }: { whole?: boolean } = {},
): Promise<Reading> {
  const { transactor } = context;
  const id = scoped(context, { session: options.session }).session;
  const at = await pastSnapshot(context, options);
  return transactor.ask((snapshot) => {
    const named = id === undefined || whole ? id : sessionByPrefix(snapshot.state, id);
    const session = readableSessionOf(snapshot.state, named);
    const contents = contentsOf(snapshot.state, session.id);
    const present = at === undefined;
    const moment = present ? nowOf(context) : instantOf(snapshot.at * 1000);
    const isStopped = stopsOn(session, contents, moment);
    return { snapshot, state: snapshot.state, session, contents, present, at: moment, isStopped };
  }, at);
}

/** Looks at the remote, if there is one and it was not heard for so long; one that does not answer is left alone. */
export async function freshen({ engine, remote, transactor }: Context, maxAgeMs: number): Promise<void> {
  if (remote === null) return;
  const heard = contactedAt(engine, remote.name);
  if (heard !== null && engine.env.now() - Date.parse(heard) < maxAgeMs) return;
  await transactor.refresh().catch((error: unknown) => {
    if (!isGitStateError(error)) throw error;
  });
}

export function nowOf({ engine }: Context): Instant {
  return instantOf(engine.env.now());
}

/** The snapshot at `options.at`; undefined for the present. */
export async function pastSnapshot(context: Context, options: ReadOptions): Promise<Snapshot | undefined> {
  if (options.at === undefined) return undefined;
  const { engine, transactor } = context;
  const now = await transactor.read('all');
  const point = await engine.point(now, options.at, namedSession(context, now, options.session));
  return engine.past(point.commit);
}

/** The session whose checkpoints a point may name: the one given, else the one that is meant by default, if any. */
export function namedSession(
  context: Context,
  { state }: Snapshot,
  given: string | undefined,
): string | null {
  const id = scoped(context, { session: given }).session;
  if (id !== undefined) return id;
  try {
    return readableSessionOf(state, undefined).id;
  } catch {
    return null;
  }
}
