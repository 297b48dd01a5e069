import { GitStateError } from '../../errors.ts';
import { withRemovedCost } from '../costs.ts';
import { FeatureId, keyOf } from '../ids.ts';
import { requireRight } from '../rules.ts';
import { featuresDependingOn } from '../select.ts';
import {
  contentsOf,
  dropFeature,
  putSession,
  requireActiveSession,
  requireFeature,
  type State,
} from '../state.ts';
import { type OperationIn, right, sessionOperation } from './define.ts';

/** A feature leaves the session; what it had cost stays in the totals of the session and of its days. */
export const FeatureRemove = sessionOperation('feature.remove', () => ({ feature: FeatureId, ...right }));
export type FeatureRemove = OperationIn<typeof FeatureRemove>;

/** @throws FEATURE_NOT_FOUND, HAS_DEPENDENTS, NOT_HOLDER, STALE_TOKEN, SESSION_NOT_ACTIVE. */
export function applyFeatureRemove(state: State, { session: sessionId, args, at }: FeatureRemove): State {
  const session = requireActiveSession(state, sessionId);
  const feature = requireFeature(state, sessionId, args.feature);
  requireRight(feature, args);
  const contents = contentsOf(state, sessionId);
  const dependents = featuresDependingOn(contents, feature.id);
  if (dependents.length > 0) {
    throw new GitStateError(
      'HAS_DEPENDENTS',
      `feature '${feature.id}' is needed by ${dependents.join(', ')}`,
      {
        hint: `change what they need first: \`git state update ${dependents[0]} --needs ...\``,
        details: { feature: feature.id, dependents },
      },
    );
  }
  const counts = new Map(Object.entries(session.claim_counts));
  if (feature.claim_count > 0) counts.set(keyOf(feature.id), feature.claim_count);
  const counted = putSession(state, {
    ...withRemovedCost(session, contents, [feature.id], 1),
    claim_counts: Object.fromEntries(counts),
    updated_at: at,
  });
  return dropFeature(counted, sessionId, feature.id);
}

export function describeFeatureRemove({ args }: FeatureRemove): string {
  return `remove ${args.feature}`;
}
