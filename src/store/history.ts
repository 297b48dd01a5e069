import type { Operation } from '../core/operation.ts';
import { GitStateError } from '../errors.ts';
import { type History, type HistoryCommit, operationOf, readCommit, readCommits } from './commits.ts';
import { isInHistory, type Seal, sealOf, wayToEpoch } from './epochs.ts';

/** The line of commits that leads to a state, through all of its epochs. */

const chasedMax = 64;
const readAheadFirst = 256;
const readAheadMax = 2048;

/** The commits from `tip` back to the first, newest first: behind the root of an epoch comes the commit that it sealed.
 *  Where history is cut off (a shallow clone, an epoch that is not here) it just ends. */
export async function* walk(history: History, tip: string): AsyncGenerator<HistoryCommit> {
  const { reader } = history;
  let next: string | undefined = tip;
  for (let count = 0; count < chasedMax && next !== undefined; count += 1) {
    const commit: HistoryCommit | null = await readCommit(reader, next);
    if (!commit) return;
    yield commit;
    next = commit.parents[0] ?? (await sealOf(history, commit))?.tip;
  }
  while (next !== undefined && (await reader.info(next)) !== null) {
    let last: HistoryCommit | null = null;
    for await (const commit of epoch(history, next)) {
      last = commit;
      yield commit;
    }
    next = (await sealOf(history, last))?.tip;
  }
}

/** Far back: Git lists the names in one go, and the objects come in streams, each while the one before is looked at. */
async function* epoch({ reader, repository }: History, tip: string): AsyncGenerator<HistoryCommit> {
  const list = await repository.git.text(['rev-list', '--first-parent', '--end-of-options', tip]);
  const oids = list.split('\n');
  const read = (at: number) => {
    const part = oids.slice(at, at + (at === 0 ? readAheadFirst : readAheadMax));
    // Where one cannot be read, those before it still are, one by one.
    return { part, commits: readCommits(reader, part).catch(() => null) };
  };
  let ahead = read(0);
  for (let at = 0; at < oids.length; ) {
    const { part, commits } = ahead;
    const found = await commits;
    at += part.length;
    if (at < oids.length) ahead = read(at);
    if (found === null) {
      for (const oid of part) {
        const commit = await readCommit(reader, oid);
        if (commit) yield commit;
      }
    }
    for (const commit of found ?? []) if (commit) yield commit;
  }
}

/** An operation of the history, between the states before and after it. */
export interface PastOperation {
  commit: string;
  /** Null for the first commit of an epoch. */
  parent: string | null;
  /** Null for a commit made by hand. */
  operation: Operation | null;
}

/** The operation of a commit in the history of `tip`. @throws COMMIT_NOT_FOUND */
export async function pastOperation(history: History, tip: string, oid: string): Promise<PastOperation> {
  await requireReadable(history, tip);
  const commit = await readCommit(history.reader, oid);
  if (commit && (await isInHistory(history, oid, tip))) {
    const parent = commit.parents[0] ?? null;
    return { commit: oid, parent, operation: await operationOf(history.reader, commit, history.schema) };
  }
  const part = await missingPart(history, tip);
  const hint = part === null ? 'see what there is with `git state log`' : wayBehind(part);
  throw new GitStateError('COMMIT_NOT_FOUND', `no commit '${oid}' in the history of the state`, { hint });
}

/** Where operations of ours are being put on top of a remote's, there is no history to look into yet. */
async function requireReadable({ reader }: History, tip: string): Promise<void> {
  if ((await reader.info(tip)) !== null) return;
  throw new GitStateError('REMOTE_DIVERGED', 'what was done here is not on the remote yet', {
    hint: 'git state sync',
    details: { local: null, remote: null },
  });
}

/** The newest commit that carries an operation of `session`; null where there is none. */
export async function newestOf(history: History, tip: string, session: string): Promise<string | null> {
  await requireReadable(history, tip);
  const line = `\ngitstate-session: ${session}\n`;
  for await (const { oid, message } of walk(history, tip)) if (message.includes(line)) return oid;
  return null;
}

/** Whether `oid` is `tip` or one of its ancestors. */
export async function contains(history: History, tip: string, oid: string): Promise<boolean> {
  let next: string | undefined = tip;
  for (let count = 0; count < chasedMax && next !== undefined; count += 1) {
    if (next === oid) return true;
    next = (await readCommit(history.reader, next))?.parents[0];
  }
  return isInHistory(history, oid, tip);
}

/** The commit that carries the operation `id`, searched back to the first; null where there is none. */
export async function findOperation(
  history: History,
  tip: string,
  id: string,
): Promise<HistoryCommit | null> {
  const line = `\ngitstate-id: ${id}\n`;
  for await (const commit of walk(history, tip)) if (commit.message.includes(line)) return commit;
  return null;
}

/** Why the history of `tip` ends here before its first commit: the clone is shallow, or an epoch is not here. Null
 *  where it does not. */
export async function missingPart(history: History, tip: string): Promise<'shallow' | Seal | null> {
  let last: HistoryCommit | null = null;
  for await (const commit of walk(history, tip)) last = commit;
  if (last === null) return null;
  return last.parents.length > 0 ? 'shallow' : sealOf(history, last);
}

/** How to bring what is missing. */
export function wayBehind(part: 'shallow' | Seal): string {
  if (part === 'shallow') return 'bring the rest with `git fetch --depth=1000000 REMOTE gitstate`';
  return `bring it with \`${wayToEpoch(part)}\``;
}
