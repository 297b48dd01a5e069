import { dropNote, readNote, writeNote } from '../store/claim-file.ts';
import { endOfLog } from './logs.ts';
import { type Outcome, runCommand, type Work } from './steps.ts';

/** The user's commands before and after the work in a worktree. A setup lasts: it is run once in a worktree, and again
 *  where it failed, was cut off, reads differently, or a teardown came since. */

/** How long a teardown may go on after the run was ended. */
const lastMs = 30_000;

/** @returns why the attempt is over before it began; null where all is set up. */
export async function setUp(work: Work): Promise<Outcome | null> {
  const { run, claim } = work;
  const { setup } = run;
  if (setup === null || readNote(claim.worktree, 'setup') === setup) return null;
  dropNote(claim.worktree, 'setup');
  const outcome = await runCommand(work, {
    command: ['sh', '-c', setup],
    step: claim.feature.current_step,
    logOf: 'setup',
  });
  if (outcome.kind === 'done') {
    await writeNote(claim.worktree, 'setup', setup);
    return null;
  }
  if (outcome.kind !== 'failed' || outcome.timed_out) return outcome;
  const said = outcome.log === null ? '' : await endOfLog(outcome.log).catch(() => '');
  const how = outcome.signal ? `was ended by ${outcome.signal}` : `exited with status ${outcome.status}`;
  return { ...outcome, error: [said, `the setup command ${how}`].filter(Boolean).join('\n') };
}

/** What it comes to decides nothing: the work is done, or has failed, already. */
export async function tearDown(work: Work): Promise<void> {
  const { run, claim, renewal } = work;
  if (run.teardown === null || renewal.lost.aborted) return;
  // From here on the worktree is no longer set up, even if this process should not live to see the end.
  dropNote(claim.worktree, 'setup');
  const limit = new AbortController();
  const end = () => limit.abort();
  const timers = run.timeoutMs === null ? [] : [timerFor(end, run.timeoutMs)];
  const onKill = () => timers.push(timerFor(end, lastMs));
  if (run.kill.aborted) onKill();
  else run.kill.addEventListener('abort', onKill, { once: true });
  try {
    const outcome = await runCommand(work, {
      command: ['sh', '-c', run.teardown],
      step: claim.feature.current_step,
      logOf: 'teardown',
      abort: AbortSignal.any([renewal.lost, limit.signal]),
    });
    if (outcome.kind === 'done' || outcome.kind === 'lost') return;
    const message = 'error' in outcome && !limit.signal.aborted ? outcome.error : 'it took too long';
    const log = outcome.kind === 'failed' ? { log: outcome.log } : {};
    run.emit('teardown_failed', { worker: claim.worker, feature: claim.id, message, ...log });
  } finally {
    for (const timer of timers) clearTimeout(timer);
    run.kill.removeEventListener('abort', onKill);
  }
}

/** The longest that a timer can wait; longer limits are none. */
const timerMsMax = 2 ** 31 - 1;

export function timerFor(action: () => void, delayMs: number): NodeJS.Timeout {
  return setTimeout(() => delayMs <= timerMsMax && action(), Math.min(delayMs, timerMsMax));
}
