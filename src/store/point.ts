import { checkpointPath } from '../codec/paths.ts';
import { checkpointRef, tagRef } from '../codec/tag.ts';
import { idFault } from '../core/ids.ts';
import { findCheckpoint, type State } from '../core/state.ts';
import { GitStateError } from '../errors.ts';
import { decodeTag } from '../git/tag.ts';
import { type History, type HistoryCommit, readCommit } from './commits.ts';
import { walk } from './history.ts';
import { parseMoment } from './moment.ts';
import type { Writers } from './writers.ts';

/** A point in the history of the store, as a user named it. */
export interface Point {
  commit: string;
  tree: string;
  /** The name to show: what the user typed. */
  text: string;
  /** Name of the checkpoint, if it is one. */
  checkpoint: string | null;
}

export interface PointContext extends History {
  branchRef: string;
  /** What the names of tags begin with. */
  tagPrefix: string;
  tip: string | null;
  state: State;
  /** The session whose checkpoints are meant. */
  session: string | null;
  nowMs: number;
  /** Files of a session's checkpoints as of a commit, with the commits that last wrote them. */
  writers(commit: string, session: string): Promise<Writers>;
}

/** Reads a revision: a checkpoint's name, a full ref, an object id (seven digits or more), a date or an age, in this
 *  order; `checkpoint:`, `commit:` and `date:` force one reading.
 *  @throws CHECKPOINT_NOT_FOUND, COMMIT_NOT_FOUND, INVALID_INPUT. */
export async function resolvePoint(context: PointContext, text: string): Promise<Point> {
  const forced = /^(checkpoint|commit|date):(.*)$/s.exec(text);
  const word = forced?.[2] ?? text;
  const kind = forced?.[1];
  if (kind === undefined || kind === 'checkpoint') {
    const found = await checkpointPoint(context, word);
    if (found) return found;
    if (kind) throw noCheckpoint(word, context.session);
  }
  if (kind === undefined || kind === 'commit') {
    const found = await commitPoint(context, word);
    if (found) return found;
    if (kind) throw noCommit(word);
  }
  const timeMs = parseMoment(word, context.nowMs);
  if (timeMs !== null) return datePoint(context, text, timeMs);
  if (idFault(word, 280) === null) throw noCheckpoint(word, context.session);
  throw new GitStateError('INVALID_INPUT', `'${word}' is no checkpoint, commit or date`, {
    hint: "a date looks like 2026-01-31T12:00:00Z, an age like 2h or '2 hours ago'",
  });
}

function noCheckpoint(name: string, session: string | null): GitStateError {
  const where = session === null ? '' : ` in session '${session}'`;
  return new GitStateError('CHECKPOINT_NOT_FOUND', `no checkpoint '${name}'${where}`, {
    hint: 'see what there is with `git state checkpoint list`',
  });
}

function noCommit(name: string): GitStateError {
  return new GitStateError('COMMIT_NOT_FOUND', `no state commit '${name}'`, { hint: 'git state log' });
}

async function checkpointPoint(context: PointContext, name: string): Promise<Point | null> {
  const { session, state } = context;
  if (session === null) return null;
  const checkpoint = findCheckpoint(state, session, name);
  if (!checkpoint) return null;
  const oid = checkpoint.commit ?? (await writerOf(context, session, name, checkpoint.automatic));
  const commit = oid === null ? null : await readCommit(context.reader, oid);
  if (!commit) throw noCommit(oid ?? name);
  return { commit: commit.oid, tree: commit.tree, text: name, checkpoint: name };
}

/** The commit that last wrote a checkpoint's file: its tag tells, else the history of the file does. */
export async function writerOf(
  context: PointContext,
  session: string,
  name: string,
  automatic: boolean,
): Promise<string | null> {
  if (!automatic) {
    for (const ref of [checkpointRef(session, name), tagRef(context.tagPrefix, session, name)]) {
      const tag = await context.reader.read(ref);
      if (tag?.type === 'tag') return decodeTag(tag.body).object;
    }
  }
  if (context.tip === null) return null;
  return (await context.writers(context.tip, session)).get(checkpointPath(session, name)) ?? null;
}

async function commitPoint(context: PointContext, word: string): Promise<Point | null> {
  const { reader, tip, branchRef } = context;
  const branch = branchRef.slice('refs/heads/'.length);
  const at = /^(.*)@\{(.*)\}$/s.exec(word);
  if (at && ['', branch, branchRef].includes(at[1]!)) {
    const timeMs = parseMoment(at[2]!, context.nowMs);
    if (timeMs === null) throw new GitStateError('INVALID_INPUT', `'${at[2]}' is no date`);
    return datePoint(context, word, timeMs);
  }
  const back = /^(.*)~(\d{1,7})$/.exec(word);
  if (back && tip !== null && [branch, branchRef, 'HEAD', ''].includes(back[1]!)) {
    return pointOf(await commitBefore(context, tip, Number(back[2])), word);
  }
  if (word === branch && tip !== null) return pointOf(await readCommit(reader, tip), word);
  const name = /^refs\//.test(word) ? word : await completeOid(context, word);
  if (name === null) return null;
  const object = await reader.read(name);
  if (object?.type === 'tag') return pointOf(await readCommit(reader, decodeTag(object.body).object), word);
  if (object === null) throw noCommit(word);
  return pointOf(await readCommit(reader, object.oid), word);
}

/** The commit so many before `tip`, through the epochs. */
async function commitBefore(
  context: PointContext,
  tip: string,
  count: number,
): Promise<HistoryCommit | null> {
  const args = ['rev-parse', '--verify', '--quiet', '--end-of-options', `${tip}~${count}`];
  const { stdout, status } = await context.repository.git.run(args, { okStatuses: [0, 1, 128] });
  if (status === 0) return readCommit(context.reader, stdout.toString().trim());
  let left = count;
  for await (const commit of walk(context, tip)) {
    if (left === 0) return commit;
    left -= 1;
  }
  return null;
}

/** A full object id for seven hex digits or more; null where `word` is none. */
async function completeOid({ repository }: PointContext, word: string): Promise<string | null> {
  if (!/^[0-9a-f]{7,64}$/.test(word)) return null;
  const args = ['rev-parse', '--verify', '--quiet', '--end-of-options', `${word}^{commit}`];
  const { stdout, status } = await repository.git.run(args, { okStatuses: [0, 1, 128] });
  if (status !== 0) throw noCommit(word);
  return stdout.toString().trim();
}

function pointOf(commit: HistoryCommit | null, text: string): Point {
  if (!commit) throw noCommit(text);
  return { commit: commit.oid, tree: commit.tree, text, checkpoint: null };
}

/** The last commit not after a moment, in history order. */
async function datePoint(context: PointContext, text: string, timeMs: number): Promise<Point> {
  if (context.tip !== null) {
    for await (const commit of walk(context, context.tip)) {
      if (commit.author.at * 1000 <= timeMs) return pointOf(commit, text);
    }
  }
  throw new GitStateError('COMMIT_NOT_FOUND', `the store did not exist yet at '${text}'`, {
    hint: 'git state log',
  });
}
