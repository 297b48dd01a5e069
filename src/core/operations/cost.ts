import * as z from 'zod';
import { addCostEntry, entryWithKey } from '../costs.ts';
import { type CostEntry, Tokens } from '../entities.ts';
import { FeatureId, StepName, WorkerId } from '../ids.ts';
import { Text } from '../json.ts';
import { SignedAmount } from '../money.ts';
import { requireStep } from '../rules.ts';
import { contentsOf, putContents, putFeature, requireFeature, requireSession, type State } from '../state.ts';
import { type OperationIn, sessionOperation } from './define.ts';

const spent = {
  feature: FeatureId,
  amount: SignedAmount,
  tokens: Tokens.nullable(),
  step: StepName.nullable(),
  /** What the money was spent on, in the user's words. */
  operation: Text,
  worker: WorkerId.optional(),
  /** Makes a repeated report count once. */
  key: Text.optional(),
  /** It is this entry that uses a budget up. */
  stop: z.literal(true).optional(),
};

/** Money was spent, or tokens; a fact that is never refused, whatever the feature's status and claim. */
export const CostAdd = sessionOperation('cost.add', () => spent);
/** The total of a step is set: the entry is the difference, which may be negative. */
export const CostSet = sessionOperation('cost.set', () => spent);
export type CostAdd = OperationIn<typeof CostAdd>;
export type CostSet = OperationIn<typeof CostSet>;

/** Returns `state` with one entry more; the same state where an entry of the same key stands already.
 *  @throws FEATURE_NOT_FOUND, STEP_NOT_FOUND */
export function applyCost(state: State, { session, args, at }: CostAdd | CostSet): State {
  requireSession(state, session);
  const feature = requireFeature(state, session, args.feature);
  if (args.step !== null) requireStep(feature, args.step);
  const contents = contentsOf(state, session);
  if (args.key !== undefined && entryWithKey(contents, feature.id, args.key)) return state;
  const { amount, tokens, step, operation, worker = null, key = null } = args;
  const entry: CostEntry = { at, amount, tokens, step, operation, worker, key };
  const costs = addCostEntry(contents.costs, feature.id, entry);
  return putFeature(putContents(state, session, { costs }), session, { ...feature, updated_at: at });
}

export function describeCost({ type, args }: CostAdd | CostSet): string {
  const verb = type === 'cost.add' ? 'add cost' : 'set cost';
  const step = args.step === null ? '' : ` step ${args.step} of`;
  return `${verb} ${args.amount} to${step} ${args.feature}`;
}
