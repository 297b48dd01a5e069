import { type GitStateError, isGitStateError } from '../../errors.ts';
import type { Engine } from '../engine.ts';
import { emptySnapshot, readSnapshot, type Snapshot } from '../snapshot.ts';
import { missing } from '../tree.ts';
import { lineOf } from '../verify/line.ts';

/** Reads the whole state of a commit from its objects, whatever the cache knows, and asks for the files that are not
 *  read with it. @throws CORRUPT_STATE, COMMIT_NOT_FOUND, SCHEMA_TOO_NEW */
export async function readWhole({ reader, schema }: Engine, commit: string): Promise<Snapshot> {
  const snapshot = await readSnapshot(reader, commit, emptySnapshot, 'all', schema);
  const { readme, contents } = snapshot.state;
  const artifacts = [...contents.values()].flatMap((own) => [...own.artifacts.values()]);
  for (const { path, oid } of [
    ...artifacts,
    ...(readme === null ? [] : [{ path: 'README.md', oid: readme }]),
  ])
    if (!(await reader.read(oid))) throw missing(path, 'blob', oid);
  return snapshot;
}

/** The state of a commit, or what is wrong with it. */
export async function assess(engine: Engine, commit: string): Promise<Snapshot | GitStateError> {
  try {
    return await readWhole(engine, commit);
  } catch (error) {
    if (isGitStateError(error, 'CORRUPT_STATE', 'COMMIT_NOT_FOUND')) return error;
    throw error;
  }
}

/** What is wrong with the history behind a commit: an older one that cannot be read; null where there is no gap. */
export async function gapBehind(
  { reader, repository }: Engine,
  commit: string,
): Promise<GitStateError | null> {
  const { start } = await lineOf({ reader, repository }, commit, null);
  return start.kind === 'broken' ? start.error : null;
}

/** The newest commit of a row, oldest first, whose state can be read: found in few steps, since what is damaged stays
 *  so until it is replaced. */
export async function newestWhole(engine: Engine, oids: readonly string[]): Promise<Snapshot | null> {
  let found: Snapshot | null = null;
  let [low, high] = [0, oids.length];
  // First near the end, in steps that double.
  for (let step = 1; low < high; step *= 2) {
    const at = Math.max(low, oids.length - step);
    const read = await assess(engine, oids[at]!);
    if (read instanceof Error) high = at;
    else {
      found = read;
      low = at + 1;
      break;
    }
  }
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const read = await assess(engine, oids[middle]!);
    if (read instanceof Error) high = middle;
    else {
      found = read;
      low = middle + 1;
    }
  }
  return found;
}
