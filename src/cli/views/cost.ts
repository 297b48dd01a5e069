import type { CostsView } from '../../core/views.ts';
import type { Field, Ui } from '../output.ts';
import { details, table } from '../table-view.ts';
import { budgetWarningText, limitsText } from './budget.ts';

export const costPipe = 'by what (total, step, operation, worker, day or feature), name, amount';

interface Row {
  by: string;
  name: string;
  amount: number;
}

function rowsOf({ by_step, by_operation, by_worker, by_day, by_feature }: CostsView): Row[] {
  const groups = {
    step: by_step,
    operation: by_operation,
    worker: by_worker,
    day: by_day,
    feature: by_feature,
  };
  return Object.entries(groups).flatMap(([by, sums]) =>
    Object.entries(sums).map(([name, amount]) => ({ by, name, amount })),
  );
}

export function costRecords(costs: CostsView): Field[][] {
  return [['total', '', costs.total], ...rowsOf(costs).map(({ by, name, amount }) => [by, name, amount])];
}

/** Totals, then who spent what, when and on what. */
export function costLines(title: string, costs: CostsView, ui: Ui): string[] {
  const { tokens, total, budgets, warnings, stop } = costs;
  const used = Object.values(tokens).some((count) => count > 0);
  const rows = rowsOf(costs);
  return [
    `${ui.colors.bold(title)} has cost ${total}`,
    ...details(
      [
        ['tokens', used ? `${tokens.in} in, ${tokens.out} out, ${tokens.cached} cached` : null],
        ['budgets', limitsText(budgets)],
        [
          'stopped',
          stop ? ui.colors.red('nothing can be claimed or started until a budget is raised') : null,
        ],
      ],
      ui,
    ),
    ...warnings.map((warning) => ui.colors.yellow(budgetWarningText(warning))),
    ...(rows.length === 0 ? [] : ['', ...costTable(rows, ui)]),
  ];
}

function costTable(rows: readonly Row[], ui: Ui): string[] {
  return table(
    rows,
    [
      { title: 'BY', text: ({ by }) => by },
      { title: 'NAME', text: ({ name }) => name || 'none' },
      { title: 'COST', text: ({ amount }) => String(amount) },
    ],
    ui,
  );
}
