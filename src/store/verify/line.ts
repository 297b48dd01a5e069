import { GitStateError, isGitStateError } from '../../errors.ts';
import { type History, type HistoryCommit, readCommit } from '../commits.ts';

/** Where the commits that are looked at begin: at the root, behind a commit that was given, at the edge of a shallow
 *  clone, or behind a commit that cannot be read. */
export type Start =
  | { kind: 'root' }
  | { kind: 'base'; commit: string }
  | { kind: 'shallow' }
  | { kind: 'broken'; commit: string; error: GitStateError };

/** Commits in a row, each the first parent of the next. */
export interface Line {
  /** Oldest first. */
  oids: string[];
  start: Start;
}

/** The line that ends in `tip` and begins behind `base`, or as far back as there is anything.
 *  @throws INVALID_INPUT where `base` is no ancestor of `tip`. */
export async function lineOf(history: History, tip: string, base: string | null): Promise<Line> {
  if (tip === base) return { oids: [], start: { kind: 'base', commit: tip } };
  const { git } = history.repository;
  const args = [
    'rev-list',
    '--first-parent',
    '--end-of-options',
    tip,
    ...(base === null ? [] : [`^${base}`]),
  ];
  // A commit that cannot be read makes Git stop; then the line is followed link by link, up to the gap.
  const { status, stdout } = await git.run(args, { okStatuses: [0, 128] });
  if (status !== 0) return followed(history, tip, base);
  const oids = stdout.toString().split('\n').slice(0, -1).reverse();
  const first = oids.length === 0 ? null : await readCommit(history.reader, oids[0]!);
  return { oids, start: startBefore(history, first, base) };
}

function startBefore({ repository }: History, first: HistoryCommit | null, base: string | null): Start {
  const parent = first?.parents[0];
  if (base !== null) {
    if (parent === base) return { kind: 'base', commit: base };
    throw new GitStateError('INVALID_INPUT', `${base.slice(0, 12)} is not in the history behind it`, {
      hint: 'a range is OLDER..NEWER; see `git state log`',
    });
  }
  if (parent === undefined) return { kind: 'root' };
  return repository.shallow() ? { kind: 'shallow' } : { kind: 'broken', ...gap(parent) };
}

async function followed(history: History, tip: string, base: string | null): Promise<Line> {
  const oids: string[] = [];
  let first: HistoryCommit | null = null;
  for (let next: string | undefined = tip; next !== undefined && next !== base; next = first?.parents[0]) {
    const read = await readOrGap(history, next);
    if ('error' in read) return { oids: oids.reverse(), start: { kind: 'broken', ...read } };
    first = read;
    oids.push(first.oid);
  }
  return { oids: oids.reverse(), start: startBefore(history, first, base) };
}

async function readOrGap({ reader }: History, oid: string): Promise<HistoryCommit | Gap> {
  try {
    return (await readCommit(reader, oid)) ?? gap(oid);
  } catch (error) {
    if (!isGitStateError(error)) throw error;
    return { commit: oid, error };
  }
}

interface Gap {
  commit: string;
  error: GitStateError;
}

function gap(commit: string): Gap {
  return {
    commit,
    error: new GitStateError('CORRUPT_STATE', `commit ${commit} is missing`, {
      hint: 'git state doctor',
      details: { object: commit },
    }),
  };
}

const readAheadMax = 512;

/** The commits of a line, read many at a time. @throws CORRUPT_STATE for one that cannot be read. */
export async function* commitsOf(
  { reader }: History,
  oids: readonly string[],
): AsyncGenerator<HistoryCommit> {
  const read = (at: number) =>
    Promise.all(
      oids.slice(at, at + readAheadMax).map(async (oid) => {
        const commit = await readCommit(reader, oid);
        if (!commit) throw gap(oid).error;
        return commit;
      }),
    );
  let pending = read(0);
  for (let at = 0; at < oids.length; at += readAheadMax) {
    const commits = await pending;
    pending = read(at + readAheadMax);
    // Whoever stops early does not hear of it.
    pending.catch(() => {});
    yield* commits;
  }
}
