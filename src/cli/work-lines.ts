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
    case 'merged':
      return `${who}merged ${visible(String(event.branch))} into ${visible(String(event.into))}`;
    case 'teardown_failed':
      return `${who}warning: the teardown of ${what} failed${visible(reasonOf(event))}`;
    case 'renewed':
    case 'started':
    case 'setup_started':
    case 'teardown_started':
    case 'finished':
    case 'worktree_removed':
      return null;
    case 'worktree_kept':
      return `${who}kept the worktree of ${what}${why} (${visible(String(event.worktree ?? ''))})`;
    default:
      return `${who}${event.event.replaceAll('_', ' ')}${what === '' ? '' : ` ${what}`}${why}`;
  }
}

/** The last line: what a program says in the end, or how it ended. */
function reasonOf({ message, error }: WorkEvent): string {
  const text = message ?? (typeof error === 'string' ? error : '');
  const last = text.trim().split('\n').at(-1) ?? '';
  return last === '' ? '' : `: ${last}`;
}

/** What a run came to: counts and time, why what failed, and where to read more. */
export function summaryLines(summary: WorkSummary): string[] {
  const { completed, failed, skipped, remaining, duration_ms, logs } = summary;
  const parts = [
    `${completed.length} completed`,
    failed.length > 0 ? `${failed.length} failed` : '',
    skipped.length > 0 ? `${skipped.length} skipped` : '',
    remaining > 0 ? `${remaining} remaining` : '',
  ].filter(Boolean);
  return [
    ...failed.flatMap((failure) => failureLines('failed', failure)),
    ...skipped.flatMap((failure) => failureLines('skipped', failure)),
    ...(completed.length + failed.length > 0 ? [`logs in ${visible(logs)}`] : []),
    `${parts.join(', ')} in ${lengthOfTime(duration_ms)}`,
  ];
}

function failureLines(what: string, { feature, error, log }: WorkSummary['failed'][number]): string[] {
  const why = `${what} ${feature}${visible(reasonOf({ event: '', at: '', error }))}`;
  return log === null ? [why] : [why, `  ${visible(log)}`];
}
