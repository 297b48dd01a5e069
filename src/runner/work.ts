import { dirname } from 'node:path';
import { matcherOf } from '../core/match.ts';
import { GitStateError, isGitStateError } from '../errors.ts';
import { requireProgram } from './environment.ts';
import { pruneLogs } from './log-pruning.ts';
import { openRun } from './open-run.ts';
import type { WorkOptions } from './options.ts';
import { reconcile } from './persist.ts';
import type { Failure, Run } from './run.ts';
import { tidyWorktrees } from './settle.ts';

import { runWorker } from './worker.ts';

export type { WorkOptions } from './options.ts';
export type { WorkEvent } from './run.ts';

export interface WorkSummary {
  /** 0 all complete, 4 over budget, 5 something failed or waits, 130 stopped. */
  exit_status: 0 | 4 | 5 | 130;
  /** Features that this run completed. */
  completed: string[];
  /** Features that failed for good in this run. */
  failed: Failure[];
  /** Features that this run could not work on. */
  skipped: Failure[];
  /** Features of the session that are not completed, of those that were asked for. */
  remaining: number;
  duration_ms: number;
  /** Folder with the output of every attempt: `<feature>/<attempt>[-<step>].log`. */
  logs: string;
}

/** Works on the features of a session until none is left that could become ready: each worker claims one, runs the
 *  command in its worktree, and completes or fails it.
 *  @throws SESSION_NOT_FOUND, AMBIGUOUS_SESSION, SESSION_NOT_ACTIVE, USAGE, INVALID_INPUT, CONTENTION and others that
 *  leave nothing to go on with; claims are settled first. */
export async function runWork(options: WorkOptions): Promise<WorkSummary> {
  const { store, env } = options;
  const startedMs = env.now();
  requireProgram(options.command[0], env.variables);
  matcherOf(options.match);
  const session = await store.sessionShow({ session: options.session });
  const workers = workersOf(options.workers, session.config.workers_count);
  const mergeInto = options.onComplete === 'merge' ? await store.runner.mergeBase(options.base) : null;
  const { run, endings, dispose } = openRun(options, { session: session.id, mergeInto });
  store.runner.coalesce();
  pruneLogs(dirname(run.logs), env.now());
  run.emit('begun', { workers, session: session.id, logs: run.logs });
  try {
    await tidyWorktrees(run);
    await Promise.all(Array.from({ length: workers }, () => runWorker(run)));
  } finally {
    await pushRest(run);
    dispose();
  }
  if (endings.error !== undefined) throw endings.error;
  const { match } = options;
  const { total, completed, archived } = await store.runner.progress({ session: session.id, match });
  const remaining = total - completed - archived;
  const summary: WorkSummary = {
    exit_status: exitStatusOf({
      stopped: options.stop.aborted || options.kill.aborted,
      budget: endings.budget !== undefined,
      remaining,
    }),
    completed: run.completed,
    failed: run.failed,
    skipped: [...run.skipped].map(([feature, error]) => ({ feature, error, log: null })),
    remaining,
    duration_ms: env.now() - startedMs,
    logs: run.logs,
  };
  run.emit('finished', { summary });
  return summary;
}

/** Whatever still waits for its push. It is here, so a server that does not answer is no reason to fail. */
async function pushRest(run: Run): Promise<void> {
  try {
    await reconcile(run);
  } catch (error) {
    if (!isGitStateError(error)) throw error;
    run.emit('unpushed', { message: `${error.message}; later: git state sync` });
  }
}

function workersOf(given: number | undefined, configured: unknown): number {
  if (given === undefined)
    return Number.isSafeInteger(configured) && Number(configured) > 0 ? Number(configured) : 1;
  if (Number.isSafeInteger(given) && given > 0) return given;
  throw new GitStateError('INVALID_INPUT', `'${given}' is no number of workers`, {
    hint: 'give --workers a whole number from 1 on',
  });
}

interface Outcome {
  stopped: boolean;
  budget: boolean;
  remaining: number;
}

function exitStatusOf({ stopped, budget, remaining }: Outcome): WorkSummary['exit_status'] {
  if (stopped) return 130;
  if (budget) return 4;
  return remaining === 0 ? 0 : 5;
}
