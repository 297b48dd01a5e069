import * as z from 'zod';
import { GitStateError } from '../../errors.ts';
import type { Feature, Session, Step } from '../entities.ts';
import { FeatureId } from '../ids.ts';
import { Text } from '../json.ts';
import { endClaim, isStepFinished, requireRight, requireStatus } from '../rules.ts';
import { putFeature, requireFeature, requireSession, type State } from '../state.ts';
import { type OperationIn, right, sessionOperation } from './define.ts';

/** A feature is done. */
export const FeatureComplete = sessionOperation('feature.complete', () => ({
  feature: FeatureId,
  summary: Text.optional(),
  skip_remaining: z.literal(true).optional(),
  ...right,
}));
export type FeatureComplete = OperationIn<typeof FeatureComplete>;

/** @throws FEATURE_NOT_FOUND, NOT_HOLDER, STALE_TOKEN, INVALID_TRANSITION (not in progress), STEPS_REMAIN,
 *  QUALITY_UNMET (scores below the session's least ones, or missing). */
export function applyFeatureComplete(state: State, { session, args, at }: FeatureComplete): State {
  const rules = requireSession(state, session);
  const feature = requireFeature(state, session, args.feature);
  requireRight(feature, args);
  requireStatus(
    feature,
    ['in_progress'],
    'complete',
    'one that nobody has begun is begun by `git state claim` or `git state step start`',
  );
  const remaining = feature.steps.filter((step) => !isStepFinished(step)).map((step) => step.name);
  if (remaining.length > 0 && !args.skip_remaining) {
    throw new GitStateError(
      'STEPS_REMAIN',
      `feature '${feature.id}' has unfinished steps: ${remaining.join(', ')}`,
      {
        hint: 'finish them with `git state step done STEP`, or repeat with --skip-remaining',
        details: { feature: feature.id, steps: remaining },
      },
    );
  }
  if (!args.force) requireQuality(rules, feature);
  return putFeature(state, session, {
    ...endClaim(feature, 'feature.complete', at),
    status: 'completed',
    steps: feature.steps.map((step) => (isStepFinished(step) ? step : skipped(step))),
    summary: args.summary ?? feature.summary,
    error: null,
    completed_at: at,
    completed_by: feature.worker_id,
    failed_by: null,
    updated_at: at,
  });
}

/** @throws QUALITY_UNMET that names each score that is missing or too low. */
function requireQuality({ quality_min }: Session, feature: Feature): void {
  const scores = new Map(Object.entries(feature.quality_scores));
  const unmet = Object.entries(quality_min)
    .map(([name, least]) => ({ name, least, score: scores.get(name) ?? null }))
    .filter(({ score, least }) => score === null || score < least);
  if (unmet.length === 0) return;
  const names = unmet
    .map(({ name, score, least }) => `${name} ${score ?? 'missing'}, at least ${least}`)
    .join('; ');
  throw new GitStateError('QUALITY_UNMET', `feature '${feature.id}' is not good enough: ${names}`, {
    hint: `record its scores with \`git state quality ${feature.id} NAME=SCORE\`, or repeat with --force`,
    details: { feature: feature.id, unmet },
  });
}

function skipped(step: Step): Step {
  return { ...step, status: 'skipped', completed_at: null, error: null };
}

export function describeFeatureComplete({ args }: FeatureComplete): string {
  return `complete ${args.feature}`;
}
