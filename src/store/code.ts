import { lstatSync, realpathSync } from 'node:fs';
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { GitStateError } from '../errors.ts';
import type { Repository } from '../git/repository.ts';
import { addToExclude, addWorktree, listWorktrees } from '../git/worktrees.ts';

/** The code side of a claim: its branch, and the worktree in which it is worked on. */

export interface CodePlace {
  branch: string;
  /** Relative to the main worktree with `/`, or absolute. */
  worktree: string;
  /** Commit or branch at which a new branch starts; where it was `recorded`, else HEAD of the caller, by default. */
  base?: string | undefined;
  /** The commit at which the branch stood when a checkpoint was made. */
  recorded?: string | undefined;
}

/** Absolute path of a feature's worktree. @throws USAGE in a bare repository without `gitstate.worktreeRoot`. */
export function worktreePath({ mainWorkTree }: Repository, worktree: string): string {
  if (isAbsolute(worktree)) return worktree;
  if (mainWorkTree !== null) return join(mainWorkTree, worktree);
  throw new GitStateError('USAGE', 'a bare repository has no place for worktrees', {
    hint: 'name one: git config gitstate.worktreeRoot /absolute/path',
  });
}

/** Makes the worktree of a claim, or finds the one that stands there from an earlier attempt.
 *  @returns its absolute path and a warning where a hook of the user's failed.
 *  @throws BRANCH_EXISTS where the branch is checked out elsewhere, USAGE, COMMIT_NOT_FOUND, GIT_FAILED. */
export async function placeWorktree(
  repository: Repository,
  { branch, worktree, base, recorded }: CodePlace,
): Promise<{ path: string; warning: string | null }> {
  const path = worktreePath(repository, worktree);
  requireInside(repository, path, worktree);
  const known = await listWorktrees(repository);
  const holder = known.find((one) => one.branch === branch);
  if (holder && !holder.prunable) {
    if (isSame(holder.path, path)) return { path, warning: null };
    throw new GitStateError('BRANCH_EXISTS', `branch '${branch}' is checked out at '${holder.path}'`, {
      hint: 'switch that worktree to another branch, then claim again',
      details: { branch, worktree: holder.path },
    });
  }
  if (known.some((one) => one.prunable && isSame(one.path, path))) {
    await repository.git.run(['worktree', 'prune']);
  }
  hide(repository, path);
  const exists = (await oidOf(repository, `refs/heads/${branch}`)) !== null;
  const { warning } = await addWorktree(repository, {
    path,
    branch,
    base: exists ? null : await startOf(repository, base ?? recorded),
  });
  return { path, warning };
}

/** The commit at which a new branch starts. */
async function startOf(repository: Repository, base: string | undefined): Promise<string> {
  const oid = await oidOf(repository, base ?? 'HEAD');
  if (oid !== null) return oid;
  throw new GitStateError(
    base === undefined ? 'USAGE' : 'COMMIT_NOT_FOUND',
    `no commit '${base ?? 'HEAD'}' to start from`,
    {
      hint:
        base === undefined
          ? 'make a first commit, or give --base'
          : 'name a branch or commit that exists with --base',
    },
  );
}

async function oidOf(repository: Repository, name: string): Promise<string | null> {
  // HEAD is that of the directory the command was called from, which may be a linked worktree.
  const args = ['rev-parse', '--verify', '--quiet', '--end-of-options', `${name}^{commit}`];
  const { status, stdout } = await repository.git.run(args, { okStatuses: [0, 1, 128] });
  return status === 0 ? stdout.toString().trim() : null;
}

/** A folder of worktrees inside the main worktree is kept out of the user's `git status`. */
function hide({ mainWorkTree, commonDir }: Repository, path: string): void {
  if (mainWorkTree === null) return;
  const inside = relative(mainWorkTree, dirname(path));
  const top = inside.split(sep)[0];
  if (!top || top === '..' || isAbsolute(inside)) return;
  addToExclude(commonDir, `/${inside.split(sep).join('/')}/`);
}

/** A worktree root that leads out of the repository by a symbolic link is refused: nobody asked for that. */
function requireInside({ mainWorkTree }: Repository, path: string, worktree: string): void {
  if (isAbsolute(worktree) || mainWorkTree === null) return;
  for (let folder = dirname(path); folder.length > mainWorkTree.length; folder = dirname(folder)) {
    if (!lstatSync(folder, { throwIfNoEntry: false })?.isSymbolicLink()) continue;
    throw new GitStateError('USAGE', `'${folder}' is a symbolic link, so no worktree is made below it`, {
      hint: 'name the real folder: git config gitstate.worktreeRoot PATH',
    });
  }
}

/** Whether two paths lead to the same place. */
export function isSame(a: string, b: string): boolean {
  return resolve(a) === resolve(b) || realOrSelf(a) === realOrSelf(b);
}

function realOrSelf(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return resolve(path);
  }
}
