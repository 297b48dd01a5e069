import { type GitStateError, isGitStateError } from '../errors.ts';
import { takeClaim } from './claiming.ts';
import { endOrphans } from './former.ts';
import { isPassing } from './persist.ts';
import type { Claim, Run } from './run.ts';
import { workOn } from './work-on.ts';

/** One worker: claims, works, and claims again until nothing is left for it. Never rejects. */
export async function runWorker(run: Run): Promise<void> {
  const worker: Worker = { name: '', waiting: false, pauseEndMs: undefined };
  try {
    worker.name = await run.names.take();
    while (!run.closed.aborted) {
      const tip = await run.store.tip();
      const next = await nextFor(run, worker);
      if (next === 'nothing') return;
      if (next === 'wait' && !run.closed.aborted) await run.changes.wait(tip, worker.pauseEndMs);
      else if (typeof next === 'object') await workOn(run, next);
    }
  } catch (error) {
    run.close({ error });
  } finally {
    run.names.giveBack(worker.name);
  }
}

interface Worker {
  name: string;
  /** Whether it has said that it waits. */
  waiting: boolean;
  /** When the first of the features that failed may be tried again. */
  pauseEndMs: number | undefined;
}

type Next = Claim | 'again' | 'wait' | 'nothing';

async function nextFor(run: Run, worker: Worker): Promise<Next> {
  try {
    const claim = await takeClaim(run, worker.name);
    worker.waiting = false;
    return claim ?? 'nothing';
  } catch (error) {
    if (!isGitStateError(error)) throw error;
    if (run.closed.aborted && isPassing(error)) return 'nothing';
    return afterRefusal(run, worker, error);
  }
}

/** What to do after a claim was refused. @throws what leaves nothing to go on with. */
async function afterRefusal(run: Run, worker: Worker, error: GitStateError): Promise<Next> {
  switch (error.code) {
    case 'NOTHING_READY':
      if (await endOrphans(run)) return 'again';
      worker.pauseEndMs = pauseEndOf(error);
      if (worker.pauseEndMs === undefined && !mayUnblock(error)) return 'nothing';
      if (!worker.waiting) run.emit('waiting', { worker: worker.name, message: error.message });
      worker.waiting = true;
      return 'wait';
    case 'WORKER_BUSY':
    case 'ALREADY_CLAIMED':
      worker.name = await run.names.exchange(worker.name);
      return 'again';
    case 'BUDGET_EXCEEDED':
      run.emit('budget_exceeded', { worker: worker.name, message: error.message });
      run.close({ budget: error.message });
      return 'nothing';
    default:
      return skip(run, worker, error);
  }
}

/** When the first pause after a failure is over; undefined where nothing pauses. */
function pauseEndOf({ details }: GitStateError): number | undefined {
  const pausing = (details.pausing ?? []) as { until: string }[];
  return pausing.length > 0 ? Math.min(...pausing.map(({ until }) => Date.parse(until))) : undefined;
}

/** Whether something may still become ready: a runner's claim ends by itself, and may fail; somebody's own claim is
 *  waited for only where it is all that a feature still waits for. */
function mayUnblock({ details }: GitStateError): boolean {
  const underWay = (details.in_progress ?? []) as { runner: boolean }[];
  const blocked = (details.blocked ?? []) as { blocked_by: { status: string }[] }[];
  return (
    underWay.some(({ runner }) => runner) ||
    blocked.some(({ blocked_by }) => blocked_by.every(({ status }) => status === 'in_progress'))
  );
}

/** Wrong for one feature: its branch or worktree could not be made, and its claim has been given back. */
const oneFeature = new Set(['BRANCH_EXISTS', 'GIT_FAILED', 'DISK_FULL', 'READ_ONLY', 'LOCKED']);

/** Most failures of Git pass; a branch that is checked out elsewhere stays so. */
const triesMax = 2;

async function skip(run: Run, { name }: Worker, error: GitStateError): Promise<Next> {
  const { feature } = error.details;
  if (typeof feature !== 'string' || !oneFeature.has(error.code)) throw error;
  const label = { worker: name, feature, code: error.code, message: error.message };
  const tries = (run.claimFailures.get(feature) ?? 0) + 1;
  run.claimFailures.set(feature, tries);
  if (error.code !== 'BRANCH_EXISTS' && tries < triesMax) {
    run.emit('claim_failed', { ...label, will_retry: true });
    await run.env.sleep(200 + Math.random() * 300);
  } else {
    run.skipped.set(feature, error.message);
    run.emit('skipped', label);
  }
  return 'again';
}
