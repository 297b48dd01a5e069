import { GitStateError, isGitStateError } from '../errors.ts';
import { dropClaimFile, privateGitDir, readClaimFile } from '../store/claim-file.ts';
import { dropSummary, readSummary, summaryFileOf } from './logs.ts';
import { merge } from './merge.ts';
import { persist } from './persist.ts';
import { isLost } from './renewal.ts';
import { type Claim, proofOf, type Run } from './run.ts';
import type { Failed, Outcome } from './steps.ts';

interface Result {
  outcome: Outcome;
  durationMs: number;
}

/** Writes down what became of a claimed feature, and clears up. @throws what keeps it from being written. */
export async function settle(run: Run, claim: Claim, { outcome, durationMs }: Result): Promise<void> {
  dropOwnClaimFile(claim);
  const label = { worker: claim.worker, feature: claim.id };
  try {
    switch (outcome.kind) {
      case 'done':
        return await complete(run, claim, durationMs);
      case 'failed':
        return await fail(run, claim, outcome, durationMs);
      case 'skipped':
        run.skipped.set(claim.id, outcome.error);
        run.emit('skipped', { ...label, message: outcome.error });
        return await release(run, claim);
      case 'released':
        return await release(run, claim);
      case 'lost':
        return await afterLoss(run, claim, outcome.error, durationMs);
      default:
        return outcome satisfies never;
    }
  } catch (error) {
    if (!isLost(error)) throw error;
    await afterLoss(run, claim, error.message, durationMs);
  }
}

/** The file goes before the claim does: after that it may be the next worker's. */
function dropOwnClaimFile({ worktree, token }: Claim): void {
  const gitDir = privateGitDir(worktree);
  if (gitDir !== null && readClaimFile(gitDir)?.token === token) dropClaimFile(worktree);
}

async function complete(run: Run, claim: Claim, durationMs: number): Promise<void> {
  const summaryFile = summaryFileOf(run, claim);
  const summary = await readSummary(summaryFile);
  // Steps that were given up on the way are skipped; `--per-step` went through all of them.
  const skipRemaining = run.perStep && claim.feature.steps.length > 0 ? undefined : true;
  try {
    const unmerged = run.mergeInto === null ? null : await merge(run, claim, run.mergeInto, skipRemaining);
    if (unmerged !== null)
      return await fail(run, claim, { error: unmerged, log: null, final: true }, durationMs);
    await persist(run, (again) =>
      run.store.complete({ ...proofOf(run, claim), summary, skipRemaining, ...again }),
    );
  } catch (error) {
    if (!isRefusal(error)) throw error;
    return fail(run, claim, { error: error.message, log: null }, durationMs);
  }
  dropSummary(summaryFile);
  await completed(run, claim, durationMs, summary);
}

/** A completion that is refused for the feature's own sake is a failed attempt. */
function isRefusal(error: unknown): error is GitStateError {
  return isGitStateError(error, 'STEPS_REMAIN', 'QUALITY_UNMET', 'BUDGET_EXCEEDED', 'INVALID_INPUT');
}

async function completed(run: Run, claim: Claim, durationMs: number, summary?: string): Promise<void> {
  const { worker, id: feature } = claim;
  run.completed.push(feature);
  run.emit('completed', { worker, feature, attempt: claim.attempt, duration_ms: durationMs, summary });
  run.changes.wake();
  if (run.keepWorktrees !== 'always') await removeWorktree(run, claim);
}

type Failure = Omit<Failed, 'kind'> & {
  kind?: 'failed';
  /** Whether trying again would come to the same. */
  final?: true;
};

async function fail(run: Run, claim: Claim, failure: Failure, durationMs: number): Promise<void> {
  const { kind: _kind, final, ...fields } = failure;
  const limits = final ? { noRetry: true } : { maxRetries: run.retries };
  const { status } = await persist(run, (again) =>
    run.store.fail({ ...proofOf(run, claim), error: failure.error, ...limits, ...again }),
  );
  const { worker, id: feature, attempt } = claim;
  const will_retry = status === 'pending';
  const label = { worker, feature, attempt, duration_ms: durationMs };
  run.emit('failed', { ...label, ...fields, exit_status: fields.status, will_retry });
  if (will_retry) return;
  run.failed.push({ feature, error: failure.error, log: failure.log });
  run.changes.wake();
  if (run.keepWorktrees === 'never') await removeWorktree(run, claim);
  else run.emit('worktree_kept', { worker, feature, worktree: claim.worktree, message: 'it failed' });
}

async function release(run: Run, claim: Claim): Promise<void> {
  await persist(run, (again) => run.store.release({ ...proofOf(run, claim), ...again }));
  run.emit('released', { worker: claim.worker, feature: claim.id });
}

/** The claim has ended without us: by the command itself, by hand, or by a takeover. */
async function afterLoss(run: Run, claim: Claim, message: string, durationMs: number): Promise<void> {
  const { worker, id: feature } = claim;
  const now = await run.store.show({ session: run.session, feature }).catch(() => null);
  if (now?.status === 'completed' && now.completed_by === worker) {
    return completed(run, claim, durationMs, now.summary ?? undefined);
  }
  if (now?.status === 'failed' && now.failed_by === worker) {
    run.failed.push({ feature, error: now.error ?? message, log: null });
  }
  run.emit('lost', { worker, feature, message, holder: now?.worker_id ?? null, status: now?.status ?? null });
}

/** Nothing uncommitted is ever removed, and the branch always stays. */
async function removeWorktree(run: Run, { worker, id: feature, worktree }: Claim): Promise<void> {
  await removeOrKeep(run, { worker, feature, worktree });
}

/** Removes what runners left that were killed after a completion, unless all worktrees are to be kept. */
export async function tidyWorktrees(run: Run): Promise<void> {
  if (run.keepWorktrees === 'always') return;
  for (const left of await run.store.runner.leftWorktrees({ session: run.session }))
    await removeOrKeep(run, left);
}

async function removeOrKeep(
  run: Run,
  label: { worker?: string; feature: string; worktree: string },
): Promise<void> {
  const { worktree } = label;
  try {
    const kept = await persist(run, () => run.store.runner.removeWorktree(worktree));
    if (kept === null) run.emit('worktree_removed', label);
    else run.emit('worktree_kept', { ...label, message: kept });
  } catch (error) {
    if (!(error instanceof GitStateError)) throw error;
    run.emit('worktree_kept', { ...label, message: error.message });
  }
}
