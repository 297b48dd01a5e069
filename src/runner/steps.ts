import type { FeatureView } from '../core/views.ts';
import { type Ending, runAttempt } from './attempt.ts';
import { commandEnvironment } from './environment.ts';
import { type Log, openLog } from './logs.ts';
import { persist } from './persist.ts';
import type { Renewal } from './renewal.ts';
import { isLost } from './renewal.ts';
import { type Claim, proofOf, type Run } from './run.ts';

/** What became of a claimed feature's commands. */
export type Outcome =
  | { kind: 'done' }
  | { kind: 'failed'; error: string; status?: number | null; signal?: string | null; step?: string }
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
}

/** Runs the command once, or once for each unfinished step. */
export async function runSteps(work: Work): Promise<Outcome> {
  const { run, claim } = work;
  if (!run.perStep || claim.feature.steps.length === 0)
    return runOnce(work, claim.feature.current_step, null);
  let step = firstUnfinished(claim.feature);
  while (step !== null) {
    const outcome = await runOnce(work, step, step);
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
  const feature = await persist(run.env, () => run.store.stepDone({ ...proofOf(run, claim), step }));
  run.emit('step_done', { worker: claim.worker, feature: claim.id, step });
  return feature;
}

async function runOnce(work: Work, step: string | null, logStep: string | null): Promise<Outcome> {
  const { run, claim, renewal, summaryFile } = work;
  let log: Log;
  try {
    log = await openLog(run, claim, logStep);
  } catch (error) {
    return { kind: 'skipped', error: `its log cannot be written: ${(error as Error).message}` };
  }
  const label = { worker: claim.worker, feature: claim.id, ...(step === null ? {} : { step }) };
  try {
    const ending = await runAttempt({
      command: run.command,
      cwd: claim.worktree,
      variables: commandEnvironment(run, claim, { step, summaryFile }),
      log,
      env: run.env,
      graceMs: run.graceMs,
      abort: AbortSignal.any([run.kill, renewal.lost]),
      onStart: (child) => {
        void renewal.note(child);
        run.emit('started', { ...label, attempt: claim.attempt, log: log.path, pid: child.pid });
      },
    });
    return outcomeOf(ending, work, step);
  } finally {
    await log.file.close().catch(() => {});
  }
}

function outcomeOf(ending: Ending, { renewal }: Work, step: string | null): Outcome {
  if (renewal.lost.aborted) return { kind: 'lost', error: String((renewal.lost.reason as Error).message) };
  if (ending.aborted) return { kind: 'released' };
  const { status, signal } = ending;
  if (status === 0) return { kind: 'done' };
  return { kind: 'failed', error: errorOf(ending), status, signal, ...(step === null ? {} : { step }) };
}

/** What the command said last; how it ended where it said nothing, or did not end by itself. */
function errorOf({ status, signal, failure, errorTail }: Ending): string {
  if (failure !== null) return `the command could not be started: ${failure}`;
  if (signal !== null) return [errorTail, `the command was ended by ${signal}`].filter(Boolean).join('\n');
  return errorTail || `the command exited with status ${status}`;
}
