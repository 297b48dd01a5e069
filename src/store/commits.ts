import { decodeMessage } from '../codec/message.ts';
import { currentSchema, type Schema } from '../codec/migrate.ts';
import type { Operation } from '../core/operation.ts';
import { GitStateError } from '../errors.ts';
import { type Commit, decodeCommit } from '../git/commit.ts';
import type { ObjectReader, StoredObject } from '../git/reader.ts';
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

export async function readCommit(reader: ObjectReader, oid: string): Promise<HistoryCommit | null> {
  return commitOf(await reader.read(oid));
}

/** Reads many in one stream. */
export async function readCommits(
  reader: ObjectReader,
  oids: readonly string[],
): Promise<(HistoryCommit | null)[]> {
  const commits = new Array<HistoryCommit | null>(oids.length).fill(null);
  await reader.readEach(oids, (object, index) => {
    commits[index] = commitOf(object);
  });
  return commits;
}

function commitOf(object: StoredObject | null): HistoryCommit | null {
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

/** The parts of a payload tree, put together again. */
async function readPayload(reader: ObjectReader, treeOid: string): Promise<string> {
  const tree = await reader.read(treeOid);
  if (tree?.type !== 'tree') return '';
  const entries = decodeTree(treeOid.length === 64 ? 'sha256' : 'sha1', tree.body);
  const ordered = entries.sort((a, b) => Number.parseInt(a.name, 10) - Number.parseInt(b.name, 10));
  const parts = await Promise.all(ordered.map(({ oid }) => reader.read(oid)));
  return Buffer.concat(parts.map((part) => part?.body ?? Buffer.alloc(0))).toString('utf8');
}
