import { ClaimId, FeatureId, WorkerId } from '../ids.ts';
import { requireRight, requireStatus } from '../rules.ts';
import { putFeature, requireFeature, requireSession, type State } from '../state.ts';
import { LeaseEnd } from '../time.ts';
import { type OperationIn, sessionOperation } from './define.ts';

/** A lease goes on. Its ref says so elsewhere; this stands in for it where a server takes no refs of ours beside the
 *  branch and the tags. */
export const FeatureRenew = sessionOperation('feature.renew', () => ({
  feature: FeatureId,
  worker: WorkerId,
  claim: ClaimId,
  lease_end: LeaseEnd,
}));
export type FeatureRenew = OperationIn<typeof FeatureRenew>;

/** @throws FEATURE_NOT_FOUND, STALE_TOKEN (the claim is no more), INVALID_TRANSITION (not in progress). */
export function applyFeatureRenew(state: State, { session, args }: FeatureRenew): State {
  requireSession(state, session);
  const feature = requireFeature(state, session, args.feature);
  requireRight(feature, { claim: args.claim });
  requireStatus(feature, ['in_progress'], 'renew');
  const claim = feature.claim!;
  if (claim.expires_at === args.lease_end) return state;
  return putFeature(state, session, { ...feature, claim: { ...claim, expires_at: args.lease_end } });
}

export function describeFeatureRenew({ args }: FeatureRenew): string {
  return `renew ${args.feature} for ${args.worker}`;
}
