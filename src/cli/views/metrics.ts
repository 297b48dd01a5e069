import type { Metrics } from '../../core/metrics.ts';
import type { Field, Ui } from '../output.ts';
import { details, table } from '../table-view.ts';
import { visible } from '../text.ts';
import { counted } from './time.ts';

type SessionMetrics = Metrics & { session: string };

/** Every number with its path, such as `by_step.plan.cost`. */
export function metricRecords(metrics: SessionMetrics): Field[][] {
  return flat(metrics, '');
}

function flat(value: object, prefix: string): Field[][] {
  return Object.entries(value).flatMap(([key, item]) =>
    typeof item === 'object' && item !== null ? flat(item, `${prefix}${key}.`) : [[`${prefix}${key}`, item]],
  );
}

/** The same as comma-separated values, as RFC 4180 has them. */
export function metricsCsv(metrics: SessionMetrics): string {
  const { session, ...numbers } = metrics;
  const rows = [['session', 'metric', 'value'], ...flat(numbers, '').map((row) => [session, ...row])];
  return rows.map((row) => `${row.map((field) => csvField(String(field))).join(',')}\r\n`).join('');
}

function csvField(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

export function metricLines(metrics: SessionMetrics, ui: Ui): string[] {
  const { total_tasks, completed, in_progress, failed, success_rate, total_cost, avg_cost, quality } =
    metrics;
  const { trending, ...averages } = quality;
  const scores = Object.entries(averages).map(
    ([name, mean]) => `${visible(name.slice('avg_'.length))} ${mean}`,
  );
  const parts = [`${completed} completed`, `${in_progress} in progress`, `${failed} failed`];
  return [
    `${ui.colors.bold(metrics.session)} ${counted(total_tasks, 'feature')}: ${parts.join(', ')}`,
    ...details(
      [
        ['success rate', percent(success_rate)],
        ['time of a feature', minutes(metrics.avg_production_time)],
        ['cost', `${total_cost}, ${avg_cost} for a completed feature`],
        ['quality', scores.length === 0 ? null : `${scores.join(', ')}; ${trending}`],
      ],
      ui,
    ),
    ...stepTable(metrics, ui),
  ];
}

function stepTable({ by_step }: SessionMetrics, ui: Ui): string[] {
  const steps = Object.entries(by_step);
  if (steps.length === 0) return [];
  const rows = table(
    steps,
    [
      { title: 'STEP', text: ([name]) => name, paint: (_, text) => ui.colors.bold(text) },
      { title: 'TIME', text: ([, { avg_time }]) => minutes(avg_time) },
      { title: 'SUCCESS', text: ([, { success_rate }]) => percent(success_rate) },
      { title: 'COST', text: ([, { cost }]) => String(cost) },
    ],
    ui,
  );
  return ['', ...rows];
}

const percent = (rate: number) => `${Math.round(rate * 100)}%`;
const minutes = (time: number) => `${time}m`;
