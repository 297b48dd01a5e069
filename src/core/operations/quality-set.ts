import { FeatureId, WorkerId } from '../ids.ts';
import { PlainNumber, recordOf, Text } from '../json.ts';
import { putFeature, requireFeature, requireSession, type State } from '../state.ts';
import { type OperationIn, sessionOperation } from './define.ts';

/** Scores of a feature's quality, by name, on any scale; a fact that needs no claim. */
export const QualitySet = sessionOperation('quality.set', () => ({
  feature: FeatureId,
  scores: recordOf(Text, PlainNumber),
  worker: WorkerId.optional(),
}));
export type QualitySet = OperationIn<typeof QualitySet>;

/** @throws FEATURE_NOT_FOUND */
export function applyQualitySet(state: State, { session, args, at }: QualitySet): State {
  requireSession(state, session);
  const feature = requireFeature(state, session, args.feature);
  const merged = new Map([...Object.entries(feature.quality_scores), ...Object.entries(args.scores)]);
  const quality_scores = Object.fromEntries([...merged].sort(([a], [b]) => (a < b ? -1 : 1)));
  return putFeature(state, session, { ...feature, quality_scores, scored_at: at, updated_at: at });
}

export function describeQualitySet({ args }: QualitySet): string {
  return `score ${args.feature}`;
}
