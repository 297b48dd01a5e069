import type { BudgetWarning } from '../../core/budgets.ts';
import type { Budgets } from '../../core/entities.ts';
import type { Output } from '../output.ts';

/** `step 'plan' has spent 1.7 of 2 (85%)`. */
export function budgetWarningText({ scope, name, spent, limit, percent }: BudgetWarning): string {
  return `${scope} '${name}' has spent ${spent} of ${limit} (${percent}%)`;
}

/** Says on standard error which budgets are nearly or wholly used up. */
export function warnOfBudgets(output: Output, { warnings }: { warnings: readonly BudgetWarning[] }): void {
  for (const warning of warnings) output.warning(budgetWarningText(warning));
}

/** Limits in one line, such as `plan 2, feature 7, day 50`; null where there is none. */
export function limitsText({ steps, feature, day }: Budgets): string | null {
  const limits = [
    ...Object.entries(steps).map(([step, limit]) => `${step} ${limit}`),
    ...(feature === null ? [] : [`feature ${feature}`]),
    ...(day === null ? [] : [`day ${day}`]),
  ];
  return limits.join(', ') || null;
}
