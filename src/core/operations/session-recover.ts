import * as z from 'zod';
import { FeatureId } from '../ids.ts';
import { backToPending, endClaim } from '../rules.ts';
import { putFeature, putSession, requireFeature, requireSession, type State } from '../state.ts';
import { type OperationIn, sessionOperation } from './define.ts';
import { Takeover } from './feature-claim.ts';

/** A session is active again, and claims that are over are released: no failures, finished steps stay. */
export const SessionRecover = sessionOperation('session.recover', () => ({
  released: z.array(z.strictObject({ feature: FeatureId, ...Takeover.shape })),
}));
export type SessionRecover = OperationIn<typeof SessionRecover>;

/** @throws SESSION_NOT_FOUND, FEATURE_NOT_FOUND */
export function applySessionRecover(state: State, { session: id, args, at }: SessionRecover): State {
  const session = requireSession(state, id);
  let next = putSession(state, { ...session, status: 'active', recovered_at: at });
  for (const { feature: featureId, claim } of args.released) {
    const feature = requireFeature(state, id, featureId);
    // The claim that was judged may have ended meanwhile; then there is nothing to release.
    if (feature.claim?.id !== claim) continue;
    next = putFeature(next, id, {
      ...backToPending(endClaim(feature, 'session.recover', at)),
      updated_at: at,
    });
  }
  return next;
}

export function describeSessionRecover({ session }: SessionRecover): string {
  return `recover session ${session}`;
}
