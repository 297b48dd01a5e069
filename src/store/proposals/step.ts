import * as z from 'zod';
import type { CodeHead, Feature, Session } from '../../core/entities.ts';
import { type Oid, StepName } from '../../core/ids.ts';
import { Text } from '../../core/json.ts';
import { requireRight, requireStep } from '../../core/rules.ts';
import { requireActiveSession } from '../../core/state.ts';
import { proposal, type Unchanged, type View } from '../proposal.ts';
import { featureOf, featureScope, rightOf, sessionOf } from './scope.ts';

const move = z.strictObject({ ...featureScope, step: StepName });
type Move = z.infer<typeof move>;

/** Who moves which step, and whether it is there already. */
function resolveMove(view: View, request: Move, done: string) {
  const session = sessionOf(view.state, request.session);
  requireActiveSession(view.state, session.id);
  const feature = featureOf(view, session, request);
  const right = rightOf(view, feature, request);
  const step = feature.steps[requireStep(feature, request.step)]!;
  const args = { feature: feature.id, step: request.step, ...right };
  const fields = { session: session.id, actor: right.worker };
  if (step.status !== done) return { session, feature, args, fields, unchanged: null };
  // Repeated, it changes nothing; but only for one who had the right to do it.
  requireRight(feature, right);
  const unchanged: Unchanged = { unchanged: true, session: session.id, feature: feature.id };
  return { session, feature, args, fields, unchanged };
}

export const stepStart = proposal('step start', move, (request, view) => {
  const { args, fields, unchanged } = resolveMove(view, request, 'active');
  return unchanged ?? { type: 'step.start', ...fields, args };
});

export const stepDone = proposal('step done', move, (request, view) => {
  const { session, feature, args, fields, unchanged } = resolveMove(view, request, 'completed');
  if (unchanged) return unchanged;
  return { type: 'step.done', ...fields, args: { ...args, head: headFor(view, session, feature) } };
});

/** Where the feature's code stands, for the automatic checkpoint. */
function headFor(view: View, session: Session, { branch }: Feature): CodeHead | undefined {
  if (!session.auto_checkpoints || branch === null) return undefined;
  const oid = view.ref(`refs/heads/${branch}`);
  return oid === null ? undefined : { branch, oid: oid as Oid };
}

export const stepFail = proposal('step fail', move.extend({ error: Text.optional() }), (request, view) => {
  const { args, fields, unchanged } = resolveMove(view, request, 'failed');
  return unchanged ?? { type: 'step.fail', ...fields, args: { ...args, error: request.error ?? null } };
});

export const stepSkip = proposal('step skip', move, (request, view) => {
  const { args, fields, unchanged } = resolveMove(view, request, 'skipped');
  return unchanged ?? { type: 'step.skip', ...fields, args };
});
