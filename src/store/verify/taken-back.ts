import type { History, HistoryCommit } from '../commits.ts';

/** Files in which a commit made by hand puts back what stood there earlier, or takes away what has come since: what
 *  happens where somebody commits in a checkout of the branch that has grown old. */
export async function takenBack({ repository }: History, { oid, parents }: HistoryCommit): Promise<string[]> {
  const [parent] = parents;
  if (parent === undefined) return [];
  const { git } = repository;
  const changed = changesIn(
    (await git.run(['diff-tree', '-r', '-z', '--no-renames', parent, oid])).stdout.toString(),
  );
  if (changed.size === 0) return [];
  const args = [
    'log',
    '-z',
    '--raw',
    '--no-abbrev',
    '--no-renames',
    '--first-parent',
    '--no-show-signature',
    '--format=',
  ];
  const paths = [...changed.keys()].slice(0, pathsMax);
  const { stdout } = await git.run([...args, '--end-of-options', parent, '--', ...paths]);
  const earlier = new Set(entriesIn(stdout.toString()).map(({ path, from }) => `${from} ${path}`));
  return paths.filter((path) => earlier.has(`${changed.get(path)} ${path}`)).sort();
}

/** More would not fit into a command line; they say enough. */
const pathsMax = 200;

interface RawEntry {
  path: string;
  /** Object ids before and after; all zeros where there is no file. */
  from: string;
  to: string;
}

/** Reads Git's raw format, with NUL behind each part. */
function entriesIn(text: string): RawEntry[] {
  const parts = text.split('\0').filter((part) => part !== '');
  const entries: RawEntry[] = [];
  for (let at = 0; at + 1 < parts.length; at += 1) {
    const match = /^\n?:\d+ \d+ ([0-9a-f]+) ([0-9a-f]+) [A-Z]/.exec(parts[at]!);
    if (!match) continue;
    at += 1;
    entries.push({ from: match[1]!, to: match[2]!, path: parts[at]! });
  }
  return entries;
}

function changesIn(text: string): Map<string, string> {
  return new Map(entriesIn(text).map(({ path, to }) => [path, to]));
}
