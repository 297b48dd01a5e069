import { join } from 'node:path';
import type { Env } from '../env.ts';
import { GitStateError } from '../errors.ts';
import type { Store } from '../store/open.ts';
import { Changes } from './changes.ts';
import { requireProgram } from './environment.ts';
import { Names } from './names.ts';
import type { Failure, KeepWorktrees, Run, WorkEvent } from './run.ts';
import { runWorker } from './worker.ts';

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
  /** Features of the session that are not completed. */
  remaining: number;
  duration_ms: number;
  /** Folder with the output of every attempt: `<feature>/<attempt>[-<step>].log`. */
  logs: string;
}

export interface WorkOptions {
  store: Store;
  env: Env;
  session?: string;
  /** Workers side by side; the session's `config.workers_count` by default, else 1. */
  workers?: number;
  /** Runs the command once per step instead of once per feature. */
  perStep?: boolean;
  /** Where new branches start; the caller's HEAD by default. */
  base?: string;
  /** Whose worktrees stay when a feature ends; those of failed features by default. */
  keepWorktrees?: KeepWorktrees;
  /** Length of the lease, such as `15m`. */
  lease?: string;
  /** Attempts after the first, where fewer than the session allows. */
  retries?: number;
  /** Program and arguments. */
  command: string[];
  /** How long a command has between SIGTERM and SIGKILL, in milliseconds; 5000 by default. */
  graceMs?: number;
  /** No new claims; what runs goes on to its end. */
  stop: AbortSignal;
  /** Ends what runs and gives the claims back. */
  kill: AbortSignal;
  onEvent(event: WorkEvent): void;
}

/** Works on the features of a session until none is left that could become ready: each worker claims one, runs the
 *  command in its worktree, and completes or fails it.
 *  @throws SESSION_NOT_FOUND, AMBIGUOUS_SESSION, SESSION_NOT_ACTIVE, USAGE, INVALID_INPUT, CONTENTION and others that
 *  leave nothing to go on with; claims are settled first. */
export async function runWork(options: WorkOptions): Promise<WorkSummary> {
  const { store, env } = options;
  const startedMs = env.now();
  requireProgram(options.command[0], env.variables);
  const session = await store.sessionShow({ session: options.session });
  const workers = workersOf(options.workers, session.config.workers_count);
  const { run, endings, dispose } = openRun(options, session.id);
  run.emit('begun', { workers, session: session.id, logs: run.logs });
  try {
    await Promise.all(Array.from({ length: workers }, () => runWorker(run)));
  } finally {
    dispose();
  }
  if (endings.error !== undefined) throw endings.error;
  const { total, completed, archived } = (await store.status({ session: session.id })).progress;
  const remaining = total - completed - archived;
  const summary: WorkSummary = {
    exit_status: exitStatusOf({
      stopped: options.stop.aborted || options.kill.aborted,
      budget: endings.budget !== undefined,
      remaining,
    }),
    completed: run.completed,
    failed: run.failed,
    skipped: [...run.skipped].map(([feature, error]) => ({ feature, error })),
    remaining,
    duration_ms: env.now() - startedMs,
    logs: run.logs,
  };
  run.emit('finished', { summary });
  return summary;
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

interface Endings {
  budget?: string;
  error?: unknown;
}

/** What the workers share, and what made the run end before its time. */
function openRun(options: WorkOptions, session: string) {
  const { store, env, stop, kill, onEvent } = options;
  const endings: Endings = {};
  const closing = new AbortController();
  const closed = AbortSignal.any([stop, kill, closing.signal]);
  const changes = new Changes(store, env);
  const close: Run['close'] = (why) => {
    if ('budget' in why) endings.budget ??= why.budget;
    else endings.error ??= why.error;
    closing.abort();
  };
  const emit: Run['emit'] = (event, fields) => {
    try {
      onEvent({ event, at: new Date(env.now()).toISOString(), ...fields });
    } catch (error) {
      // Whoever listens must not be able to stop a renewal.
      close({ error });
    }
  };
  const onStop = () => emit('stopping', { message: 'no new claims; waiting for what runs' });
  const onKill = () => emit('stopping', { message: 'ending what runs, giving the claims back' });
  const onClosed = () => changes.wake();
  if (stop.aborted) onStop();
  else stop.addEventListener('abort', onStop);
  kill.addEventListener('abort', onKill);
  closed.addEventListener('abort', onClosed);
  const run: Run = {
    store,
    env,
    session,
    command: options.command,
    perStep: options.perStep ?? false,
    base: options.base,
    lease: options.lease,
    retries: options.retries,
    keepWorktrees: options.keepWorktrees ?? 'failed',
    graceMs: options.graceMs ?? 5000,
    logs: join(store.repository.commonDir, 'gitstate', 'logs', session),
    names: new Names(store, session),
    changes,
    closed,
    kill,
    completed: [],
    failed: [],
    skipped: new Map(),
    claimFailures: new Map(),
    running: new Set(),
    orphansEnding: null,
    emit,
    close,
  };
  const dispose = () => {
    stop.removeEventListener('abort', onStop);
    kill.removeEventListener('abort', onKill);
    closed.removeEventListener('abort', onClosed);
  };
  return { run, endings, dispose };
}
