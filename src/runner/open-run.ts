import { join } from 'node:path';
import { parseDuration } from '../core/time.ts';
import { GitStateError } from '../errors.ts';
import { Changes } from './changes.ts';
import { Names } from './names.ts';
import type { WorkOptions } from './options.ts';
import type { Run } from './run.ts';

interface Endings {
  budget?: string;
  error?: unknown;
}

/** What the workers share, and what made the run end before its time. */
export function openRun(
  options: WorkOptions,
  { session, mergeInto }: { session: string; mergeInto: string | null },
) {
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
    backoff: options.backoff ?? '5s',
    match: options.match,
    timeoutMs: options.timeout === undefined ? null : durationOf(options.timeout),
    setup: options.setup ?? null,
    teardown: options.teardown ?? null,
    mergeInto,
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

function durationOf(text: string): number {
  const durationMs = parseDuration(text);
  if (durationMs !== null && durationMs > 0) return durationMs;
  throw new GitStateError('INVALID_INPUT', `'${text}' is no time limit`, {
    hint: "limits look like '90s', '15m' or '2h'",
  });
}
