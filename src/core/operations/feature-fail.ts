import * as z from 'zod';
import type { Feature } from '../entities.ts';
import { FeatureId } from '../ids.ts';
import { Text } from '../json.ts';
import { backToPending, endClaim, requireRight, requireStatus } from '../rules.ts';
import { putFeature, requireFeature, requireSession, type State } from '../state.ts';
import { type OperationIn, right, sessionOperation } from './define.ts';

/** An attempt failed. It counts, and up to the session's `max_retries` the feature waits for the next attempt. */
export const FeatureFail = sessionOperation('feature.fail', () => ({
  feature: FeatureId,
  error: Text,
  no_retry: z.literal(true).optional(),
  /** A lower limit than the session's, for this run of the runner. */
  max_retries: z.int().min(0).optional(),
  ...right,
}));
export type FeatureFail = OperationIn<typeof FeatureFail>;

/** @throws FEATURE_NOT_FOUND, NOT_HOLDER, STALE_TOKEN, INVALID_TRANSITION (not in progress). */
export function applyFeatureFail(state: State, { session: sessionId, args, at }: FeatureFail): State {
  const session = requireSession(state, sessionId);
  const feature = requireFeature(state, sessionId, args.feature);
  requireRight(feature, args);
  requireStatus(feature, ['in_progress'], 'fail');
  const retry_count = feature.retry_count + 1;
  const limit = Math.min(session.max_retries, args.max_retries ?? session.max_retries);
  const worker = feature.worker_id;
  const ended: Feature = {
    ...endClaim(withFailedStep(feature, args.error), 'feature.fail', at),
    retry_count,
    error: args.error,
    updated_at: at,
  };
  const final = args.no_retry || retry_count > limit;
  return putFeature(
    state,
    sessionId,
    final ? { ...ended, status: 'failed', failed_by: worker } : backToPending(ended),
  );
}

function withFailedStep(feature: Feature, error: string): Feature {
  const steps = feature.steps.map((step) =>
    step.status === 'active'
      ? { ...step, status: 'failed' as const, error, failures: step.failures + 1 }
      : step,
  );
  return { ...feature, steps };
}

export function describeFeatureFail({ args }: FeatureFail): string {
  return `fail ${args.feature}`;
}
