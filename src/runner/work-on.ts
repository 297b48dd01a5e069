import { formatDuration } from '../core/time.ts';
import { endProcessesOf } from './former.ts';
import { dropSummary, summaryFileOf } from './logs.ts';
import { Renewal } from './renewal.ts';
import type { Claim, Run } from './run.ts';
import { settle } from './settle.ts';
import { firstUnfinished, type Outcome, runSteps, type Work } from './steps.ts';
import { setUp, tearDown, timerFor } from './surroundings.ts';

/** Works on a claimed feature until its claim has ended, one way or another.
 *  @throws what keeps the outcome from being written down. */
export async function workOn(run: Run, claim: Claim): Promise<void> {
  const { worker, id: feature, attempt, worktree, branch, formerClaim } = claim;
  run.running.add(feature);
  const renewal = new Renewal(run, claim);
  try {
    const takeover = formerClaim && { worker: formerClaim.worker, reason: formerClaim.reason };
    run.emit('claimed', {
      worker,
      feature,
      attempt,
      worktree,
      branch,
      name: claim.feature.name,
      ...(takeover && { takeover }),
    });
    const startedMs = run.env.now();
    const outcome = await outcomeOf(run, claim, renewal);
    await settle(run, claim, { outcome, durationMs: run.env.now() - startedMs });
  } finally {
    renewal.stop();
    run.running.delete(feature);
    run.changes.wake();
  }
}

async function outcomeOf(run: Run, claim: Claim, renewal: Renewal): Promise<Outcome> {
  if (claim.formerClaim && (await endProcessesOf(run, claim.formerClaim)) === 'survives') {
    return { kind: 'skipped', error: 'what an earlier run started still works on it and could not be ended' };
  }
  const summaryFile = summaryFileOf(run, claim);
  // What earlier steps of this attempt left there still counts; anything else is of another run.
  const begins = !run.perStep || claim.feature.steps.every(({ status }) => status !== 'completed');
  if (begins || firstUnfinished(claim.feature) === claim.feature.steps[0]?.name) dropSummary(summaryFile);
  const deadline = deadlineOf(run);
  const work: Work = { run, claim, renewal, summaryFile, deadline: deadline.signal };
  try {
    return (await setUp(work)) ?? (await runSteps(work));
  } finally {
    deadline.stop();
    await tearDown(work);
  }
}

/** The end of an attempt's time. */
function deadlineOf({ timeoutMs }: Run): { signal: AbortSignal; stop(): void } {
  const controller = new AbortController();
  if (timeoutMs === null) return { signal: controller.signal, stop: () => {} };
  const reason = `the attempt was ended at its time limit of ${formatDuration(timeoutMs)}`;
  const timer = timerFor(() => controller.abort(reason), timeoutMs);
  return { signal: controller.signal, stop: () => clearTimeout(timer) };
}
