import { isGitStateError } from '../errors.ts';
import { damagedObject } from './cat-file.ts';
import type { Oid } from './objects.ts';
import type { Repository } from './repository.ts';

/** A commit that touched some files, and what it made of each. */
export interface PathCommit {
  commit: Oid;
  files: PathChange[];
}

export interface PathChange {
  path: string;
  /** The file's blob before and after; null where there was none. */
  before: Oid | null;
  after: Oid | null;
}

interface Range {
  tip: Oid;
  /** Commits that this one has are left out. */
  since?: Oid | undefined;
  /** Files or folders, as they stand in the tree. */
  paths: readonly string[];
}

/** The commits on the first line of `tip` that touched the files, newest first. Git compares the trees above the
 *  files alone, so it costs what a walk limited to a path costs, however large the rest of the state is.
 *  @throws CORRUPT_STATE where an object is damaged, GIT_FAILED. Source: git-rev-list(1), git-diff-tree(1). */
export async function pathHistory(repository: Repository, range: Range): Promise<PathCommit[]> {
  try {
    return await walked(repository, range);
  } catch (error) {
    throw damageIn(error);
  }
}

/** A walk that fails because an object cannot be read says so in Git's words. */
function damageIn(error: unknown): unknown {
  if (!isGitStateError(error, 'GIT_FAILED')) return error;
  const { stderr } = error.details as { stderr?: string };
  const said = /(?:is empty|is corrupt|could not read|unable to (?:read|unpack|parse)|bad object|missing)/i;
  const [, folder = '', rest] = /\b([0-9a-f]{2})\/?([0-9a-f]{38,62})\b/.exec(stderr ?? '') ?? [];
  return rest !== undefined && said.test(stderr!) ? damagedObject(folder + rest, stderr) : error;
}

async function walked({ git }: Repository, { tip, since, paths }: Range): Promise<PathCommit[]> {
  const range = ['--end-of-options', tip, ...(since === undefined ? [] : [`^${since}`])];
  const list = ['--literal-pathspecs', 'rev-list', '--first-parent', ...range, '--', ...paths];
  const { stdout: commits } = await git.run(list, { timeoutMs: 300_000 });
  if (commits.length === 0) return [];
  const flags = [
    '--stdin',
    '--root',
    '-r',
    '--raw',
    '--no-abbrev',
    '--no-renames',
    '--diff-merges=first-parent',
  ];
  const args = ['--literal-pathspecs', '-c', 'core.quotePath=false', 'diff-tree', ...flags, '--', ...paths];
  const { stdout } = await git.run(args, { input: commits, timeoutMs: 300_000 });
  return parse(stdout.toString());
}

function parse(text: string): PathCommit[] {
  const found: PathCommit[] = [];
  for (const line of text.split('\n')) {
    const change = /^:\d+ \d+ ([0-9a-f]+) ([0-9a-f]+) [A-Z]\d*\t(.*)$/.exec(line);
    if (change) {
      const [, before, after, path] = change as unknown as [string, string, string, string];
      found.at(-1)?.files.push({ path, before: orNull(before), after: orNull(after) });
    } else if (line !== '') found.push({ commit: line, files: [] });
  }
  return found;
}

function orNull(oid: string): Oid | null {
  return /^0+$/.test(oid) ? null : oid;
}

/** Whether `oid` is `tip` or one of its ancestors. */
export async function isAncestor({ git }: Repository, oid: Oid, tip: Oid): Promise<boolean> {
  if (oid === tip) return true;
  const { status } = await git.run(['merge-base', '--is-ancestor', oid, tip], { okStatuses: [0, 1, 128] });
  return status === 0;
}
