import { z } from 'zod';
import { GitStateError } from '../../errors.ts';
import { type Feature, FeatureStatus, Priority } from '../entities.ts';
import { FeatureId, keyOf, StepName } from '../ids.ts';
import { JsonRecord, Text } from '../json.ts';
import { endClaim, newSteps, requireRight, requireSoundDependencies } from '../rules.ts';
import { putFeature, requireFeature, requireSession, type State } from '../state.ts';
import type { Instant } from '../time.ts';
import { right, sessionOperation } from './define.ts';

/** Fields of a feature are set by hand; `status` outside the normal moves, too. */
export const FeatureUpdate = sessionOperation('feature.update', {
  feature: FeatureId,
  set: z.strictObject({
    name: Text.optional(),
    priority: Priority.nullable().optional(),
    phase: z.number().nullable().optional(),
    dependencies: z.array(FeatureId).optional(),
    steps: z.array(StepName).optional(),
    status: FeatureStatus.optional(),
    pr_number: z.int().min(0).nullable().optional(),
    branch: Text.nullable().optional(),
    worktree: Text.nullable().optional(),
    metrics: JsonRecord.optional(),
    data: JsonRecord.optional(),
  }),
  ...right,
});
export type FeatureUpdate = z.infer<typeof FeatureUpdate>;

/** @throws FEATURE_NOT_FOUND, NOT_HOLDER, STALE_TOKEN, INVALID_INPUT for unsound dependencies. */
export function applyFeatureUpdate(state: State, { session, args, at }: FeatureUpdate): State {
  requireSession(state, session);
  const feature = requireFeature(state, session, args.feature);
  requireRight(feature, args);
  const { status, steps, ...fields } = args.set;
  let changed: Feature = { ...feature, ...fields, updated_at: at };
  if (steps) changed = { ...changed, steps: resetSteps(feature, steps) };
  if (status) changed = setStatus(changed, status, at);
  const next = putFeature(state, session, changed);
  if (fields.dependencies) requireSoundDependencies(next, session, [feature.id]);
  return next;
}

/** Steps of the same name keep what they have reached. */
function resetSteps(feature: Feature, names: StepName[]): Feature['steps'] {
  if (new Set(names.map(keyOf)).size !== names.length) {
    throw new GitStateError('INVALID_INPUT', `a step is named twice in '${names.join(',')}'`);
  }
  return newSteps(names).map((step) => feature.steps.find(({ name }) => name === step.name) ?? step);
}

/** The first in_progress sets `started_at`, each completed sets `completed_at`; a claim survives only in progress. */
function setStatus(feature: Feature, status: FeatureStatus, at: Instant): Feature {
  const kept = status === 'in_progress' ? feature : endClaim(feature, 'feature.update', at);
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
