import { lstatSync, realpathSync } from 'node:fs';
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { GitStateError } from '../errors.ts';
import { canMerge, requireNotCheckedOut } from '../git/merge.ts';
import type { Repository } from '../git/repository.ts';
import { addToExclude, addWorktree, listWorktrees, type Worktree } from '../git/worktrees.ts';
import { writeNote } from './claim-file.ts';

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
  const there = known.find((one) => isSame(one.path, path));
  if (there && !there.prunable) return { path, warning: requireUsable(there, { path, branch }) };
  if (there) await repository.git.run(['worktree', 'prune']);
  hide(repository, path);
  const exists = (await oidOf(repository, `refs/heads/${branch}`)) !== null;
  const start = exists ? null : await startOf(repository, base ?? recorded);
  try {
    const { warning } = await addWorktree(repository, { path, branch, base: start });
    if (start !== null) await writeNote(path, 'base', start);
    return { path, warning };
  } catch (error) {
    if (start !== null) await requireRoomFor(repository, branch);
    throw error;
  }
}

/** A worktree that an earlier attempt left without a branch, as in the middle of a rebase, is gone on with; one that has
 *  another branch may be somebody's. @returns a warning. @throws BRANCH_EXISTS */
function requireUsable(there: Worktree, { path, branch }: { path: string; branch: string }): string {
  if (there.detached)
    return `the worktree '${path}' has no branch checked out; what it commits is not on '${branch}'`;
  throw new GitStateError(
    'BRANCH_EXISTS',
    `the worktree '${path}' has branch '${there.branch}' checked out`,
    {
      hint: `put it back on its own: git -C '${path}' switch '${branch}'`,
      details: { branch: there.branch, worktree: path },
    },
  );
}

/** Git cannot keep a branch `a` beside a branch `a/b`. @throws BRANCH_EXISTS */
async function requireRoomFor(repository: Repository, branch: string): Promise<void> {
  const parts = branch.split('/');
  const above = parts.slice(1).map((_, index) => `refs/heads/${parts.slice(0, index + 1).join('/')}`);
  const taken = await Promise.all(
    above.map(async (ref) => ((await oidOf(repository, ref)) ? ref : undefined)),
  );
  const below = repository.git.text([
    'for-each-ref',
    '--count=1',
    '--format=%(refname)',
    `refs/heads/${branch}/`,
  ]);
  const inTheWay = taken.find(Boolean) ?? ((await below) || undefined);
  if (inTheWay === undefined) return;
  const other = inTheWay.slice('refs/heads/'.length);
  throw new GitStateError('BRANCH_EXISTS', `branch '${other}' stands in the way of a branch '${branch}'`, {
    hint: `rename it: git branch -m '${other}' NEW-NAME`,
    details: { branch, other },
  });
}

/** The commit at which a new branch starts. */
async function startOf(repository: Repository, base: string | undefined): Promise<string> {
  const oid = await oidOf(repository, base ?? 'HEAD');
  if (oid !== null) return oid;
  throw noCommit(base);
}

function noCommit(base: string | undefined): GitStateError {
  return base === undefined
    ? new GitStateError('USAGE', "no commit 'HEAD' to start from", {
        hint: 'make a first commit, or give --base',
      })
    : new GitStateError('COMMIT_NOT_FOUND', `no commit '${base}' to start from`, {
        hint: 'name a branch or commit that exists with --base',
      });
}

/** The branch that is the base, by its full name, if finished work can be merged into it.
 *  @param base short or full name; the branch of the caller's HEAD by default.
 *  @throws USAGE, COMMIT_NOT_FOUND, BRANCH_EXISTS. */
export async function mergeBase(
  { repository, branchRef }: { repository: Repository; branchRef: string },
  base: string | undefined,
): Promise<string> {
  const ref = await branchNamed(repository, base);
  const usage = (message: string, hint: string) => new GitStateError('USAGE', message, { hint });
  if (!canMerge(repository))
    throw usage(
      `git ${repository.version.join('.')} cannot merge without a work tree`,
      'install Git 2.38 or newer',
    );
  if (ref === null && base === undefined)
    throw usage('HEAD is detached: there is no branch to merge into', 'name one with --base');
  if (ref === null || !(await isRef(repository, ref))) {
    if (base === undefined || (await oidOf(repository, base)) === null) throw noCommit(base);
    throw usage(`'${base}' is no branch to merge into`, 'name a local branch with --base');
  }
  if (ref === branchRef)
    throw usage(`'${base}' is the state branch`, 'name a branch of the code with --base');
  await requireNotCheckedOut(repository, ref);
  return ref;
}

async function isRef({ git }: Repository, ref: string): Promise<boolean> {
  const args = ['show-ref', '--verify', '--quiet', '--', ref];
  return (await git.run(args, { okStatuses: [0, 1, 128] })).status === 0;
}

async function branchNamed({ git }: Repository, base: string | undefined): Promise<string | null> {
  if (base?.startsWith('refs/heads/')) return base;
  if (base !== undefined && base !== 'HEAD') return `refs/heads/${base}`;
  const { stdout } = await git.run(['symbolic-ref', '--quiet', 'HEAD'], { okStatuses: [0, 1, 128] });
  return stdout.toString().trim() || null;
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
