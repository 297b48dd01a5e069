import * as z from 'zod';
import { GitStateError } from '../../errors.ts';
import { withRemovedCost } from '../costs.ts';
import { type Feature, Phase, Priority, type Session } from '../entities.ts';
import { FeatureId, keyOf, StepName } from '../ids.ts';
import { JsonRecord, Text } from '../json.ts';
import { newSteps, requireDistinctSteps, requireSoundDependencies } from '../rules.ts';
import {
  contentsOf,
  putContents,
  putFeature,
  putSession,
  requireActiveSession,
  type State,
} from '../state.ts';
import type { Instant } from '../time.ts';
import { type OperationIn, sessionOperation } from './define.ts';

/** A feature as a plan or `add` gives it; steps are those of the session unless it has its own. */
export const planned = {
  name: Text.optional(),
  priority: Priority.nullable().optional(),
  phase: Phase.nullable().optional(),
  dependencies: z.array(FeatureId).optional(),
  steps: z.array(StepName).optional(),
  data: JsonRecord.optional(),
};
export type Planned = z.infer<z.ZodObject<typeof planned>> & { id: FeatureId };

/** One feature joins the session. */
export const FeatureAdd = sessionOperation('feature.add', () => ({ feature: FeatureId, ...planned }));
export type FeatureAdd = OperationIn<typeof FeatureAdd>;

/** Many features join the session, all or none, in any order. */
export const PlanLoad = sessionOperation('plan.load', () => ({
  features: z.array(z.strictObject({ id: FeatureId, ...planned })).max(1_000_000),
}));
export type PlanLoad = OperationIn<typeof PlanLoad>;

/** @throws SESSION_NOT_ACTIVE, ALREADY_EXISTS, INVALID_INPUT for unknown dependencies and circles. */
export function applyFeatureAdd(state: State, { session: sessionId, args, at }: FeatureAdd): State {
  const { feature: id, ...plan } = args;
  const session = requireActiveSession(state, sessionId);
  requireNew(state, sessionId, id);
  const known = withCostsOf(state, session, [id]);
  const next = putFeature(known, sessionId, newFeature(session, { id, ...plan }, at));
  requireSoundDependencies(next, sessionId, [id]);
  return next;
}

/** @throws SESSION_NOT_ACTIVE, ALREADY_EXISTS, INVALID_INPUT for unknown dependencies and circles. */
export function applyPlanLoad(state: State, { session: sessionId, args, at }: PlanLoad): State {
  const session = requireActiveSession(state, sessionId);
  const { features } = contentsOf(state, sessionId);
  const added = new Map<string, Feature>();
  for (const plan of args.features) {
    const key = keyOf(plan.id);
    const twin = features.get(key) ?? added.get(key);
    if (twin) throw alreadyExists(twin.id, sessionId);
    added.set(key, newFeature(session, plan, at));
  }
  const ids = args.features.map(({ id }) => id);
  const known = withCostsOf(state, session, ids);
  const next = putContents(known, sessionId, { features: features.withAll(added) });
  requireSoundDependencies(next, sessionId, ids);
  return next;
}

/** What was spent on a feature that was removed belongs to the one that is added again under its id. */
function withCostsOf(state: State, session: Session, ids: readonly string[]): State {
  const settled = withRemovedCost(session, contentsOf(state, session.id), ids, -1);
  return settled === session ? state : putSession(state, settled);
}

function requireNew(state: State, sessionId: string, id: string): void {
  const twin = contentsOf(state, sessionId).features.get(keyOf(id));
  if (twin) throw alreadyExists(twin.id, sessionId);
}

function alreadyExists(id: string, sessionId: string): GitStateError {
  return new GitStateError('ALREADY_EXISTS', `feature '${id}' exists already in session '${sessionId}'`, {
    hint: `change it with \`git state update ${id}\`; ids that differ only by case are the same id`,
    details: { feature: id },
  });
}

/** A feature at its beginning. A re-added id goes on counting claims where it stopped. */
export function newFeature(session: Session, plan: Planned, at: Instant): Feature {
  const steps = plan.steps ?? session.steps;
  requireDistinctSteps(steps, `feature '${plan.id}'`);
  return {
    id: plan.id,
    name: plan.name ?? plan.id,
    status: 'pending',
    priority: plan.priority ?? null,
    phase: plan.phase ?? null,
    dependencies: [...new Set(plan.dependencies ?? [])],
    steps: newSteps(steps),
    worker_id: null,
    claim: null,
    claim_count: new Map(Object.entries(session.claim_counts)).get(keyOf(plan.id)) ?? 0,
    ended_claim: null,
    branch: null,
    worktree: null,
    pr_number: null,
    retry_count: 0,
    error: null,
    summary: null,
    created_at: at,
    started_at: null,
    completed_at: null,
    completed_by: null,
    failed_by: null,
    archived_at: null,
    updated_at: at,
    quality_scores: {},
    scored_at: null,
    metrics: {},
    data: plan.data ?? {},
  };
}

export function describeFeatureAdd({ args }: FeatureAdd): string {
  return `add ${args.feature}`;
}

export function describePlanLoad({ args }: PlanLoad): string {
  return `load plan (${args.features.length} ${args.features.length === 1 ? 'feature' : 'features'})`;
}
