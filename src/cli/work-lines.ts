import type { WorkEvent, WorkSummary } from '../runner/work.ts';
import { visible } from './text.ts';
import { counted, lengthOfTime } from './views/time.ts';

/** What is seen of a run of workers. */
export interface WorkView {
  /** Called once, before the first event. */
  begin(): Promise<void>;
  show(event: WorkEvent): void;
  end(summary: WorkSummary): void;
  dispose(): void;
}

/** What an event says to people; null for those that are too many to be read. */
export function lineOf(event: WorkEvent): string | null {
  const { worker, feature, step, message } = event;
  const who = worker ? `${worker}: ` : '';
  const what = `${feature ?? ''}${step ? ` step ${step}` : ''}`;
  const why = message ? `: ${visible(message)}` : '';
  switch (event.event) {
    case 'begun':
      return `${counted(Number(event.workers), 'worker')} on session ${event.session}`;
    case 'claimed':
      return `${who}claimed ${what}${Number(event.attempt) > 1 ? ` (attempt ${event.attempt})` : ''}`;
    case 'step_done':
      return `${who}finished ${what}`;
    case 'completed':
      return `${who}completed ${what} in ${lengthOfTime(Number(event.duration_ms))}`;
    case 'failed':
      return `${who}${what} failed${visible(reasonOf(event))}${event.will_retry ? '; it is tried again' : ''}`;
    case 'renewed':
    case 'started':
    case 'finished':
    case 'worktree_removed':
      return null;
    case 'worktree_kept':
      return `${who}kept the worktree of ${what}${why} (${visible(String(event.worktree ?? ''))})`;
    default:
      return `${who}${event.event.replaceAll('_', ' ')}${what === '' ? '' : ` ${what}`}${why}`;
  }
}

function reasonOf({ message, error }: WorkEvent): string {
  const text = message ?? (typeof error === 'string' ? error : '');
  const last = text.trim().split('\n').at(-1) ?? '';
  return last === '' ? '' : `: ${last}`;
}

/** What a run came to. */
export function summaryLines({
  completed,
  failed,
  skipped,
  remaining,
  duration_ms,
  logs,
}: WorkSummary): string[] {
  const parts = [
    `${completed.length} completed`,
    failed.length > 0 ? `${failed.length} failed` : '',
    skipped.length > 0 ? `${skipped.length} skipped` : '',
    remaining > 0 ? `${remaining} remaining` : '',
  ].filter(Boolean);
  return [
    `${parts.join(', ')} in ${lengthOfTime(duration_ms)}`,
    ...[...failed, ...skipped].map(
      ({ feature, error }) => `  ${feature}${visible(reasonOf({ event: '', at: '', error }))}`,
    ),
    ...(failed.length > 0 ? [`output of every attempt: ${visible(logs)}`] : []),
  ];
}
