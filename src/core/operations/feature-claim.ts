import * as z from 'zod';
import { GitStateError } from '../../errors.ts';
import { requireBudget } from '../budgets.ts';
import { type Claim, Holder } from '../entities.ts';
import { ClaimId, FeatureId, keyOf, Oid, WorkerId } from '../ids.ts';
import { Text } from '../json.ts';
import {
  endClaim,
  holderDetails,
  requireDependenciesMet,
  requireStatus,
  requireWorkerFree,
  startNextStepAnew,
} from '../rules.ts';
import {
  type Contents,
  contentsOf,
  putFeature,
  putWorkerOnce,
  requireActiveSession,
  requireFeature,
  type State,
} from '../state.ts';
import { LeaseEnd } from '../time.ts';
import { type OperationIn, sessionOperation } from './define.ts';

/** What a takeover judged: leases lie outside the state, so the evidence travels with the operation. */
export const Takeover = z.strictObject({
  reason: z.enum(['expired', 'dead', 'forced']),
  worker: WorkerId,
  claim: ClaimId,
  lease: Oid.nullable(),
  lease_end: LeaseEnd,
  /** Clock of the taker. */
  now: LeaseEnd,
});

/** A worker takes a feature whose dependencies are all completed; or takes it over from a claim that is no more. */
export const FeatureClaim = sessionOperation('feature.claim', () => ({
  feature: FeatureId,
  worker: WorkerId,
  claim: ClaimId,
  lease_end: LeaseEnd,
  holder: Holder,
  runner: z.literal(true).optional(),
  takeover: Takeover.optional(),
  branch: Text.optional(),
  worktree: Text.optional(),
}));
export type FeatureClaim = OperationIn<typeof FeatureClaim>;

/** Returns `state` with the feature in progress under the worker and its first unfinished step under way.
 *  @throws FEATURE_NOT_FOUND, SESSION_NOT_ACTIVE, ALREADY_CLAIMED (a live claim), INVALID_TRANSITION (finished),
 *  DEPENDENCIES_UNMET, BUDGET_EXCEEDED, WORKER_BUSY, ALREADY_EXISTS (a worker whose name differs by case alone). */
export function applyFeatureClaim(state: State, { session, args, at }: FeatureClaim): State {
  const rules = requireActiveSession(state, session);
  const feature = requireFeature(state, session, args.feature);
  const contents = contentsOf(state, session);
  requireStatus(feature, ['pending', 'in_progress'], 'claim', 'see what is free with `git state ready`');
  const present = feature.claim;
  if (present && args.takeover?.claim !== present.id) {
    throw new GitStateError(
      'ALREADY_CLAIMED',
      `feature '${feature.id}' is claimed by '${feature.worker_id}'`,
      {
        hint: 'take another one: `git state claim` without an id gives the next that is ready',
        details: holderDetails(feature),
      },
    );
  }
  requireSameLetters(contents, args.worker);
  requireWorkerFree(contents, args.worker, feature.id);
  if (feature.status === 'pending') requireDependenciesMet(contents, feature);
  requireBudget(rules, contents, feature, at);
  const claim: Claim = {
    id: args.claim,
    expires_at: args.lease_end,
    ...args.holder,
    runner: args.runner ?? false,
  };
  const started = startNextStepAnew(endClaim(feature, 'feature.claim', at), at);
  const withWorker = putWorkerOnce(state, session, { id: args.worker, first_seen_at: at, data: {} });
  return putFeature(withWorker, session, {
    ...started,
    status: 'in_progress',
    worker_id: args.worker,
    claim,
    claim_count: feature.claim_count + 1,
    branch: args.branch ?? feature.branch,
    worktree: args.worktree ?? feature.worktree,
    error: null,
    started_at: feature.started_at ?? at,
    updated_at: at,
  });
}

/** @throws ALREADY_EXISTS where a worker of this name is known in other letters. */
function requireSameLetters({ workers }: Contents, worker: WorkerId): void {
  const known = workers.get(keyOf(worker));
  if (!known || known.id === worker) return;
  throw new GitStateError('ALREADY_EXISTS', `worker '${worker}' is known as '${known.id}'`, {
    hint: `give the name as it is: --worker ${known.id}`,
    details: { worker: known.id },
  });
}

export function describeFeatureClaim({ args }: FeatureClaim): string {
  const over = args.takeover ? `, taken over from ${args.takeover.worker}` : '';
  return `claim ${args.feature} for ${args.worker}${over}`;
}
