import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Oid } from './objects.ts';
import { inTurn, openPorcelain, toGitStateError } from './porcelain.ts';
import type { Repository } from './repository.ts';

/** Branches and worktrees of the user, moved to another commit without losing anything. */

/** What would be lost, or stand in the way, if the worktree at `path` were taken to `to`: files that no commit holds,
 *  ignored ones among them where `to` has a file of that name. Relative paths. @throws GIT_FAILED, NOT_A_REPOSITORY */
export async function filesInTheWay(repository: Repository, path: string, to: Oid): Promise<string[]> {
  const git = await openPorcelain(repository, { path });
  return attempt(async () => {
    const status = await git.raw(
      'status',
      '--porcelain',
      '-z',
      '--untracked-files=all',
      '--ignore-submodules=none',
      '--no-renames',
    );
    const uncommitted = status
      .split('\0')
      .filter(Boolean)
      .map((entry) => entry.slice(3));
    const flags = ['-r', '-z', '--name-only', '--no-renames', '--diff-filter=A'];
    const added = (await git.raw('diff-tree', ...flags, 'HEAD', to)).split('\0').filter(Boolean);
    const covered = added.filter((file) =>
      placesOf(file).some((place, index) => isInTheWay(join(path, place), index)),
    );
    return [...new Set([...uncommitted, ...covered])].sort();
  });
}

/** A file and the folders above it, itself first. */
function placesOf(file: string): string[] {
  const parent = dirname(file);
  return parent === '.' ? [file] : [file, ...placesOf(parent)];
}

/** Anything where a file is to come; a file where a folder is to come. */
function isInTheWay(path: string, index: number): boolean {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  return stat !== undefined && (index === 0 || !stat.isDirectory());
}

/** Takes the branch that is checked out at `path`, and its files, to `to`. Git refuses where work would be lost.
 *  @returns the commit that the branch had. @throws GIT_FAILED */
export async function moveWorktree(repository: Repository, path: string, to: Oid): Promise<Oid> {
  const git = await openPorcelain(repository, { path });
  return inTurn(repository.commonDir, () =>
    attempt(async () => {
      await git.raw('reset', '--quiet', '--keep', to);
      return (await git.raw('rev-parse', '--verify', 'ORIG_HEAD')).trim();
    }),
  );
}

/** Moves a branch that is checked out nowhere, or makes it. The user's hooks apply.
 *  @throws GIT_FAILED if it is no longer at `from`, or a hook refuses. */
export async function moveBranch(
  { git }: Repository,
  { branch, from, to }: { branch: string; from: Oid | null; to: Oid },
): Promise<void> {
  const ref = `refs/heads/${branch}`;
  const line = from === null ? `create ${ref} ${to}\n` : `update ${ref} ${to} ${from}\n`;
  const message = 'gitstate: put back where a checkpoint had it';
  await git.run(['update-ref', '-m', message, '--stdin'], { input: line, userHooks: true });
}

/** Makes `ref` hold a commit, so that nothing collects it. @throws GIT_FAILED */
export async function keep({ git }: Repository, ref: string, oid: Oid): Promise<void> {
  await git.run(['update-ref', ref, oid]);
}

/** The worktree in which a branch is being rebased, which Git shows as detached; null where it is in none. */
export function rebasedIn({ commonDir }: Repository, branch: string): string | null {
  const linked = join(commonDir, 'worktrees');
  const names = lstatSync(linked, { throwIfNoEntry: false }) ? readdirSync(linked) : [];
  for (const gitDir of [commonDir, ...names.map((name) => join(linked, name))]) {
    for (const folder of ['rebase-merge', 'rebase-apply']) {
      try {
        const head = readFileSync(join(gitDir, folder, 'head-name'), 'utf8').trim();
        if (head === `refs/heads/${branch}`) return gitDir;
      } catch {
        // No rebase there.
      }
    }
  }
  return null;
}

async function attempt<T>(action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw toGitStateError(error, 'worktree');
  }
}
