import { GitStateError } from '../errors.ts';
import { costByFeature, costOfDay, tallyFor, totalOf } from './costs.ts';
import type { Feature, Session } from './entities.ts';
import { compareNatural } from './ids.ts';
import { amountOf, microsOf } from './money.ts';
import { type Contents, featuresInOrder } from './state.ts';
import type { Instant } from './time.ts';

/** Limits of money. From 80% of one on there is a warning; at 100% of a feature's total or of the day's cap, claims and
 *  starts of steps are refused. The budget of a step only warns. */

export interface BudgetWarning {
  scope: 'step' | 'feature' | 'day';
  name: string;
  spent: number;
  limit: number;
  percent: number;
}

export interface BudgetState {
  warnings: BudgetWarning[];
  /** Whether claims and starts of steps are refused. */
  stop: boolean;
}

/** Says whether money keeps a feature from being claimed. */
export type IsStopped = ((feature: Feature) => boolean) & {
  /** Of whom it can be true, where that is known without a look at them: features with costs are `spenders`. */
  readonly among?: 'none' | 'spenders' | 'all';
};

export const neverStopped: IsStopped = Object.assign(() => false, { among: 'none' as const });
const alwaysStopped: IsStopped = Object.assign(() => true, { among: 'all' as const });

const warnFromPercent = 80n;

/** What is about to be spent. */
interface Extra {
  more?: number | undefined;
  step?: string | null | undefined;
}

interface Spending {
  scope: BudgetWarning['scope'];
  name: string;
  limit: number | null | undefined;
  micros: bigint;
}

/** What the limits say about a feature on the day of `at`, or would say after `more` was spent on it, in `step`. */
export function budgetOf(
  session: Session,
  contents: Contents,
  feature: Feature,
  at: Instant,
  { more = 0, step = null }: Extra = {},
): BudgetState {
  const { budgets } = session;
  const day = at.slice(0, 10);
  const added = microsOf(more);
  const tally = tallyFor(contents, feature.id);
  const spendings: Spending[] = feature.steps.map((one) => ({
    scope: 'step',
    name: one.name,
    limit: new Map<string, number>(Object.entries(budgets.steps)).get(one.name),
    micros: (tally.step.get(one.name) ?? 0n) + (one.name === step ? added : 0n),
  }));
  const total: Spending = {
    scope: 'feature',
    name: feature.id,
    limit: budgets.feature,
    micros: microsOf(totalOf(contents, feature.id)) + added,
  };
  const cap: Spending = {
    scope: 'day',
    name: day,
    limit: budgets.day,
    micros: microsOf(costOfDay(contents, day)) + added,
  };
  return {
    warnings: [...spendings, total, cap].flatMap(warningOf),
    stop: isReached(total) || isReached(cap),
  };
}

function isReached({ limit, micros }: Spending): boolean {
  return limit != null && micros >= microsOf(limit);
}

function warningOf({ scope, name, limit, micros }: Spending): BudgetWarning[] {
  if (limit == null || micros * 100n < microsOf(limit) * warnFromPercent) return [];
  const whole = microsOf(limit);
  const percent = whole === 0n ? 100 : Number((micros * 1000n) / whole) / 10;
  return [{ scope, name, spent: amountOf(micros), limit, percent }];
}

/** Tells of each feature of a session whether its total or the cap of the day is used up. */
export function stopsOn(session: Session, contents: Contents, at: Instant): IsStopped {
  const { feature: total, day: cap } = session.budgets;
  if (cap !== null && microsOf(costOfDay(contents, at.slice(0, 10))) >= microsOf(cap)) return alwaysStopped;
  if (total === null) return neverStopped;
  if (total === 0) return alwaysStopped;
  const totalMicros = microsOf(total);
  const isStopped = ({ id }: Feature) => microsOf(totalOf(contents, id)) >= totalMicros;
  return Object.assign(isStopped, { among: 'spenders' as const });
}

/** The features of a session about which its limits may have something to say: without costs only a limit of nothing
 *  is reached. */
export function maybeWarned({ budgets }: Session, contents: Contents): Feature[] {
  const limits = [budgets.feature, ...Object.values(budgets.steps)];
  if (limits.includes(0)) return featuresInOrder(contents);
  if (limits.every((limit) => limit === null)) return [];
  return spendersIn(contents).sort((a, b) => compareNatural(a.id, b.id));
}

/** Features that have costs. */
export function spendersIn(contents: Contents): Feature[] {
  return costByFeature(contents).flatMap(([key]) => contents.features.get(key) ?? []);
}

/** @throws BUDGET_EXCEEDED that names the limits which are used up. */
export function requireBudget(session: Session, contents: Contents, feature: Feature, at: Instant): void {
  if (!stopsOn(session, contents, at)(feature)) return;
  throw budgetExceeded(session, contents, feature, at);
}

/** Names the limits that are used up, or would be by what is about to be spent. */
export function budgetExceeded(
  session: Session,
  contents: Contents,
  feature: Feature,
  at: Instant,
  extra: Extra = {},
): GitStateError {
  const { warnings } = budgetOf(session, contents, feature, at, extra);
  const reached = warnings.filter(({ scope, percent }) => scope !== 'step' && percent >= 100);
  const names = reached
    .map(({ scope, name, spent, limit }) => `${scope} '${name}': ${spent} of ${limit}`)
    .join(', ');
  return new GitStateError(
    'BUDGET_EXCEEDED',
    `the budget ${extra.more ? 'would be' : 'is'} used up (${names})`,
    {
      hint: 'raise it with `git state session update --budget-feature AMOUNT` or `--budget-day AMOUNT`',
      details: { feature: feature.id, warnings: reached },
    },
  );
}
