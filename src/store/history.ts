import { decodeMessage } from '../codec/message.ts';
import { currentSchema, type Schema } from '../codec/migrate.ts';
import type { Operation } from '../core/operation.ts';
import { GitStateError } from '../errors.ts';
import { type Commit, decodeCommit } from '../git/commit.ts';
import { isAncestor } from '../git/path-history.ts';
import type { ObjectReader } from '../git/reader.ts';
import type { Repository } from '../git/repository.ts';
import { decodeTree } from '../git/tree.ts';

/** A commit of the state branch, read as a raw object so that no setting of the user's changes what is read. */
export interface HistoryCommit extends Required<Commit> {
  oid: string;
}

export interface History {
  /** In which operations are read; by default the newest there is. */
  schema?: Schema;
  reader: ObjectReader;
  repository: Repository;
}

const chasedMax = 64;
const readAheadMax = 256;

/** The commits from `tip` back to the root, newest first; where history is cut off (a shallow clone) it just ends. */
export async function* walk({ reader, repository }: History, tip: string): AsyncGenerator<HistoryCommit> {
  let next: string | undefined = tip;
  for (let count = 0; count < chasedMax && next !== undefined; count += 1) {
    const commit: HistoryCommit | null = await readCommit(reader, next);
    if (!commit) return;
    yield commit;
    next = commit.parents[0];
  }
  if (next === undefined || (await reader.info(next)) === null) return;
  // Far back: Git lists the names in one go, and the objects are read many at a time.
  const list = await repository.git.text(['rev-list', '--first-parent', '--end-of-options', next]);
  const oids = list.split('\n');
  for (let at = 0; at < oids.length; at += readAheadMax) {
    const commits = await Promise.all(
      oids.slice(at, at + readAheadMax).map((oid) => readCommit(reader, oid)),
    );
    for (const commit of commits) if (commit) yield commit;
  }
}

export async function readCommit(reader: ObjectReader, oid: string): Promise<HistoryCommit | null> {
  const object = await reader.read(oid);
  return object?.type === 'commit' ? { oid: object.oid, ...decodeCommit(object.body) } : null;
}

/** The operation of a commit; null for one that was made by hand.
 *  @throws VERIFY_FAILED for a commit that claims to be ours and is not, SCHEMA_TOO_NEW. */
export async function operationOf(
  reader: ObjectReader,
  commit: HistoryCommit,
  schema: Schema = currentSchema,
): Promise<Operation | null> {
  const payload = /^gitstate-args-oid: (.*)$/m.exec(commit.message)?.[1];
  const text = payload === undefined ? '' : await readPayload(reader, payload);
  if (commit.charset !== 'utf8' && /^gitstate-/m.test(commit.message)) {
    throw new GitStateError('VERIFY_FAILED', `commit ${commit.oid.slice(0, 12)} is not written in UTF-8`);
  }
  return decodeMessage(commit.message, commit.author, () => text, schema);
}

/** An operation of the history, between the states before and after it. */
export interface PastOperation {
  commit: string;
  /** Null for the first commit. */
  parent: string | null;
  /** Null for a commit made by hand. */
  operation: Operation | null;
}

/** The operation of a commit in the history of `tip`. @throws COMMIT_NOT_FOUND */
export async function pastOperation(history: History, tip: string, oid: string): Promise<PastOperation> {
  await requireReadable(history, tip);
  const commit = await readCommit(history.reader, oid);
  if (commit && (await isAncestor(history.repository, oid, tip))) {
    const parent = commit.parents[0] ?? null;
    return { commit: oid, parent, operation: await operationOf(history.reader, commit, history.schema) };
  }
  throw new GitStateError('COMMIT_NOT_FOUND', `no commit '${oid}' in the history of the state`, {
    hint: 'see what there is with `git state log`',
  });
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

/** The parts of a payload tree, put together again. */
async function readPayload(reader: ObjectReader, treeOid: string): Promise<string> {
  const tree = await reader.read(treeOid);
  if (tree?.type !== 'tree') return '';
  const entries = decodeTree(treeOid.length === 64 ? 'sha256' : 'sha1', tree.body);
  const ordered = entries.sort((a, b) => Number.parseInt(a.name, 10) - Number.parseInt(b.name, 10));
  const parts = await Promise.all(ordered.map(({ oid }) => reader.read(oid)));
  return Buffer.concat(parts.map((part) => part?.body ?? Buffer.alloc(0))).toString('utf8');
}

/** Whether `oid` is `tip` or one of its ancestors. */
export async function contains(history: History, tip: string, oid: string): Promise<boolean> {
  for await (const commit of walk(history, tip)) if (commit.oid === oid) return true;
  return false;
}

/** The commit that carries the operation `id`, searched back to the root; null where there is none. */
export async function findOperation(
  history: History,
  tip: string,
  id: string,
): Promise<HistoryCommit | null> {
  const line = `\ngitstate-id: ${id}\n`;
  for await (const commit of walk(history, tip)) if (commit.message.includes(line)) return commit;
  return null;
}

/** Whether the history of `tip` ends before its root, as in a shallow clone. */
export async function isCutOff({ repository, reader }: History, tip: string): Promise<boolean> {
  if (!repository.shallow()) return false;
  const oldest = await repository.git.text([
    'rev-list',
    '--first-parent',
    '--max-parents=0',
    '--end-of-options',
    tip,
  ]);
  const commit = await readCommit(reader, oldest.split('\n').at(-1) ?? '');
  return commit !== null && commit.parents.length > 0;
}
