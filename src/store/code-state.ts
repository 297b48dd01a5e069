import { resolve } from 'node:path';
import type { Feature } from '../core/entities.ts';
import type { Repository } from '../git/repository.ts';
import { commitsOn, listWorktrees, worktreeStatus } from '../git/worktrees.ts';
import { readNote } from './claim-file.ts';
import { worktreePath } from './code.ts';

/** What a feature's worktree holds that is nowhere else. */
export interface CodeState {
  /** Absolute path. */
  path: string;
  /** The feature's branch. */
  branch: string | null;
  /** The branch that is checked out there; null where none is, or the worktree is missing. */
  checked_out: string | null;
  /** Whether the feature's branch is the one that is checked out. */
  on_branch: boolean;
  /** Whether there are changes that no commit holds, untracked files included. */
  dirty: boolean;
  /** Commits that have come since the branch was made. */
  ahead: number;
  /** Whether it has commits that no other local branch and no remote-tracking branch contains. */
  unpushed: boolean;
  /** Whether the folder is gone. What was committed is on the branch all the same. */
  missing: boolean;
}

const nothing = { ahead: 0, unpushed: false };

/** @returns for each feature, in order; null for one that has no worktree. */
export async function codeStatesOf(
  repository: Repository,
  features: readonly Feature[],
): Promise<(CodeState | null)[]> {
  if (features.every(({ worktree }) => worktree === null)) return features.map(() => null);
  const standing = (await listWorktrees(repository)).filter(({ prunable }) => !prunable);
  const paths = new Set(standing.map(({ path }) => resolve(path)));
  const states: (CodeState | null)[] = [];
  for (const feature of features) states.push(await codeStateOf(repository, feature, paths));
  return states;
}

async function codeStateOf(
  repository: Repository,
  { branch, worktree }: Feature,
  standing: ReadonlySet<string>,
): Promise<CodeState | null> {
  if (worktree === null) return null;
  const path = worktreePath(repository, worktree);
  const missing = !standing.has(resolve(path));
  if (missing) {
    const work = branch === null ? null : await commitsOn(repository, `refs/heads/${branch}`, null);
    return { path, branch, checked_out: null, on_branch: false, dirty: false, ...(work ?? nothing), missing };
  }
  const { dirty, branch: checkedOut } = await worktreeStatus(repository, path);
  // A branch without a first commit has nothing to lose.
  const work = (await commitsOn(repository, 'HEAD', readNote(path, 'base'), path)) ?? nothing;
  const on_branch = branch !== null && checkedOut === branch;
  return { path, branch, checked_out: checkedOut, on_branch, dirty, ...work, missing };
}
