import type { z } from 'zod';
import { FeatureId } from '../ids.ts';
import { backToPending, endClaim, requireRight, requireStatus } from '../rules.ts';
import { putFeature, requireFeature, requireSession, type State } from '../state.ts';
import { right, sessionOperation } from './define.ts';

/** A claim is given back; finished steps stay, and it counts as no failure. */
export const FeatureRelease = sessionOperation('feature.release', { feature: FeatureId, ...right });
export type FeatureRelease = z.infer<typeof FeatureRelease>;

/** @throws FEATURE_NOT_FOUND, NOT_HOLDER, STALE_TOKEN, INVALID_TRANSITION (not in progress). */
export function applyFeatureRelease(state: State, { session, args, at }: FeatureRelease): State {
  requireSession(state, session);
  const feature = requireFeature(state, session, args.feature);
  requireRight(feature, args);
  requireStatus(feature, ['in_progress'], 'release');
  const released = backToPending(endClaim(feature, 'feature.release', at));
  return putFeature(state, session, { ...released, updated_at: at });
}

export function describeFeatureRelease({ args }: FeatureRelease): string {
  return args.worker ? `release ${args.feature} by ${args.worker}` : `release ${args.feature}`;
}
