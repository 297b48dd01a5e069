import { appendFileSync, mkdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { SimpleGit } from 'simple-git';
import { GitStateError } from '../errors.ts';
import { isOid } from './ids.ts';
import type { Oid } from './objects.ts';
import { inTurn, openPorcelain, toGitStateError } from './porcelain.ts';
import { isAtLeast, type Repository } from './repository.ts';

export interface Worktree {
  /** Absolute path. */
  path: string;
  /** null before the first commit and in a bare repository. */
  head: Oid | null;
  /** Short name of the branch that is checked out; null if there is none. */
  branch: string | null;
  bare: boolean;
  detached: boolean;
  locked: boolean;
  /** Whether its directory is gone, so that `git worktree prune` forgets it. */
  prunable: boolean;
}

/** All worktrees, the main one first. @throws GIT_FAILED. */
export async function listWorktrees(repository: Repository): Promise<Worktree[]> {
  const git = await openPorcelain(repository);
  const zeroTerminated = isAtLeast(repository.version, 2, 36);
  const output = await attempt(() =>
    git.raw('worktree', 'list', '--porcelain', ...(zeroTerminated ? ['-z'] : [])),
  );
  const separator = zeroTerminated ? '\0' : '\n';
  return output
    .split(separator + separator)
    .filter((block) => block.trim() !== '')
    .map((block) => parseWorktree(block.split(separator)));
}

function parseWorktree(lines: readonly string[]): Worktree {
  const attributes = new Map(
    lines.map((line) => {
      const space = line.indexOf(' ');
      return space === -1 ? [line, ''] : [line.slice(0, space), line.slice(space + 1)];
    }),
  );
  const head = attributes.get('HEAD') ?? '';
  return {
    path: attributes.get('worktree') ?? '',
    head: isOid(head) && !/^0+$/.test(head) ? head : null,
    branch: attributes.get('branch')?.replace(/^refs\/heads\//, '') ?? null,
    bare: attributes.has('bare'),
    detached: attributes.has('detached'),
    locked: attributes.has('locked'),
    prunable: attributes.has('prunable'),
  };
}

interface NewWorktree {
  path: string;
  /** Short name of the branch. */
  branch: string;
  /** Commit at which the branch is made; null checks out a branch that exists. */
  base: string | null;
}

/** Makes a linked worktree, and its branch unless `base` is null. The user's hooks run.
 *  @returns a warning where the worktree stands but a hook failed afterwards. @throws GIT_FAILED, USAGE. */
export async function addWorktree(
  repository: Repository,
  { path, branch, base }: NewWorktree,
): Promise<{ warning: string | null }> {
  for (const word of [branch, base]) requireNoOption(word);
  const absolute = resolve(repository.mainWorkTree ?? repository.commonDir, path);
  const git = await openPorcelain(repository, { userHooks: true });
  const add = async () => {
    // Asked each time: an attempt that lost a race may have made the branch already.
    const isNew = base !== null && !(await isBranchAt(git, { branch, base }));
    await git.raw(
      'worktree',
      'add',
      ...(isNew ? ['--no-track', '-b', branch] : []),
      '--',
      absolute,
      isNew ? base : branch,
    );
  };
  return inTurn(repository.commonDir, async () => {
    try {
      await againIfRaced(add);
      return { warning: null };
    } catch (error) {
      const standing = (await listWorktrees(repository)).some(
        (one) => one.branch === branch && one.path === absolute,
      );
      if (!standing) throw toGitStateError(error, 'worktree');
      return { warning: `the worktree was made, but ${toGitStateError(error, 'worktree').message}` };
    }
  });
}

function requireNoOption(word: string | null): void {
  if (word === '' || word?.startsWith('-'))
    throw new GitStateError('USAGE', `no name of a branch or commit: '${word}'`);
}

/** Whether `branch` exists and `base` names the same commit. */
async function isBranchAt(
  git: SimpleGit,
  { branch, base }: { branch: string; base: string },
): Promise<boolean> {
  const commitOf = async (name: string) => {
    const args = ['rev-parse', '--verify', '--quiet', '--end-of-options', `${name}^{commit}`];
    return git.raw(...args).catch(() => null);
  };
  const tip = await commitOf(`refs/heads/${branch}`);
  return tip !== null && tip === (await commitOf(base));
}

/** What parallel `git worktree add` say when one reads the half-written records of another. */
const raced =
  /commondir|cannot lock ref|config\.lock|could not lock config|bad object worktrees\/|invalid reference/i;

async function againIfRaced(action: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await action();
    } catch (error) {
      if (attempt === 8 || !raced.test(String((error as Error).message))) throw error;
      await new Promise((resolve) => setTimeout(resolve, attempt * (10 + Math.random() * 30)));
    }
  }
}

/** Removes a linked worktree; its branch stays. Never by force: Git refuses if it is dirty or locked. @throws GIT_FAILED. */
export async function removeWorktree(repository: Repository, path: string): Promise<void> {
  const git = await openPorcelain(repository);
  await inTurn(repository.commonDir, () => attempt(() => git.raw('worktree', 'remove', '--', path)));
}

/** Makes Git forget the worktrees whose directories are gone. @throws GIT_FAILED. */
export async function pruneWorktrees(repository: Repository): Promise<void> {
  const git = await openPorcelain(repository);
  await inTurn(repository.commonDir, () => attempt(() => git.raw('worktree', 'prune')));
}

export interface WorktreeStatus {
  /** Whether there are changes that no commit holds, untracked files included. */
  dirty: boolean;
  head: Oid | null;
  branch: string | null;
  /** Whether it has commits that no other local branch and no remote-tracking branch contains. */
  unpushed: boolean;
}

/** What would be lost if the worktree at `path` were removed. @throws GIT_FAILED, NOT_A_REPOSITORY. */
export async function worktreeStatus(repository: Repository, path: string): Promise<WorktreeStatus> {
  const git = await openPorcelain(repository, { path });
  return attempt(async () => {
    const status = await git.status(['--untracked-files=normal', '--ignore-submodules=none']);
    const head = await git.raw('rev-parse', '--verify', '--quiet', 'HEAD').catch(() => '');
    const branch = await git.raw('symbolic-ref', '--quiet', '--short', 'HEAD').catch(() => '');
    const others = branch === '' ? [] : [`--exclude=${branch.trim()}`];
    const own =
      head === ''
        ? ''
        : await git.raw('rev-list', '--max-count=1', 'HEAD', '--not', ...others, '--branches', '--remotes');
    return {
      dirty: !status.isClean(),
      head: head.trim() || null,
      branch: branch.trim() || null,
      unpushed: own !== '',
    };
  });
}

/** How many commits `revision` has beyond `base`, by default beyond the HEAD of the main worktree, and whether any of
 *  them is on no other local branch and no remote-tracking branch.
 *  @param path the worktree whose HEAD is meant. @returns null where there is no such revision. */
export async function commitsOn(
  { git, mainWorkTree, commonDir }: Repository,
  revision: string,
  base: string | null,
  path: string | null = null,
): Promise<{ ahead: number; unpushed: boolean } | null> {
  const main = { cwd: mainWorkTree ?? commonDir, env: { GIT_DIR: commonDir } };
  const at = path === null ? main : { cwd: path, env: { GIT_DIR: join(path, '.git'), GIT_WORK_TREE: path } };
  const read = async (args: string[], where: typeof main) => {
    const { status, stdout } = await git.run(args, { ...where, okStatuses: [0, 1, 128] });
    return status === 0 ? stdout.toString().trim() : null;
  };
  const verify = ['rev-parse', '--verify', '--quiet', '--end-of-options'];
  const tip = await read([...verify, `${revision}^{commit}`], at);
  if (tip === null) return null;
  const branch = await read(['symbolic-ref', '--quiet', revision], at);
  const own = branch ?? revision;
  const start = base ?? (await read([...verify, 'HEAD^{commit}'], main));
  const others = own.startsWith('refs/heads/') ? [`--exclude=${own.slice('refs/heads/'.length)}`] : [];
  const outside = ['rev-list', '--max-count=1', tip, '--not', ...others, '--branches', '--remotes'];
  const [ahead, alone] = await Promise.all([
    read(['rev-list', '--count', tip, ...(start === null ? [] : [`^${start}`])], main),
    read(outside, main),
  ]);
  return { ahead: Number(ahead ?? 0), unpushed: Boolean(alone) };
}

async function attempt<T>(action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw toGitStateError(error, 'worktree');
  }
}

/** Adds `line` to the repository's own list of ignored paths, `info/exclude`, unless it stands there. */
export function addToExclude(commonDir: string, line: string): void {
  const path = join(commonDir, 'info', 'exclude');
  mkdirSync(join(commonDir, 'info'), { recursive: true });
  let text = '';
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  if (text.split(/\r?\n/).includes(line)) return;
  appendFileSync(path, `${text === '' || text.endsWith('\n') ? '' : '\n'}${line}\n`);
}
