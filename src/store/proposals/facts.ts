import * as z from 'zod';
import { budgetOf } from '../../core/budgets.ts';
import { entryWithKey, tallyFor } from '../../core/costs.ts';
import { type Feature, type Session, Tokens } from '../../core/entities.ts';
import { FeatureId, Oid, StepName } from '../../core/ids.ts';
import { PlainNumber, recordOf, Text } from '../../core/json.ts';
import { Amount, amountOf, microsOf, rounded } from '../../core/money.ts';
import { ArtifactPath } from '../../core/operations/artifact-put.ts';
import { requireStep } from '../../core/rules.ts';
import { contentsOf, requireFeature } from '../../core/state.ts';
import { stepIn } from '../../core/tally.ts';
import { GitStateError } from '../../errors.ts';
import { proposal, type View } from '../proposal.ts';
import { featureOf, featureScope, readableSessionOf, rightOf, scope } from './scope.ts';

/** Facts: what was spent, scored or produced. They need no claim, but for artifacts, and are never refused for one. */

/** Amounts of programs may carry binary noise; they are rounded half-even to six places. */
const Spent = z.number().transform(rounded).pipe(Amount);

const cost = z.strictObject({
  ...scope,
  token: z.string().optional(),
  feature: FeatureId.optional(),
  amount: Spent,
  step: StepName.optional(),
  operation: Text.optional(),
  tokens: Tokens.partial().optional(),
  key: Text.optional(),
});

export const costAdd = proposal('cost add', cost, (request, view) => {
  const session = readableSessionOf(view.state, request.session);
  const feature = featureOf(view, session, request);
  const { amount, step = null, operation = 'other', key } = request;
  const known =
    key === undefined ? undefined : entryWithKey(contentsOf(view.state, session.id), feature.id, key);
  if (known) return { unchanged: true, session: session.id, feature: feature.id };
  const tokens = request.tokens ? { in: 0, out: 0, cached: 0, ...request.tokens } : null;
  const worker = request.worker ?? feature.worker_id ?? undefined;
  return {
    type: 'cost.add',
    session: session.id,
    actor: worker,
    args: {
      feature: feature.id,
      ...{ amount, tokens, step, operation, worker, key },
      ...stopBy(view, session, feature, amount),
    },
  };
});

/** Whether it is this entry that uses a budget up; the log of documents tells of it. */
function stopBy(view: View, session: Session, feature: Feature, more: number): { stop?: true } {
  const contents = contentsOf(view.state, session.id);
  const isStopped = (extra: object) => budgetOf(session, contents, feature, view.at, extra).stop;
  return isStopped({ more }) && !isStopped({}) ? { stop: true } : {};
}

/** Sets the total of a step: the entry is the difference to what stands there. */
export const costSet = proposal(
  'cost set',
  cost.omit({ tokens: true, key: true, operation: true }).extend({ step: StepName }),
  (request, view) => {
    const session = readableSessionOf(view.state, request.session);
    const feature = featureOf(view, session, request);
    const step = feature.steps[requireStep(feature, request.step)]!;
    const before = stepIn(tallyFor(contentsOf(view.state, session.id), feature.id), step.name);
    const amount = amountOf(microsOf(request.amount) - microsOf(before));
    if (amount === 0) return { unchanged: true, session: session.id, feature: feature.id };
    const worker = request.worker ?? feature.worker_id ?? undefined;
    const args = {
      feature: feature.id,
      amount,
      tokens: null,
      step: step.name,
      operation: 'update_phase',
      worker,
      ...stopBy(view, session, feature, amount),
    };
    return { type: 'cost.set', session: session.id, actor: worker, args };
  },
);

export const qualitySet = proposal(
  'quality',
  z.strictObject({
    ...scope,
    token: z.string().optional(),
    feature: FeatureId.optional(),
    scores: recordOf(Text.min(1), PlainNumber),
  }),
  (request, view) => {
    const session = readableSessionOf(view.state, request.session);
    const feature = featureOf(view, session, request);
    if (Object.keys(request.scores).length === 0) {
      throw new GitStateError('USAGE', 'no score was given', { hint: 'give scores as name=9.2' });
    }
    const worker = request.worker ?? feature.worker_id ?? undefined;
    const args = { feature: feature.id, scores: request.scores, worker };
    return { type: 'quality.set', session: session.id, actor: worker, args };
  },
);

export const artifactPut = proposal(
  'artifact put',
  z.strictObject({
    ...featureScope,
    step: StepName,
    files: z.array(z.strictObject({ path: ArtifactPath, oid: Oid, size: z.int().min(0) })).min(1),
  }),
  (request, view) => {
    const session = readableSessionOf(view.state, request.session);
    const feature = featureOf(view, session, request);
    requireStep(requireFeature(view.state, session.id, feature.id), request.step);
    const right = rightOf(view, feature, request);
    const args = { feature: feature.id, step: request.step, files: request.files, ...right };
    return { type: 'artifact.put', session: session.id, actor: right.worker, args };
  },
);
