import { GitStateError } from '../errors.ts';
import { type Change, entityChanges } from './diff.ts';
import type { Feature } from './entities.ts';
import { keyOf } from './ids.ts';
import { equalJson } from './json.ts';
import { revertFields } from './revert.ts';
import {
  backToPending,
  endClaim,
  invalidTransition,
  type Right,
  requireRight,
  requireSoundDependencies,
  stopSteps,
} from './rules.ts';
import { contentsOf, findFeature, type State } from './state.ts';
import type { Instant } from './time.ts';

/** Fields that no undo takes back: when, who holds it, how often it was held. */
export const featureBookkeeping = new Set(['updated_at', 'claim', 'worker_id', 'claim_count', 'ended_claim']);

const claimedFields = new Set([...featureBookkeeping, 'branch', 'worktree']);

interface Versions {
  before: Feature | undefined;
  after: Feature | undefined;
  now: Feature | undefined;
}

/** The feature as it is once the operation is undone; undefined where it is gone then.
 *  @param counted claims made on its id while it was away. */
export function revertFeature(
  session: string,
  { before, after, now }: Versions,
  counted: number,
  undoing: Right & { at: Instant; op: string },
  clashes: Change[],
): Feature | undefined {
  const { id } = (now ?? after ?? before)!;
  const clash = (path: string, from: unknown, to: unknown) =>
    void clashes.push({ entity: 'feature', session, id, path, from: from ?? null, to: to ?? null });
  // An id in other letters is another feature: one goes, the other comes back.
  const isOne = before !== undefined && before.id === after?.id;
  if (isOne && !now && entityChanges({ entity: 'feature', session, id }, before, after!).every(isBookkeeping))
    return now;
  if (isOne && now?.id === before.id) return revertPresent(session, { before, after, now }, undoing, clashes);
  if (after === undefined ? now !== undefined : now?.id !== after.id) {
    clash('', after, now);
    return now;
  }
  if (after && now) {
    const since = entityChanges({ entity: 'feature', session, id }, after, now);
    clashes.push(...since.filter(isTellingOfFeature));
    requireRightTo(now, undoing);
  }
  return before && asReturned(before, counted, undoing.at);
}

function isBookkeeping(change: Change): boolean {
  return !isTellingOfFeature(change);
}

/** Whether a change of a feature says more than when, and how often it was claimed. */
export function isTellingOfFeature({ path }: Change): boolean {
  const top = path.split('/')[1] ?? '';
  return top === 'claim' || !featureBookkeeping.has(top);
}

/** A feature that stands again after it was gone: under no claim, and its counter goes on. */
export function asReturned(feature: Feature, counted: number, at: Instant): Feature {
  const waiting = feature.claim === null ? feature : backToPending(endClaim(feature, 'state.undo', at));
  return { ...waiting, claim_count: Math.max(feature.claim_count, counted), updated_at: at };
}

function revertPresent(
  session: string,
  versions: { before: Feature; after: Feature; now: Feature },
  undoing: Right & { at: Instant; op: string },
  clashes: Change[],
): Feature {
  const { before, after, now } = versions;
  const { at } = undoing;
  const claimMoved = before.claim?.id !== after.claim?.id;
  if (claimMoved && before.claim && after.claim) {
    const message = `cannot undo the takeover of feature '${now.id}': the claim before it never comes back`;
    throw invalidTransition(
      message,
      'feature.claim',
      [],
      `give it back with \`git state release ${now.id}\``,
    );
  }
  const subject = { entity: 'feature' as const, session, id: now.id };
  // The branch and the worktree that a claim made are still there, and can only be found by their names.
  const ignored = claimMoved && after.claim ? claimedFields : featureBookkeeping;
  const reverted = revertFields(subject, versions, ignored, clashes);
  if (claimMoved && now.claim?.id !== after.claim?.id)
    clashes.push({ ...subject, path: '/claim', from: after.claim, to: now.claim });
  const moved = claimMoved || !equalJson(reverted, now);
  if (moved) requireRightTo(now, undoing);
  const ends = now.claim !== null && (claimMoved || reverted.status !== 'in_progress');
  const ended = ends ? endClaim(reverted, 'state.undo', at) : reverted;
  const waits = claimMoved && before.claim !== null && ended.status === 'in_progress';
  const settled = waits ? backToPending(ended) : ended.status === 'in_progress' ? ended : stopSteps(ended);
  return { ...settled, updated_at: at };
}

/** Facts need no claim, and so neither does taking them back. */
const facts = new Set(['quality.set', 'checkpoint.create', 'checkpoint.delete']);

/** @throws NOT_HOLDER, STALE_TOKEN where somebody holds the feature and the caller does not. */
function requireRightTo(feature: Feature, undoing: Right & { op: string }): void {
  if (feature.claim !== null && !facts.has(undoing.op)) requireRight(feature, undoing);
}

/** What comes back may need what has gone since, and what goes may be needed by what has come since. What was unsound
 *  in `before` already is no fault of the undo.
 *  @throws HAS_DEPENDENTS, CONFLICT */
export function requireSoundReturn(
  state: State,
  session: string,
  { before, touched, gone }: { before: State; touched: readonly Feature[]; gone: readonly Feature[] },
): void {
  requireNotNeeded(state, session, before, gone);
  // All at once first: a plan of 100,000 features is one look.
  if (faultOf(state, session, touched) === null) return;
  for (const feature of touched) {
    const fault = faultOf(state, session, [feature]);
    const old = contentsOf(before, session).features.get(keyOf(feature.id));
    const isBack = old !== undefined && equalJson(old.dependencies, feature.dependencies);
    if (fault === null || !isBack || faultOf(before, session, [old]) !== null) continue;
    const { message, hint, details } = fault;
    throw new GitStateError('CONFLICT', `cannot undo it: ${message}`, { hint: hint!, details });
  }
}

function requireNotNeeded(state: State, session: string, before: State, gone: readonly Feature[]): void {
  const ids = new Set<string>(gone.map(({ id }) => id).filter((id) => !findFeature(state, session, id)));
  if (ids.size === 0) return;
  for (const { id, dependencies } of contentsOf(state, session).features.values()) {
    const lost = dependencies.find((one) => ids.has(one));
    if (lost === undefined) continue;
    if (findFeature(before, session, id)?.dependencies.includes(lost)) continue;
    throw new GitStateError('HAS_DEPENDENTS', `feature '${lost}' is needed by ${id}`, {
      hint: `change what it needs first: \`git state update ${id} --needs ...\``,
      details: { feature: lost, dependents: [id] },
    });
  }
}

function faultOf(state: State, session: string, features: readonly Feature[]): GitStateError | null {
  try {
    requireSoundDependencies(
      state,
      session,
      features.map(({ id }) => id),
    );
    return null;
  } catch (error) {
    if (error instanceof GitStateError && error.code === 'INVALID_INPUT') return error;
    throw error;
  }
}
