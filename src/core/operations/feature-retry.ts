import { FeatureId, StepName } from '../ids.ts';
import { backToPending, firstUnfinished, requireStatus, requireStep } from '../rules.ts';
import { putFeature, requireActiveSession, requireFeature, type State } from '../state.ts';
import { type OperationIn, sessionOperation } from './define.ts';

/** A failed or finished feature waits for work again; finished steps stay, or start over from the one named. */
export const FeatureRetry = sessionOperation('feature.retry', () => ({
  feature: FeatureId,
  from: StepName.optional(),
}));
export type FeatureRetry = OperationIn<typeof FeatureRetry>;

/** @throws FEATURE_NOT_FOUND, STEP_NOT_FOUND, SESSION_NOT_ACTIVE, INVALID_TRANSITION (pending or in progress). */
export function applyFeatureRetry(state: State, { session, args, at }: FeatureRetry): State {
  requireActiveSession(state, session);
  const feature = requireFeature(state, session, args.feature);
  requireStatus(feature, ['failed', 'completed', 'archived'], 'retry');
  const from = args.from === undefined ? firstUnfinished(feature.steps) : requireStep(feature, args.from);
  const steps = feature.steps.map((step, index) =>
    index < from
      ? step
      : { ...step, status: 'pending' as const, completed_at: null, checkpoint: null, error: null },
  );
  return putFeature(state, session, {
    ...backToPending({ ...feature, steps }),
    error: null,
    completed_at: null,
    completed_by: null,
    failed_by: null,
    archived_at: null,
    updated_at: at,
  });
}

export function describeFeatureRetry({ args }: FeatureRetry): string {
  return args.from ? `retry ${args.feature} from ${args.from}` : `retry ${args.feature}`;
}
