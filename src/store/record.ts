import { encodeArgs, encodeMessage, inlineArgsMax, payloadPartMax } from '../codec/message.ts';
import { payloadPath } from '../codec/paths.ts';
import { changedFiles, type FileChange } from '../codec/tree.ts';
import type { Operation } from '../core/operation.ts';
import type { State } from '../core/state.ts';
import { millisecondsOf } from '../core/time.ts';
import { encodeCommit } from '../git/commit.ts';
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
}

/** Makes the objects of one commit on top of `before`. Nothing is stored yet. */
export function record(
  { format, identity }: Recorder,
  before: Snapshot,
  operation: Operation,
  after: State,
): Recorded {
  const objects: NewObject[] = [];
  const changes = changedFiles(before.state, after);
  const argsText = encodeArgs(operation);
  const large = Buffer.byteLength(argsText) > inlineArgsMax;
  // A payload belongs to one commit alone, so the one of the commit before goes.
  if (large) changes.push(...payloadFiles(operation.id, argsText));
  const trunk = withoutPayload(before.tree);
  const tree =
    changes.length === 0 && trunk === before.tree && trunk
      ? trunk
      : changeTree(trunk, changes, format, objects);
  const payload = large ? payloadTreeOf(tree, operation.id) : null;
  const at = Math.floor(millisecondsOf(operation.at) / 1000);
  const author = { name: operation.actor, email: identity.email, at, timezone: '+0000' };
  const body = encodeCommit({
    tree: tree.oid,
    parents: before.commit === null ? [] : [before.commit],
    author,
    committer: { ...identity, at, timezone: '+0000' },
    message: encodeMessage(operation, argsText, payload),
  });
  const commit = newObject(format, 'commit', body);
  objects.push(commit);
  return { snapshot: { commit: commit.oid, at, tree, state: after }, author, objects };
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
