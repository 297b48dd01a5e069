import type { FeatureView } from '../core/views.ts';
import { type Ending, runAttempt } from './attempt.ts';
import { commandEnvironment } from './environment.ts';
import { type Log, type LogOf, openLog } from './logs.ts';
import { persist } from './persist.ts';
import type { Renewal } from './renewal.ts';
import { isLost } from './renewal.ts';
import { type Claim, proofOf, type Run } from './run.ts';

export interface Failed {
  kind: 'failed';
  error: string;
  log: string | null;
  status?: number | null;
  signal?: string | null;
  step?: string;
  timed_out?: true;
}

/** What became of a claimed feature's commands. */
export type Outcome =
  | { kind: 'done' }
  | Failed
  /** The claim is to be given back. */
  | { kind: 'released' }
  /** The same, and this run cannot work on the feature. */
  | { kind: 'skipped'; error: string }
  | { kind: 'lost'; error: string };

export interface Work {
  run: Run;
  claim: Claim;
  renewal: Renewal;
  summaryFile: string;
  /** Aborted with a sentence as its reason once the attempt has taken too long. */
  deadline: AbortSignal;
}

/** Runs the command once, or once for each unfinished step. */
export async function runSteps(work: Work): Promise<Outcome> {
  const { run, claim } = work;
  if (!run.perStep || claim.feature.steps.length === 0)
    return runCommand(work, {
      command: run.command,
      step: claim.feature.current_step,
      logOf: { step: null },
    });
  let step = firstUnfinished(claim.feature);
  while (step !== null) {
    const outcome = await runCommand(work, { command: run.command, step, logOf: { step } });
    if (outcome.kind !== 'done') return outcome;
    try {
      // Should this process die right after the next command has started, the lease must not name the last one.
      const [feature] = await Promise.all([finishStep(work, step), work.renewal.note(null)]);
      step = firstUnfinished(feature);
    } catch (error) {
      if (isLost(error)) return { kind: 'lost', error: error.message };
      throw error;
    }
  }
  return { kind: 'done' };
}

export function firstUnfinished({ steps }: Pick<FeatureView, 'steps'>): string | null {
  return steps.find(({ status }) => status !== 'completed' && status !== 'skipped')?.name ?? null;
}

async function finishStep({ run, claim }: Work, step: string): Promise<FeatureView> {
  const feature = await persist(run, (again) =>
    run.store.stepDone({ ...proofOf(run, claim), step, ...again }),
  );
  run.emit('step_done', { worker: claim.worker, feature: claim.id, step });
  return feature;
}

interface Part {
  command: readonly string[];
  /** The step that it is told of. */
  step: string | null;
  logOf: LogOf;
  /** What ends it; by default the end of the run, of the claim, or of the attempt's time. */
  abort?: AbortSignal;
}

/** Runs one command in the worktree, under the lease and with a log of its own. */
export async function runCommand(work: Work, { command, step, logOf, abort }: Part): Promise<Outcome> {
  const { run, claim, renewal, summaryFile } = work;
  let log: Log;
  try {
    log = await openLog(run, claim, logOf);
  } catch (error) {
    return { kind: 'skipped', error: `its log cannot be written: ${(error as Error).message}` };
  }
  const label = { worker: claim.worker, feature: claim.id, ...(step === null ? {} : { step }) };
  const event = typeof logOf === 'string' ? `${logOf}_started` : 'started';
  try {
    const ending = await runAttempt({
      command,
      cwd: claim.worktree,
      variables: commandEnvironment(run, claim, { step, summaryFile }),
      log,
      env: run.env,
      graceMs: run.graceMs,
      abort: abort ?? AbortSignal.any([run.kill, renewal.lost, work.deadline]),
      onStart: (child) => {
        void renewal.note(child);
        run.emit(event, { ...label, attempt: claim.attempt, log: log.path, pid: child.pid });
      },
    });
    return outcomeOf(ending, work, { step, log: log.path });
  } finally {
    await log.file.close().catch(() => {});
  }
}

function outcomeOf(
  ending: Ending,
  { run, renewal, deadline }: Work,
  { step, log }: { step: string | null; log: string },
): Outcome {
  if (renewal.lost.aborted) return { kind: 'lost', error: String((renewal.lost.reason as Error).message) };
  const { status, signal } = ending;
  const failed = { kind: 'failed' as const, log, status, signal, ...(step === null ? {} : { step }) };
  if (ending.aborted && deadline.aborted && !run.kill.aborted) {
    const error = [ending.errorTail, String(deadline.reason)].filter(Boolean).join('\n');
    return { ...failed, error, timed_out: true };
  }
  if (ending.aborted) return { kind: 'released' };
  return status === 0 ? { kind: 'done' } : { ...failed, error: errorOf(ending) };
}

/** What the command said last; how it ended where it said nothing, or did not end by itself. */
function errorOf({ status, signal, failure, errorTail }: Ending): string {
  if (failure !== null) return `the command could not be started: ${failure}`;
  if (signal !== null) return [errorTail, `the command was ended by ${signal}`].filter(Boolean).join('\n');
  return errorTail || `the command exited with status ${status}`;
}
