import { type GitStateError, isGitStateError } from '../errors.ts';
import { isPassing, persist } from './persist.ts';
import { isLost } from './renewal.ts';
import { type Claim, proofOf, type Run } from './run.ts';

/** Merges a feature's branch into the base, before the feature is completed and under the same token.
 *  @returns why it cannot be merged; null once it is. @throws what `complete` refuses, and what passes. */
export async function merge(
  run: Run,
  claim: Claim,
  into: string,
  skipRemaining: true | undefined,
): Promise<string | null> {
  const { branch, feature } = claim;
  const base = into.replace(/^refs\/heads\//, '');
  const message = `Merge branch '${branch}' into ${base}\n\n${feature.name}\n`;
  try {
    const merged = await persist(
      run,
      () => run.store.runner.merge({ ...proofOf(run, claim), skipRemaining, into, branch, message }),
      // A hook that refuses the move will go on to do so.
      (error) => isPassing(error) && error.details.command !== 'update-ref',
    );
    if (merged.kind === 'conflict')
      return `merging '${branch}' into '${base}' conflicts in: ${merged.files.join(', ')}`;
    if (merged.kind === 'merged') {
      const { oid: commit, fastForward: fast_forward } = merged;
      run.emit('merged', {
        worker: claim.worker,
        feature: claim.id,
        branch,
        into: base,
        commit,
        fast_forward,
      });
    }
    return null;
  } catch (error) {
    if (!isGitStateError(error, 'BRANCH_EXISTS', 'COMMIT_NOT_FOUND', 'GIT_FAILED') || isLost(error))
      throw error;
    return `'${branch}' cannot be merged into '${base}': ${(error as GitStateError).message}`;
  }
}
