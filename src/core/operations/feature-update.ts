import * as z from 'zod';
import { type Feature, FeatureStatus, Phase, Priority } from '../entities.ts';
import { FeatureId, StepName } from '../ids.ts';
import { JsonRecord, Text } from '../json.ts';
import {
  endClaim,
  firstUnfinished,
  isStepFinished,
  newSteps,
  requireDistinctSteps,
  requireRight,
  requireSoundDependencies,
  startNextStep,
  stopSteps,
} from '../rules.ts';
import { putFeature, requireFeature, requireSession, type State } from '../state.ts';
import { Instant } from '../time.ts';
import { type OperationIn, right, sessionOperation } from './define.ts';

/** Fields of a feature are set by hand; `status` outside the normal moves, too. */
export const FeatureUpdate = sessionOperation('feature.update', () => ({
  feature: FeatureId,
  set: z.strictObject({
    name: Text.optional(),
    priority: Priority.nullable().optional(),
    phase: Phase.nullable().optional(),
    dependencies: z.array(FeatureId).optional(),
    steps: z.array(StepName).optional(),
    status: FeatureStatus.optional(),
    pr_number: z.int().min(0).nullable().optional(),
    branch: Text.nullable().optional(),
    worktree: Text.nullable().optional(),
    started_at: Instant.nullable().optional(),
    completed_at: Instant.nullable().optional(),
    metrics: JsonRecord.optional(),
    data: JsonRecord.optional(),
  }),
  ...right,
}));
export type FeatureUpdate = OperationIn<typeof FeatureUpdate>;

/** @throws FEATURE_NOT_FOUND, NOT_HOLDER, STALE_TOKEN, INVALID_INPUT for unsound dependencies. */
export function applyFeatureUpdate(state: State, { session, args, at }: FeatureUpdate): State {
  requireSession(state, session);
  const feature = requireFeature(state, session, args.feature);
  requireRight(feature, args);
  const { status, steps, dependencies, started_at, completed_at, ...fields } = args.set;
  let changed: Feature = { ...feature, ...fields, updated_at: at };
  if (dependencies) changed = { ...changed, dependencies: [...new Set(dependencies)] };
  if (steps) changed = resetSteps(changed, steps, at);
  if (status) changed = withStatus(changed, status, at);
  // Times that are given outweigh those that follow from the status.
  if (started_at !== undefined) changed = { ...changed, started_at };
  if (completed_at !== undefined) changed = { ...changed, completed_at };
  const next = putFeature(state, session, changed);
  if (dependencies) requireSoundDependencies(next, session, [feature.id]);
  return next;
}

/** Steps of the same name keep what they have reached. Only the first unfinished one can be under way. */
function resetSteps(feature: Feature, names: StepName[], at: Instant): Feature {
  requireDistinctSteps(names, `feature '${feature.id}'`);
  const kept = new Map(feature.steps.map((step) => [step.name, step]));
  const steps = newSteps(names).map((step) => kept.get(step.name) ?? step);
  const first = firstUnfinished(steps);
  const settled = steps.map((step, index) =>
    index <= first || isStepFinished(step) ? step : { ...step, status: 'pending' as const, error: null },
  );
  const wasActive = feature.steps.some((step) => step.status === 'active');
  const changed = { ...feature, steps: settled };
  return wasActive && feature.status === 'in_progress' ? startNextStep(changed, at) : changed;
}

/** The first in_progress sets `started_at`, each completed sets `completed_at`; a claim survives only in progress. */
export function withStatus(feature: Feature, status: FeatureStatus, at: Instant): Feature {
  const kept = status === 'in_progress' ? feature : stopSteps(endClaim(feature, 'feature.update', at));
  const archived = status === 'archived';
  return {
    ...kept,
    status,
    started_at: status === 'in_progress' ? (feature.started_at ?? at) : feature.started_at,
    completed_at: status === 'completed' ? at : archived ? feature.completed_at : null,
    completed_by: status === 'completed' ? feature.worker_id : archived ? feature.completed_by : null,
    failed_by: status === 'failed' ? (feature.worker_id ?? feature.failed_by) : null,
    archived_at: archived ? at : null,
  };
}

export function describeFeatureUpdate({ args }: FeatureUpdate): string {
  return args.set.status ? `update ${args.feature} to ${args.set.status}` : `update ${args.feature}`;
}
