import { formerRef } from '../codec/tag.ts';
import type { CodeHead, Feature } from '../core/entities.ts';
import { GitStateError } from '../errors.ts';
import { filesInTheWay, keep, moveBranch, moveWorktree, rebasedIn } from '../git/branches.ts';
import { isFullRefName } from '../git/ids.ts';
import { isAncestor } from '../git/path-history.ts';
import type { ObjectReader } from '../git/reader.ts';
import type { Repository } from '../git/repository.ts';
import { listWorktrees } from '../git/worktrees.ts';
import { isSame, worktreePath } from './code.ts';

/** Code that goes back to where a checkpoint had it. Nothing is lost by it: not what no commit holds, which is refused,
 *  and no commits, whose head is kept. */

export interface CodeMove {
  feature: string;
  branch: string;
  /** Absolute path of the worktree that goes along; null where the branch is checked out nowhere. */
  worktree: string | null;
  /** Where the branch stands now; null where there is none. */
  from: string | null;
  to: string;
  /** Ref that keeps the former head; null where nothing would be lost without it. */
  kept: string | null;
}

interface Code {
  repository: Repository;
  reader: ObjectReader;
  /** The state branch, which is no code. */
  branchRef: string;
}

/** What has to move so that the branch of `feature` is at `head`; null where it is there already.
 *  @throws COMMIT_NOT_FOUND where the head is gone, CONFLICT where uncommitted work stands in the way (`files`),
 *  BRANCH_EXISTS where the branch is checked out elsewhere, or in the middle of a rebase. */
export async function planCodeMove(
  { repository, reader, branchRef }: Code,
  session: string,
  feature: Pick<Feature, 'id' | 'worktree'>,
  { branch, oid: to }: CodeHead,
): Promise<CodeMove | null> {
  const ref = `refs/heads/${branch}`;
  if (!isFullRefName(ref) || ref === branchRef) {
    throw new GitStateError('INVALID_INPUT', `'${branch}' is no branch of code`, {
      details: { feature: feature.id, branch },
    });
  }
  if ((await reader.info(to))?.type !== 'commit') {
    throw new GitStateError('COMMIT_NOT_FOUND', `the code head ${to} of feature '${feature.id}' is gone`, {
      hint: 'it may stand on a remote: git fetch --all',
      details: { feature: feature.id, branch, oid: to },
    });
  }
  const from = (await reader.info(ref))?.oid ?? null;
  if (from === to) return null;
  const worktree = await worktreeOf(repository, feature, branch);
  if (worktree !== null) await requireNothingInTheWay(repository, worktree, { branch, to });
  const dropped = from !== null && !(await isAncestor(repository, from, to));
  return {
    feature: feature.id,
    branch,
    worktree,
    from,
    to,
    kept: dropped ? formerRef(session, feature.id, from) : null,
  };
}

/** The worktree in which the branch is checked out, which must be the feature's own. */
async function worktreeOf(
  repository: Repository,
  { worktree }: Pick<Feature, 'worktree'>,
  branch: string,
): Promise<string | null> {
  const rebasing = rebasedIn(repository, branch);
  if (rebasing !== null) throw branchExists(branch, rebasing, 'being rebased');
  const holder = (await listWorktrees(repository)).find((one) => one.branch === branch && !one.prunable);
  if (!holder) return null;
  const own = worktree === null ? null : worktreePath(repository, worktree);
  if (own !== null && isSame(holder.path, own)) return holder.path;
  throw branchExists(branch, holder.path, 'checked out');
}

function branchExists(branch: string, place: string, how: string): GitStateError {
  return new GitStateError('BRANCH_EXISTS', `branch '${branch}' is ${how} at '${place}'`, {
    hint: 'switch that worktree to another branch, then restore again',
    details: { branch, worktree: place },
  });
}

async function requireNothingInTheWay(
  repository: Repository,
  worktree: string,
  { branch, to }: { branch: string; to: string },
): Promise<void> {
  const files = await filesInTheWay(repository, worktree, to);
  if (files.length === 0) return;
  const more = files.length > 3 ? `, and ${files.length - 3} more` : '';
  const message = `uncommitted work in '${worktree}' stands in the way: ${files.slice(0, 3).join(', ')}${more}`;
  throw new GitStateError('CONFLICT', message, {
    hint: 'commit it, or put it aside with `git stash --include-untracked`, then restore again',
    details: { branch, worktree, files },
  });
}

/** Moves the branch, and its worktree where there is one. @throws GIT_FAILED where it moved meanwhile. */
export async function moveCode(
  { repository }: Pick<Code, 'repository'>,
  session: string,
  move: CodeMove,
): Promise<CodeMove> {
  const { feature, worktree, from, to, kept } = move;
  // What is to be kept is held before anything moves.
  if (kept !== null) await keep(repository, kept, from!);
  if (worktree === null) {
    await moveBranch(repository, move);
    return move;
  }
  const former = await moveWorktree(repository, worktree, to);
  if (former === from) return move;
  // Somebody committed in between: that commit is held as well.
  const late = formerRef(session, feature, former);
  await keep(repository, late, former);
  return { ...move, from: former, kept: late };
}
