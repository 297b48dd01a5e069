import { createHash } from 'node:crypto';
import { joinDigest } from '../codec/digest.ts';
import { encodeArgs, encodeMessage, inlineArgsMax, payloadPartMax } from '../codec/message.ts';
import { currentSchema } from '../codec/migrate.ts';
import { payloadPath } from '../codec/paths.ts';
import { changedFiles, type FileChange } from '../codec/tree.ts';
import type { Operation } from '../core/operation.ts';
import { emptyState, type State } from '../core/state.ts';
import { millisecondsOf } from '../core/time.ts';
import { type Commit, encodeCommit } from '../git/commit.ts';
import type { Identity } from '../git/identity.ts';
import { type NewObject, newObject, type ObjectFormat } from '../git/objects.ts';
import type { Signature } from '../git/signature.ts';
import type { Snapshot } from './snapshot.ts';
import { changeTree, type Tree } from './tree.ts';

/** One operation written down: its commit, what it changes in the tree, and the state it leads to. */
export interface Recorded {
  snapshot: Snapshot & { commit: string };
  author: Signature;
  objects: NewObject[];
}

export interface Recorder {
  format: ObjectFormat;
  identity: Identity;
  /** The schema in which it is written; the newest by default. */
  schema?: number;
}

/** Makes the objects of one commit on top of `before`. Nothing is stored yet. */
export function record(recorder: Recorder, before: Snapshot, operation: Operation, after: State): Recorded {
  const { format, identity, schema = currentSchema.version } = recorder;
  const objects: NewObject[] = [];
  const argsText = encodeArgs(operation);
  const payload = Buffer.byteLength(argsText) > inlineArgsMax;
  const tree = treeAfter(before, after, payload ? payloadFiles(operation.id, argsText) : [], format, objects);
  const payloadTree = payload ? payloadTreeOf(tree, operation.id) : null;
  const at = Math.floor(millisecondsOf(operation.at) / 1000);
  const author = { name: operation.actor, email: identity.email, at, timezone: '+0000' };
  const body = encodeCommit(
    digested({
      tree: tree.oid,
      parents: before.commit === null || operation.type === 'store.seal' ? [] : [before.commit],
      author,
      committer: { ...identity, at, timezone: '+0000' },
      message: encodeMessage(operation, argsText, payloadTree, schema),
    }),
  );
  const commit = newObject(format, 'commit', body);
  objects.push(commit);
  return { snapshot: { commit: commit.oid, at, tree, state: after }, author, objects };
}

/** The commit with the digest of all that it says but for signatures, which come later, as the end of its message. */
export function digested(commit: Commit): Commit {
  const bare = encodeCommit({ ...commit, extraHeaders: '' });
  const digest = createHash('sha256').update(bare).digest('hex');
  return { ...commit, message: joinDigest(commit.message, digest) };
}

function treeAfter(
  before: Snapshot,
  after: State,
  payload: readonly FileChange[],
  format: ObjectFormat,
  objects: NewObject[],
): Tree {
  // In a new schema any file may be another.
  const migrates = before.state.store !== null && before.state.store.schema !== after.store?.schema;
  const changes = changedFiles(migrates ? emptyState : before.state, after);
  // A payload belongs to one commit alone, so the one of the commit before goes.
  const trunk = migrates ? null : withoutPayload(before.tree);
  if (changes.length === 0 && payload.length === 0 && trunk && trunk === before.tree) return trunk;
  return changeTree(trunk, [...changes, ...payload], format, objects);
}

function payloadFiles(operationId: string, text: string): FileChange[] {
  const files: FileChange[] = [];
  for (let at = 0; at < text.length; ) {
    // Parts are cut between characters; four bytes is the most that one takes.
    let end = Math.min(text.length, at + Math.floor(payloadPartMax / 4));
    if (end < text.length && /[\ud800-\udbff]/.test(text[end - 1]!)) end -= 1;
    files.push({ path: payloadPath(operationId, files.length), text: text.slice(at, end) });
    at = end;
  }
  return files;
}

function withoutPayload(tree: Tree | null): Tree | null {
  if (!tree?.entries.has('payload')) return tree;
  return { oid: '', entries: new Map([...tree.entries].filter(([name]) => name !== 'payload')) };
}

function payloadTreeOf(tree: Tree, operationId: string): string {
  return tree.entries.get('payload')!.tree!.entries.get(operationId)!.oid;
}
