import { checkpointRef, encodeTagMessage, headRef, leaseRef, tagName, tagRef } from '../codec/tag.ts';
import type { Checkpoint, Feature } from '../core/entities.ts';
import { type Contents, emptyContents, type State } from '../core/state.ts';
import type { Identity } from '../git/identity.ts';
import { type NewObject, newObject, type ObjectFormat } from '../git/objects.ts';
import type { RefMove } from '../git/refs.ts';
import type { Signature } from '../git/signature.ts';
import { encodeTag } from '../git/tag.ts';
import type { Lease } from './lease.ts';
import { leaseObjects } from './lease.ts';

/** The refs beside the branch follow from the state: whoever changes a claim or a checkpoint need not think of them. */

export interface Wanted {
  /** The new value by ref; null where the ref goes. */
  refs: Map<string, string | null>;
  objects: NewObject[];
}

export interface Stamp {
  format: ObjectFormat;
  /** What the names of tags begin with. */
  tagPrefix: string;
  identity: Identity;
  /** Commit that carries the change, and its author. */
  commit: string;
  author: Signature;
}

/** The refs that have to move when `before` becomes `after` in one commit. */
export function wantedRefs(before: State, after: State, stamp: Stamp): Wanted {
  const wanted: Wanted = { refs: new Map(), objects: [] };
  for (const key of after.contents.changedSince(before.contents)) {
    const session = (after.sessions.get(key) ?? before.sessions.get(key))!.id;
    const old = before.contents.get(key) ?? emptyContents;
    const now = after.contents.get(key) ?? emptyContents;
    leaseMoves(wanted, session, old, now, stamp);
    // The tags of a session that was cleaned up still stand, so that it can be restored.
    if (after.sessions.has(key)) checkpointMoves(wanted, session, old, now, stamp);
  }
  return wanted;
}

function leaseMoves(wanted: Wanted, session: string, before: Contents, after: Contents, stamp: Stamp): void {
  for (const key of after.features.changedSince(before.features)) {
    const old = before.features.get(key);
    const now = after.features.get(key);
    if (old?.claim?.id === now?.claim?.id) continue;
    // An id that came back in other letters has another ref.
    if (old?.claim && now && old.id !== now.id) wanted.refs.set(leaseRef(session, old.id), null);
    const ref = leaseRef(session, (now ?? old)!.id);
    if (!now?.claim) {
      wanted.refs.set(ref, null);
      continue;
    }
    const objects = leaseObjects(stamp.format, firstLease(now), stamp.identity, stamp.author.at);
    wanted.objects.push(...objects);
    wanted.refs.set(ref, objects.at(-1)!.oid);
  }
}

/** The lease with which a claim begins. */
export function firstLease({ claim, worker_id }: Feature): Lease {
  const { id, expires_at, host, boot, pidns, pid, started } = claim!;
  return { claim_id: id, worker: worker_id!, expires_at, host, boot, pidns, pid, started, child: null };
}

function checkpointMoves(
  wanted: Wanted,
  session: string,
  before: Contents,
  after: Contents,
  stamp: Stamp,
): void {
  for (const key of after.checkpoints.changedSince(before.checkpoints)) {
    const old = before.checkpoints.get(key);
    const now = after.checkpoints.get(key);
    if (now?.automatic ?? old?.automatic) continue;
    const { name, heads } = (now ?? old)!;
    for (const feature of Object.keys(old?.heads ?? {}))
      wanted.refs.set(headRef(session, name, feature), null);
    const tag = now ? newTag(session, now, stamp) : null;
    if (tag) wanted.objects.push(tag);
    wanted.refs.set(tagRef(stamp.tagPrefix, session, name), tag?.oid ?? null);
    wanted.refs.set(checkpointRef(session, name), tag?.oid ?? null);
    for (const [feature, head] of Object.entries(heads)) {
      wanted.refs.set(headRef(session, name, feature), now ? head.oid : null);
    }
  }
}

/** The annotated tag of a checkpoint; it follows from the checkpoint's file and the commit that wrote it. */
export function newTag(
  session: string,
  checkpoint: Checkpoint,
  { format, tagPrefix, commit, author }: Stamp,
): NewObject {
  const body = encodeTag({
    object: checkpoint.commit ?? commit,
    type: 'commit',
    tag: tagName(tagPrefix, session, checkpoint.name),
    tagger: author,
    message: encodeTagMessage(session, checkpoint),
  });
  return newObject(format, 'tag', body);
}

/** One transaction that takes each ref from what it holds now to what is wanted. Refs that are right already, or gone
 *  already, stay out of it. */
export function movesFrom(
  current: ReadonlyMap<string, string | null>,
  wanted: ReadonlyMap<string, string | null>,
): RefMove[] {
  const moves: RefMove[] = [];
  for (const [ref, newOid] of wanted) {
    const oldOid = current.get(ref) ?? null;
    if (oldOid !== newOid) moves.push({ ref, oldOid, newOid });
  }
  return moves;
}
