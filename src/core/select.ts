import { type IsStopped, spendersIn } from './budgets.ts';
import { countIn } from './counts.ts';
import type { Checkpoint, CodeHead, Feature, Session } from './entities.ts';
import { groupPairs } from './group.ts';
import { compareCodePoints, compareNatural, keyOf } from './ids.ts';
import { type Contents, contentsOf, type State } from './state.ts';
import type { Instant } from './time.ts';

/** Everything here is derived from the state and never stored. */

export interface Blocker {
  id: string;
  /** The status of the dependency; `unknown` where there is no such feature. */
  status: string;
}

/** Whether a feature was completed, put away since or not. */
export function wasCompleted({ status, completed_at }: Feature): boolean {
  return status === 'completed' || (status === 'archived' && completed_at !== null);
}

/** The dependencies that keep a feature from being claimed. One is met once it was completed, archived or not. */
export function blockersOf(contents: Contents, feature: Feature): Blocker[] {
  const blockers: Blocker[] = [];
  for (const id of feature.dependencies) {
    const dependency = contents.features.get(keyOf(id));
    if (!dependency || !wasCompleted(dependency))
      blockers.push({ id, status: dependency?.status ?? 'unknown' });
  }
  return blockers;
}

/** Whether a feature can be claimed now.
 *  @param isStopped whether money keeps it from being claimed; see `stopsOn`. */
export function isReady(contents: Contents, feature: Feature, isStopped: IsStopped): boolean {
  return feature.status === 'pending' && blockersOf(contents, feature).length === 0 && !isStopped(feature);
}

/** Claim order: priority (`P0` first, none last), phase number (none last), id in natural order. */
export function compareClaimOrder(a: Feature, b: Feature): number {
  return (
    comparePriority(a.priority, b.priority) ||
    (a.phase ?? Number.POSITIVE_INFINITY) - (b.phase ?? Number.POSITIVE_INFINITY) ||
    compareNatural(a.id, b.id)
  );
}

function comparePriority(a: string | null, b: string | null): number {
  if (a === b) return 0;
  return priorityRank(a) - priorityRank(b) || compareCodePoints(a ?? '', b ?? '');
}

function priorityRank(priority: string | null): number {
  if (priority === null) return 11;
  return /^P\d$/.test(priority) ? Number(priority.slice(1)) : 10;
}

/** Every feature that can be claimed now, in claim order. */
export function readyFeatures(
  contents: Contents,
  isStopped: IsStopped,
  accept: (feature: Feature) => boolean = () => true,
): Feature[] {
  const ready: Feature[] = [];
  for (const feature of contents.features.values())
    if (isReady(contents, feature, isStopped) && accept(feature)) ready.push(feature);
  return ready.sort(compareClaimOrder);
}

/** The first of `readyFeatures`, without sorting all of them. */
export function firstReady(
  contents: Contents,
  isStopped: IsStopped,
  accept: (feature: Feature) => boolean = () => true,
): Feature | null {
  const { inOrder, others } = contents.features.candidates('pending');
  let first: Feature | null = null;
  for (const feature of others) {
    if (feature.status !== 'pending' || (first && compareClaimOrder(first, feature) <= 0)) continue;
    if (isReady(contents, feature, isStopped) && accept(feature)) first = feature;
  }
  for (const feature of inOrder) {
    if (first && compareClaimOrder(first, feature) <= 0) break;
    if (isReady(contents, feature, isStopped) && accept(feature)) return feature;
  }
  return first;
}

/** The keys of features that need looking at for something, by list, so that they can be kept: those that wait, in
 *  claim order; those that a worker holds; of those that wait, those that depend on others; those with scores. */
export function featureLists(features: Iterable<readonly [string, Feature]>): Record<string, string[]> {
  const pending: (readonly [string, Feature])[] = [];
  const [claimed, dependent, scored]: [string[], string[], string[]] = [[], [], []];
  for (const entry of features) {
    const [key, { status, worker_id, claim, dependencies, scored_at }] = entry;
    if (status === 'pending') pending.push(entry);
    if (status === 'pending' && dependencies.length > 0) dependent.push(key);
    if (worker_id !== null || claim !== null) claimed.push(key);
    if (scored_at !== null) scored.push(key);
  }
  // There are few priorities and phases, so that most is done when these are in order.
  const groups = groupPairs(
    pending.map((entry) => [JSON.stringify([entry[1].priority, entry[1].phase]), entry] as const),
  );
  const inOrder = [...groups.values()].sort(([a], [b]) => compareClaimOrder(a![1], b![1]));
  for (const group of inOrder) group.sort(([, a], [, b]) => compareNatural(a.id, b.id));
  return { pending: inOrder.flat().map(([key]) => key), claimed, dependent, scored };
}

/** Features among which are all that belong in a list. */
export function* candidates({ features }: Contents, list: FeatureList): Iterable<Feature> {
  const { inOrder, others } = features.candidates(list);
  yield* inOrder;
  yield* others;
}

type FeatureList = 'pending' | 'claimed' | 'dependent' | 'scored';

/** The feature whose claim a worker holds, expired or not. */
export function heldBy(contents: Contents, worker: string): Feature | null {
  for (const feature of candidates(contents, 'claimed')) if (feature.worker_id === worker) return feature;
  return null;
}

/** Features in progress with a claim, in claim order. */
export function claimedFeatures(contents: Contents): Feature[] {
  return [...candidates(contents, 'claimed')]
    .filter((feature) => feature.claim !== null)
    .sort(compareClaimOrder);
}

/** The step under way: the active or failed one; of a started feature that waits again, its first unfinished one. */
export function currentStep(feature: Feature): string | null {
  const busy = feature.steps.find((step) => step.status === 'active' || step.status === 'failed');
  if (busy) return busy.name;
  if (feature.status !== 'pending' || feature.started_at === null) return null;
  return nextStep(feature);
}

/** The first unfinished step. */
export function nextStep(feature: Feature): string | null {
  return feature.steps.find((step) => step.status !== 'completed' && step.status !== 'skipped')?.name ?? null;
}

/** Names of completed steps in the order of their completion. */
export function stepsCompleted(feature: Feature): string[] {
  return feature.steps
    .filter((step) => step.status === 'completed')
    .sort((a, b) => compareCodePoints(a.completed_at ?? '', b.completed_at ?? ''))
    .map((step) => step.name);
}

export interface Progress {
  total: number;
  pending: number;
  ready: number;
  blocked: number;
  in_progress: number;
  completed: number;
  failed: number;
  archived: number;
}

/** Ids of the features that name `id` among their dependencies, in natural order. */
export function featuresDependingOn(contents: Contents, id: string): string[] {
  const dependents: string[] = [];
  for (const feature of contents.features.values()) {
    if (feature.dependencies.some((dependency) => dependency === id)) dependents.push(feature.id);
  }
  return dependents.sort(compareNatural);
}

/** Counts by status; pending = ready + blocked. */
export function progressOf(
  contents: Contents,
  isStopped: IsStopped,
  accept?: (feature: Feature) => boolean,
): Progress {
  if (accept === undefined && isStopped.among !== undefined) return wholeProgress(contents, isStopped);
  const progress = {
    total: 0,
    pending: 0,
    ready: 0,
    blocked: 0,
    in_progress: 0,
    completed: 0,
    failed: 0,
    archived: 0,
  };
  for (const feature of contents.features.values()) {
    if (accept && !accept(feature)) continue;
    progress.total += 1;
    progress[feature.status] += 1;
    if (feature.status === 'pending')
      progress[isReady(contents, feature, isStopped) ? 'ready' : 'blocked'] += 1;
  }
  return progress;
}

/** Of all features, from what is kept with them. */
function wholeProgress(contents: Contents, isStopped: IsStopped): Progress {
  const count = countIn(contents);
  const pending = count('status pending');
  const blocked = isStopped.among === 'all' ? pending : blockedBy(contents, isStopped).size;
  return {
    total: contents.features.size,
    pending,
    ready: pending - blocked,
    blocked,
    in_progress: count('status in_progress'),
    completed: count('status completed'),
    failed: count('status failed'),
    archived: count('status archived'),
  };
}

/** Ids of features that wait for others or for money. */
function blockedBy(contents: Contents, isStopped: IsStopped): Set<string> {
  const ids = new Set(blockedFeatures(contents).map(({ id }) => id));
  if (isStopped.among === 'none') return ids;
  for (const feature of spendersIn(contents)) {
    if (feature.status === 'pending' && isStopped(feature)) ids.add(feature.id);
  }
  return ids;
}

export function isAllComplete({ completed, archived, total }: Progress): boolean {
  return completed + archived === total;
}

/** What is not finished and waits for something, and for what. */
export function blockedFeatures(contents: Contents): { id: string; blocked_by: Blocker[] }[] {
  const blocked: { id: string; blocked_by: Blocker[] }[] = [];
  for (const feature of candidates(contents, 'dependent')) {
    if (feature.status !== 'pending') continue;
    const blocked_by = blockersOf(contents, feature);
    if (blocked_by.length > 0) blocked.push({ id: feature.id, blocked_by });
  }
  return blocked.sort((a, b) => compareNatural(a.id, b.id));
}

/** When anything in the session changed last. */
export function updatedAt(session: Session, contents: Contents): Instant {
  let newest = session.updated_at;
  for (const feature of contents.features.values())
    if (feature.updated_at > newest) newest = feature.updated_at;
  return newest;
}

export interface WorkerSummary {
  id: string;
  status: 'idle' | 'busy';
  current_feature: string | null;
  expires_at: string | null;
  completed: number;
  failed: number;
}

/** Every worker that ever claimed something, idle ones too, in natural order. */
export function workersOf(contents: Contents): WorkerSummary[] {
  const rows = new Map<string, WorkerSummary>();
  const count = countIn(contents);
  for (const { id } of contents.workers.values()) {
    const key = keyOf(id);
    const [completed, failed] = [count(`completed by ${key}`), count(`failed by ${key}`)];
    rows.set(key, { id, status: 'idle', current_feature: null, expires_at: null, completed, failed });
  }
  for (const { id, worker_id, claim } of candidates(contents, 'claimed')) {
    const holder = worker_id && rows.get(keyOf(worker_id));
    if (!holder) continue;
    Object.assign(holder, { status: 'busy', current_feature: id, expires_at: claim?.expires_at });
  }
  return [...rows.values()].sort((a, b) => compareNatural(a.id, b.id));
}

/** The only active session, for commands that name none. */
export function activeSessions(state: State): Session[] {
  return sessionsInOrder(state).filter((session) => session.status === 'active');
}

/** Sessions in the order of their start. */
export function sessionsInOrder(state: State): Session[] {
  return [...state.sessions.values()].sort(
    (a, b) => compareCodePoints(a.started_at, b.started_at) || compareNatural(a.id, b.id),
  );
}

export function contentsBySession(state: State): { session: Session; contents: Contents }[] {
  return sessionsInOrder(state).map((session) => ({ session, contents: contentsOf(state, session.id) }));
}

/** The checkpoints that know of a feature, oldest first: its own, and those that keep the head of its code. */
export function checkpointsOf({ checkpoints }: Contents, { id }: Feature): Checkpoint[] {
  return [...checkpoints.values()]
    .filter(({ feature, heads }) => feature === id || Object.hasOwn(heads, id))
    .sort((a, b) => compareCodePoints(a.created_at, b.created_at) || compareNatural(a.name, b.name));
}

/** Where the code of a feature stood: as `checkpoint` has it, else as the newest one that has. */
export function recordedHead(
  contents: Contents,
  feature: Feature,
  checkpoint: Checkpoint | null = null,
): CodeHead | null {
  const known = checkpoint ? [checkpoint] : checkpointsOf(contents, feature);
  const heads = known.map((one) => new Map(Object.entries(one.heads)).get(feature.id));
  return heads.findLast((head) => head !== undefined) ?? null;
}
