import * as z from 'zod';
import { GitStateError } from '../../errors.ts';
import type { Feature } from '../entities.ts';
import { FeatureId } from '../ids.ts';
import { backToPending, endClaim, holderDetails, requireRight, requireStatus } from '../rules.ts';
import { putFeature, requireFeature, requireSession, type State } from '../state.ts';
import { millisecondsOf } from '../time.ts';
import { type OperationIn, right, sessionOperation } from './define.ts';
import { Takeover } from './feature-claim.ts';

/** How somebody else's claim was found to be over. Nothing forces this: a live claim is for its holder to give back. */
const Over = Takeover.extend({ reason: z.enum(['expired', 'dead']) });

/** A claim is given back; finished steps stay, and it counts as no failure. */
export const FeatureRelease = sessionOperation('feature.release', () => ({
  feature: FeatureId,
  ...right,
  over: Over.optional(),
}));
export type FeatureRelease = OperationIn<typeof FeatureRelease>;

/** @throws FEATURE_NOT_FOUND, NOT_HOLDER, STALE_TOKEN, INVALID_TRANSITION (not in progress), ALREADY_CLAIMED (the
 *  claim is not the one that is over, or its lease is not). */
export function applyFeatureRelease(state: State, { session, args, at }: FeatureRelease): State {
  requireSession(state, session);
  const feature = requireFeature(state, session, args.feature);
  if (!args.over) requireRight(feature, args);
  requireStatus(feature, ['in_progress'], 'release');
  if (args.over) requireOver(feature, args.over);
  const released = backToPending(endClaim(feature, 'feature.release', at));
  return putFeature(state, session, { ...released, updated_at: at });
}

function requireOver(feature: Feature, { claim, reason, lease_end, now }: z.infer<typeof Over>): void {
  const ended = reason === 'dead' || millisecondsOf(now) > millisecondsOf(lease_end);
  if (ended && feature.claim?.id === claim) return;
  throw new GitStateError('ALREADY_CLAIMED', `the claim of feature '${feature.id}' is not over`, {
    hint: 'see who holds it with `git state show`',
    details: holderDetails(feature),
  });
}

export function describeFeatureRelease({ args }: FeatureRelease): string {
  if (args.over) return `release ${args.feature}, left by ${args.over.worker}`;
  return args.worker ? `release ${args.feature} by ${args.worker}` : `release ${args.feature}`;
}
