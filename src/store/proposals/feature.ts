import * as z from 'zod';
import { type Feature, FeatureStatus, Phase } from '../../core/entities.ts';
import { FeatureId, StepName } from '../../core/ids.ts';
import { type JsonObject, JsonRecord, type JsonValue, Text } from '../../core/json.ts';
import { planned } from '../../core/operations/feature-add.ts';
import { requireStatus } from '../../core/rules.ts';
import { requireFeature } from '../../core/state.ts';
import { GivenInstant } from '../../core/time.ts';
import { GitStateError } from '../../errors.ts';
import { proposal } from '../proposal.ts';
import { episodeId } from './episode-id.ts';
import { featureOf, featureScope, isRepeated, rightOf, scope, sessionOf } from './scope.ts';

/** Priorities that people may give; others come only with imported documents. */
const GivenPriority = z.string().regex(/^P\d$/, 'is no priority from P0 to P9');

const given = { ...planned, priority: GivenPriority.nullable().optional() };

export const featureAdd = proposal(
  'add',
  z.strictObject({ ...scope, feature: FeatureId.optional(), ...given }),
  ({ session: id, worker, feature, ...plan }, { state, at }) => {
    const session = sessionOf(state, id);
    const named = feature === undefined ? episodeId(state, session, plan.data ?? {}, at) : { feature };
    return { type: 'feature.add', session: session.id, args: { ...plan, ...named }, actor: worker };
  },
);

export const planLoad = proposal(
  'plan load',
  z.strictObject({
    ...scope,
    features: z.array(z.strictObject({ id: FeatureId, ...given })).min(1),
  }),
  ({ session: id, worker, features }, { state }) => {
    const session = sessionOf(state, id);
    const seen = new Set<string>();
    for (const { id: feature } of features) {
      if (seen.has(feature))
        throw new GitStateError('INVALID_INPUT', `the plan names feature '${feature}' twice`);
      seen.add(feature);
    }
    return { type: 'plan.load', session: session.id, args: { features }, actor: worker };
  },
);

export const featureUpdate = proposal(
  'update',
  z.strictObject({
    ...featureScope,
    name: Text.optional(),
    priority: GivenPriority.nullable().optional(),
    phase: Phase.nullable().optional(),
    dependencies: z.array(FeatureId).optional(),
    steps: z.array(StepName).optional(),
    status: FeatureStatus.optional(),
    prNumber: z.int().min(0).nullable().optional(),
    branchName: Text.nullable().optional(),
    worktree: Text.nullable().optional(),
    metrics: JsonRecord.optional(),
    data: JsonRecord.optional(),
    startedAt: GivenInstant.nullable().optional(),
    completedAt: GivenInstant.nullable().optional(),
    /** Entries of `data` to set; the others stay. */
    addData: JsonRecord.optional(),
    /** Fields that a document of this format has and we do not, to be kept in `data`. */
    keep: z.strictObject({ format: Text, fields: JsonRecord }).optional(),
  }),
  (request, view) => {
    const session = sessionOf(view.state, request.session);
    const feature = featureOf(view, session, request);
    const right = rightOf(view, feature, request);
    const { name, priority, phase, dependencies, steps, status, prNumber, branchName, worktree, metrics } =
      request;
    const set = {
      name,
      priority,
      phase,
      dependencies,
      steps,
      status,
      pr_number: prNumber,
      branch: branchName,
      worktree,
      metrics,
      data: withEntries(feature, request),
      started_at: request.startedAt,
      completed_at: request.completedAt,
    };
    if (Object.values(set).every((value) => value === undefined)) {
      throw new GitStateError('USAGE', 'nothing to update was given', { hint: 'git state help update' });
    }
    return {
      type: 'feature.update',
      session: session.id,
      args: { feature: feature.id, set, ...right },
      actor: right.worker,
    };
  },
);

/** The feature's `data` with what is added to it; undefined where nothing is. */
function withEntries(
  feature: Feature,
  {
    data,
    addData,
    keep,
  }: { data?: JsonObject; addData?: JsonObject; keep?: { format: string; fields: JsonObject } },
): JsonObject | undefined {
  if (addData === undefined && keep === undefined) return data;
  const entries = new Map(Object.entries({ ...(data ?? feature.data), ...addData }));
  if (keep) {
    const known = entries.get(keep.format);
    entries.set(keep.format, { ...(isRecord(known) ? known : {}), ...keep.fields });
  }
  return Object.fromEntries(entries);
}

function isRecord(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const one = z.strictObject(featureScope);

export const featureRemove = proposal('remove', one.extend({ feature: FeatureId }), (request, view) => {
  const session = sessionOf(view.state, request.session);
  const feature = requireFeature(view.state, session.id, request.feature);
  const right = rightOf(view, feature, request);
  return {
    type: 'feature.remove',
    session: session.id,
    args: { feature: feature.id, ...right },
    actor: right.worker,
  };
});

export const featureRelease = proposal('release', one, (request, view) => {
  const session = sessionOf(view.state, request.session);
  const feature = featureOf(view, session, request);
  const right = rightOf(view, feature, request);
  if (isRepeated(feature, 'feature.release', right))
    return { unchanged: true, session: session.id, feature: feature.id };
  return {
    type: 'feature.release',
    session: session.id,
    args: { feature: feature.id, ...right },
    actor: right.worker,
  };
});

export const featureComplete = proposal(
  'complete',
  one.extend({ summary: Text.optional(), skipRemaining: z.boolean().optional() }),
  (request, view) => {
    const session = sessionOf(view.state, request.session);
    const feature = featureOf(view, session, request);
    const right = rightOf(view, feature, request);
    if (isRepeated(feature, 'feature.complete', right))
      return { unchanged: true, session: session.id, feature: feature.id };
    const skip = request.skipRemaining ? { skip_remaining: true as const } : {};
    const args = { feature: feature.id, summary: request.summary, ...skip, ...right };
    return { type: 'feature.complete', session: session.id, args, actor: right.worker };
  },
);

export const featureFail = proposal(
  'fail',
  one.extend({ error: Text, noRetry: z.boolean().optional(), maxRetries: z.int().min(0).optional() }),
  (request, view) => {
    const session = sessionOf(view.state, request.session);
    const feature = featureOf(view, session, request);
    const right = rightOf(view, feature, request);
    if (isRepeated(feature, 'feature.fail', right))
      return { unchanged: true, session: session.id, feature: feature.id };
    const args = {
      feature: feature.id,
      error: request.error,
      ...(request.noRetry ? { no_retry: true as const } : {}),
      ...(request.maxRetries === undefined ? {} : { max_retries: request.maxRetries }),
      ...right,
    };
    return { type: 'feature.fail', session: session.id, args, actor: right.worker };
  },
);

export const featureRetry = proposal(
  'retry',
  z.strictObject({
    ...scope,
    feature: FeatureId,
    from: StepName.optional(),
    /** What was finished is not reopened. */
    failedOnly: z.boolean().optional(),
  }),
  ({ session: id, worker, feature, from, failedOnly }, { state }) => {
    const session = sessionOf(state, id);
    if (failedOnly) requireStatus(requireFeature(state, session.id, feature), ['failed'], 'recover');
    return { type: 'feature.retry', session: session.id, args: { feature, from }, actor: worker };
  },
);

export const featureArchive = proposal('archive', one.extend({ feature: FeatureId }), (request, view) => {
  const session = sessionOf(view.state, request.session);
  const feature = requireFeature(view.state, session.id, request.feature);
  const right = rightOf(view, feature, request);
  return {
    type: 'feature.archive',
    session: session.id,
    args: { feature: feature.id, ...right },
    actor: right.worker,
  };
});
