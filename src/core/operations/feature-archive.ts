import { FeatureId } from '../ids.ts';
import { endClaim, requireRight, requireStatus, stopSteps } from '../rules.ts';
import { putFeature, requireFeature, requireSession, type State } from '../state.ts';
import { type OperationIn, right, sessionOperation } from './define.ts';

/** A feature is put away. One that was completed still satisfies those that need it. */
export const FeatureArchive = sessionOperation('feature.archive', () => ({ feature: FeatureId, ...right }));
export type FeatureArchive = OperationIn<typeof FeatureArchive>;

/** @throws FEATURE_NOT_FOUND, NOT_HOLDER, STALE_TOKEN, INVALID_TRANSITION (archived already). */
export function applyFeatureArchive(state: State, { session, args, at }: FeatureArchive): State {
  requireSession(state, session);
  const feature = requireFeature(state, session, args.feature);
  requireRight(feature, args);
  requireStatus(feature, ['pending', 'in_progress', 'completed', 'failed'], 'archive');
  const ended = stopSteps(endClaim(feature, 'feature.archive', at));
  return putFeature(state, session, { ...ended, status: 'archived', archived_at: at, updated_at: at });
}

export function describeFeatureArchive({ args }: FeatureArchive): string {
  return `archive ${args.feature}`;
}
