import { dropClaimFile, dropNote, writeNote } from '../store/claim-file.ts';
import { isPassing, persist } from './persist.ts';
import type { Claim, Run } from './run.ts';
import { proofOf } from './run.ts';

/** Claims what is next, with its worktree. @returns null where no claim is wanted any more.
 *  @throws what `claim` refuses; details name the feature where its worktree could not be made. */
export async function takeClaim(run: Run, worker: string): Promise<Claim | null> {
  const { store, session, base, lease, match, backoff } = run;
  const answer = await persist(
    run,
    (again) => {
      // Our own features are not abandoned, however late their renewal is.
      const except = [...run.skipped.keys(), ...run.running];
      return store.claim({
        ...{ session, worker, worktree: true, runner: true, base, lease },
        ...{ except, match, backoff },
        ...again,
      });
    },
    // A claim whose worktree failed has been given back, and the next feature may fare better.
    (error) => isPassing(error) && error.details.feature === undefined && !run.closed.aborted,
  );
  const { feature } = answer;
  const claim: Claim = {
    feature,
    id: feature.id,
    worker: answer.worker,
    token: answer.token!,
    worktree: answer.worktree!,
    branch: answer.branch ?? '',
    attempt: feature.retry_count + 1,
    expiresAt: answer.expires_at,
    formerClaim: answer.commit === null ? null : await store.runner.predecessor(answer.commit),
  };
  if (run.keepWorktrees === 'always') dropNote(claim.worktree, 'passing');
  else await writeNote(claim.worktree, 'passing', 'work\n');
  if (!run.closed.aborted) return claim;
  dropClaimFile(claim.worktree);
  await persist(run, (again) => store.release({ ...proofOf(run, claim), ...again }));
  run.emit('released', { worker, feature: feature.id });
  return null;
}
