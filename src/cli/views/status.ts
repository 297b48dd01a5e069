import type { Store } from '../../store/open.ts';
import type { Field, Ui } from '../output.ts';
import { table } from '../table-view.ts';
import { type Colors, visible } from '../text.ts';
import { budgetWarningText } from './budget.ts';
import { paintStatus } from './feature.ts';
import { clockTime, roughTime } from './time.ts';

export type Status = Awaited<ReturnType<Store['status']>>;
type WorkerRow = Status['workers'][number];

/** @param leftMs an estimate of the time until all is done. */
export function statusLines(status: Status, ui: Ui, leftMs: number | null = null): string[] {
  const { colors } = ui;
  const { progress, workers, blocked, costs } = status;
  const name = status.name === status.session ? '' : `  ${visible(status.name)}`;
  const lines = [
    `${colors.bold(status.session)} ${paintStatus(status.status, status.status, colors)}${name}`,
  ];
  if (progress.total === 0)
    return [...lines, '', 'no features yet: add some with `git state add ID` or `git state plan load FILE`'];
  lines.push(
    `${bar(progress.completed + progress.archived, progress.total, 24, colors)} ${counts(status)}${leftText(leftMs)}`,
  );
  const busy = workers.filter((worker) => worker.status === 'busy');
  if (busy.length > 0) lines.push('', ...workerTable(busy, ui));
  if (blocked.length > 0) {
    lines.push('', colors.dim('BLOCKED'));
    for (const { id, blocked_by } of blocked) {
      lines.push(
        `${colors.bold(id)} waits for ${blocked_by.map((one) => `${one.id} (${one.status})`).join(', ')}`,
      );
    }
  }
  if (costs.total !== 0) lines.push('', `cost ${costs.total}`);
  for (const warning of costs.warnings) lines.push(colors.yellow(budgetWarningText(warning)));
  return lines;
}

function counts({ progress }: Status): string {
  const finished = progress.completed + progress.archived;
  const parts = (['ready', 'blocked', 'in_progress', 'failed', 'archived'] as const)
    .filter((key) => progress[key] > 0)
    .map((key) => `${progress[key]} ${key.replace('_', ' ')}`);
  return [`${finished}/${progress.total} done`, ...parts].join(', ');
}

/** ` about 5m left`, as the end of a line. */
export function leftText(leftMs: number | null): string {
  return leftMs === null ? '' : `, about ${roughTime(leftMs)} left`;
}

/** A bar of `width` columns. */
export function bar(done: number, total: number, width: number, colors: Colors): string {
  const filled = total === 0 ? 0 : Math.floor((done / total) * width);
  return `${colors.green('█'.repeat(filled))}${colors.dim('░'.repeat(width - filled))}`;
}

/** Counts in a pipe, one a line. */
export function statusRecords(status: Status): Field[][] {
  return [
    ['session', status.session],
    ['status', status.status],
    ...Object.entries(status.progress),
    ['cost', status.costs.total],
  ];
}

export const workerPipe = 'ID, status, current feature, end of the lease, completed, failed';

export function workerRecord(worker: WorkerRow): Field[] {
  const { id, status, current_feature, expires_at, completed, failed } = worker;
  return [id, status, current_feature, expires_at, completed, failed];
}

export function workerTable(workers: readonly WorkerRow[], ui: Ui): string[] {
  const over = (time: string) => Date.parse(time) <= ui.nowMs;
  return table(
    workers,
    [
      { title: 'WORKER', text: ({ id }) => id, paint: (_, text) => ui.colors.bold(text) },
      { title: 'FEATURE', text: ({ current_feature }) => current_feature ?? 'idle' },
      {
        title: 'LEASE',
        text: ({ expires_at }) =>
          expires_at === null
            ? ''
            : `${over(expires_at) ? 'expired at' : 'until'} ${clockTime(expires_at, ui.nowMs)}`,
        paint: ({ expires_at }, text) =>
          expires_at !== null && over(expires_at) ? ui.colors.red(text) : text,
      },
      { title: 'COMPLETED', text: ({ completed }) => String(completed) },
      { title: 'FAILED', text: ({ failed }) => String(failed) },
    ],
    ui,
  );
}
