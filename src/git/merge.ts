import { GitStateError } from '../errors.ts';
import { gitFailed } from './failure.ts';
import type { Identity } from './identity.ts';
import { isOid } from './ids.ts';
import type { Oid } from './objects.ts';
import { isAtLeast, type Repository } from './repository.ts';
import { listWorktrees } from './worktrees.ts';

/** Merging one branch into another that nobody has checked out: no index and no work tree takes part. */

export interface Merge {
  /** Full name of the branch that moves. */
  target: string;
  /** Full name of the branch that is merged. */
  source: string;
  /** Message of a merge commit; a fast-forward makes none. */
  message: string;
  author: Identity;
  committer: Identity;
  /** Whether objects and the ref are flushed to the disk. */
  fsync: boolean;
}

export type Merged =
  /** `target` stands at `oid` now. */
  | { kind: 'merged'; oid: Oid; fastForward: boolean }
  /** `target` had everything already. */
  | { kind: 'current'; oid: Oid }
  | { kind: 'conflict'; files: string[] };

/** Races against other merges into the same branch. */
const triesMax = 40;

/** Whether this Git can merge without a work tree. */
export function canMerge({ version }: Repository): boolean {
  return isAtLeast(version, 2, 38);
}

/** Moves `target` by compare-and-swap to where it has all of `source`; again where others moved it meanwhile. The
 *  user's hooks run.
 *  @throws BRANCH_EXISTS where `target` is checked out, COMMIT_NOT_FOUND, GIT_FAILED, CONTENTION. */
export async function mergeBranch(repository: Repository, merge: Merge): Promise<Merged> {
  for (let tries = 1; tries <= triesMax; tries += 1) {
    await requireNotCheckedOut(repository, merge.target);
    const merged = await tryMerge(repository, merge);
    if (merged !== null) return merged;
    await new Promise((resolve) => setTimeout(resolve, Math.random() * Math.min(400, 10 * 2 ** tries)));
  }
  throw new GitStateError('CONTENTION', `lost ${triesMax} races for '${merge.target}'`, {
    hint: 'nothing was merged; try again',
  });
}

/** @throws BRANCH_EXISTS: its work tree would seem to take back what is merged. */
export async function requireNotCheckedOut(repository: Repository, ref: string): Promise<void> {
  const branch = ref.replace(/^refs\/heads\//, '');
  const holder = (await listWorktrees(repository)).find((one) => one.branch === branch && !one.prunable);
  if (!holder) return;
  throw new GitStateError('BRANCH_EXISTS', `branch '${branch}' is checked out at '${holder.path}'`, {
    hint: 'switch that worktree to another branch, or merge into one that is checked out nowhere',
    details: { branch, worktree: holder.path },
  });
}

/** @returns null after a lost race. */
async function tryMerge(repository: Repository, merge: Merge): Promise<Merged | null> {
  const { target, source } = merge;
  const [old, tip] = [await tipOf(repository, target), await tipOf(repository, source)];
  if (await isAncestor(repository, tip, old)) return { kind: 'current', oid: old };
  if (await isAncestor(repository, old, tip)) {
    const moved = await move(repository, merge, old, tip);
    return moved ? { kind: 'merged', oid: tip, fastForward: true } : null;
  }
  const tree = await mergeTrees(repository, merge, old, tip);
  if (typeof tree !== 'string') return { kind: 'conflict', files: tree };
  const oid = await commitMerge(repository, merge, { tree, parents: [old, tip] });
  return (await move(repository, merge, old, oid)) ? { kind: 'merged', oid, fastForward: false } : null;
}

async function tipOf({ git }: Repository, ref: string): Promise<Oid> {
  const args = ['rev-parse', '--verify', '--quiet', '--end-of-options', `${ref}^{commit}`];
  const { stdout } = await git.run(args, { okStatuses: [0, 1, 128] });
  const oid = stdout.toString().trim();
  if (isOid(oid)) return oid;
  throw new GitStateError('COMMIT_NOT_FOUND', `there is no branch '${ref.replace(/^refs\/heads\//, '')}'`);
}

async function isAncestor({ git }: Repository, old: Oid, young: Oid): Promise<boolean> {
  return (await git.run(['merge-base', '--is-ancestor', old, young], { okStatuses: [0, 1] })).status === 0;
}

/** @returns the tree, or the files that conflict. */
async function mergeTrees(
  { git }: Repository,
  { fsync }: Merge,
  ours: Oid,
  theirs: Oid,
): Promise<Oid | string[]> {
  const options = ['--write-tree', '-z', '--name-only', '--no-messages'];
  const args = [...flushing(fsync), 'merge-tree', ...options, ours, theirs];
  const { status, stdout } = await git.run(args, { okStatuses: [0, 1] });
  const [tree = '', ...files] = stdout.toString().split('\0');
  return status === 0 ? tree : files.filter((file) => file !== '');
}

async function commitMerge(
  { git }: Repository,
  { message, author, committer, fsync }: Merge,
  { tree, parents }: { tree: Oid; parents: Oid[] },
): Promise<Oid> {
  const args = ['commit-tree', tree, ...parents.flatMap((parent) => ['-p', parent]), '-F', '-'];
  return git.text([...flushing(fsync), '-c', 'i18n.commitEncoding=UTF-8', ...args], {
    input: message,
    env: {
      GIT_AUTHOR_NAME: author.name,
      GIT_AUTHOR_EMAIL: author.email,
      GIT_COMMITTER_NAME: committer.name,
      GIT_COMMITTER_EMAIL: committer.email,
    },
  });
}

/** @returns false where the ref is no longer at `from`. @throws GIT_FAILED, as where a hook refuses. */
async function move(repository: Repository, { target, source, committer, fsync }: Merge, from: Oid, to: Oid) {
  const reason = `merge ${source.replace(/^refs\/heads\//, '')}`;
  const lock = ['-c', 'core.filesRefLockTimeout=1000'];
  const args = [...flushing(fsync), ...lock, 'update-ref', '-m', reason, target, to, from];
  const { status, stderr } = await repository.git.run(args, {
    userHooks: true,
    okStatuses: [0, 1, 128],
    env: { GIT_COMMITTER_NAME: committer.name, GIT_COMMITTER_EMAIL: committer.email },
  });
  const now = await tipOf(repository, target);
  if (status === 0 || now === to) return true;
  if (now !== from) return false;
  // A hook's own words stand before Git's.
  const said = stderr.replace(/^(?:fatal|error):.*$/gm, '').trim() || stderr;
  throw gitFailed({ command: 'update-ref', status, stderr: said, details: { stderr } });
}

function flushing(fsync: boolean): string[] {
  return fsync ? ['-c', 'core.fsync=objects,reference'] : [];
}
