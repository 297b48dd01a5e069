import * as z from 'zod';
import type { CodeHead, Feature } from '../../core/entities.ts';
import { CheckpointName, FeatureId, idFault, type Oid, StepName } from '../../core/ids.ts';
import { Json } from '../../core/json.ts';
import { currentStep, nextStep } from '../../core/select.ts';
import {
  contentsOf,
  findFeature,
  requireCheckpoint,
  requireFeature,
  requireSession,
} from '../../core/state.ts';
import { GitStateError } from '../../errors.ts';
import { proposal, type View } from '../proposal.ts';
import { readableSessionOf, scope } from './scope.ts';

/** A name that a person gives keeps to the id rule; `<feature>.<step>_complete` is for automatic ones. */
const GivenName = CheckpointName.superRefine((name, context) => {
  const fault = idFault(name);
  if (fault) context.addIssue({ code: 'custom', message: `'${name.slice(0, 40)}' ${fault}` });
});

export const checkpointCreate = proposal(
  'checkpoint create',
  z.strictObject({
    ...scope,
    name: GivenName,
    feature: FeatureId.optional(),
    step: StepName.optional(),
    data: Json.optional(),
    /** An older point that the checkpoint names. */
    at: z.string().optional(),
    /** One of the same name, feature and kind gives way. */
    replace: z.boolean().optional(),
    /** As completing the step makes it, under that name. */
    automatic: z.boolean().optional(),
  }),
  (request, view) => {
    const session = readableSessionOf(view.state, request.session);
    if (!request.automatic) requireNoAutomaticName(view, session.id, request.name);
    const point = request.at === undefined ? null : view.point(request.at, session.id);
    const then = point === null ? view.state : view.stateAt(point.commit);
    requireSession(then, session.id);
    const feature =
      request.feature === undefined ? undefined : requireFeature(then, session.id, request.feature);
    return {
      type: 'checkpoint.create',
      session: session.id,
      actor: request.worker,
      args: {
        name: request.name,
        commit: (point?.commit ?? null) as Oid | null,
        feature: feature?.id,
        step: request.step ?? ((feature ? currentStep(feature) : null) as StepName | null),
        next_step: stepAfter(feature, request.step),
        data: request.data ?? null,
        heads: headsIn(view, [...contentsOf(then, session.id).features.values()]),
        ...(request.replace ? { replaces: true as const } : {}),
        ...(request.automatic ? { automatic: true as const } : {}),
      },
    };
  },
);

function requireNoAutomaticName({ state }: View, session: string, name: string): void {
  const stem = /^(.*)_complete$/.exec(name)?.[1];
  if (stem === undefined) return;
  for (let dot = stem.indexOf('.'); dot >= 0; dot = stem.indexOf('.', dot + 1)) {
    const feature = findFeature(state, session, stem.slice(0, dot));
    if (!feature?.steps.some((step) => step.name === stem.slice(dot + 1))) continue;
    throw new GitStateError('INVALID_INPUT', `'${name}' is the name of an automatic checkpoint`, {
      hint: 'choose a name that does not end in _complete',
    });
  }
}

/** The step at which work goes on: the one behind `step`, else the first unfinished one. */
function stepAfter(feature: Feature | undefined, step: StepName | undefined): StepName | null {
  if (!feature) return null;
  if (step === undefined) return nextStep(feature) as StepName | null;
  const index = feature.steps.findIndex(({ name }) => name === step);
  return index < 0 ? null : (feature.steps[index + 1]?.name ?? null);
}

/** Where the code of the features in progress stands. */
function headsIn(view: View, features: Feature[]): Record<FeatureId, CodeHead> {
  const heads: [string, CodeHead][] = [];
  for (const { id, status, branch } of features) {
    if (status !== 'in_progress' || branch === null) continue;
    const oid = view.ref(`refs/heads/${branch}`);
    if (oid !== null) heads.push([id, { branch, oid: oid as Oid }]);
  }
  return Object.fromEntries(heads.sort(([a], [b]) => (a < b ? -1 : 1)));
}

export const checkpointDelete = proposal(
  'checkpoint delete',
  z.strictObject({ ...scope, name: CheckpointName }),
  (request, { state }) => {
    const session = readableSessionOf(state, request.session);
    const { name } = requireCheckpoint(state, session.id, request.name);
    return { type: 'checkpoint.delete', session: session.id, actor: request.worker, args: { name } };
  },
);
