import * as z from 'zod';
import { leaseRef } from '../codec/tag.ts';
import type { Feature } from '../core/entities.ts';
import { ClaimId, WorkerId } from '../core/ids.ts';
import { LeaseEnd, millisecondsOf } from '../core/time.ts';
import type { Env, ProcessIdentity } from '../env.ts';
import { livenessOf } from '../env.ts';
import { decodeCommit, encodeCommit } from '../git/commit.ts';
import type { Identity } from '../git/identity.ts';
import { type NewObject, newObject, type ObjectFormat } from '../git/objects.ts';
import type { ObjectReader } from '../git/reader.ts';

/** A lease lies outside the state: a renewal is no event of the trail. Each is a parentless commit of the empty tree,
 *  whose message is one line of JSON, held by a ref of its own. */
export const Lease = z.object({
  claim_id: ClaimId,
  worker: WorkerId,
  expires_at: LeaseEnd,
  host: z.string(),
  boot: z.string().nullable(),
  pidns: z.string().nullable(),
  pid: z.int().nullable(),
  started: z.string().nullable(),
  /** The process group that works under the lease. */
  child: z.object({ pid: z.int(), started: z.string().nullable() }).nullable(),
});
export type Lease = z.infer<typeof Lease>;

export interface HeldLease extends Lease {
  oid: string;
  /** When it was made, by the clock of whoever made it, in milliseconds. */
  madeMs: number;
}

/** The lease of the feature's present claim; null where there is none, or one of an older claim. */
export async function readLease(
  reader: ObjectReader,
  session: string,
  feature: Feature,
): Promise<HeldLease | null> {
  const object = await reader.read(leaseRef(session, feature.id));
  if (object?.type !== 'commit' || feature.claim === null) return null;
  const { message, author } = decodeCommit(object.body);
  const lease = parseLease(message);
  if (lease?.claim_id !== feature.claim.id) return null;
  return { ...lease, oid: object.oid, madeMs: author.at * 1000 };
}

/** The lease that a commit holds, whichever claim it was for; null where it is none. */
export async function readLeaseCommit(reader: ObjectReader, oid: string): Promise<Lease | null> {
  const object = await reader.read(oid);
  return object?.type === 'commit' ? parseLease(decodeCommit(object.body).message) : null;
}

export function parseLease(message: string): Lease | null {
  try {
    return Lease.parse(JSON.parse(message));
  } catch {
    return null;
  }
}

/** The commit of a lease, and the empty tree under it. */
export function leaseObjects(
  format: ObjectFormat,
  lease: Lease,
  identity: Identity,
  timeS: number,
): NewObject[] {
  const tree = newObject(format, 'tree', '');
  const signature = { ...identity, at: timeS, timezone: '+0000' };
  const message = `${JSON.stringify(Lease.parse(lease))}\n`;
  const commit = encodeCommit({
    tree: tree.oid,
    parents: [],
    author: signature,
    committer: signature,
    message,
  });
  return [tree, newObject(format, 'commit', commit)];
}

/** What holds a claim now, and until when. */
export interface Judgement {
  state: 'live' | 'expired' | 'dead';
  lease: HeldLease | null;
  end: LeaseEnd;
}

export interface Judge {
  env: Env;
  nowMs: number;
  /** Allowance for clocks of different hosts, in milliseconds. */
  driftMs: number;
}

/** Judges a claim by its lease, and one of the runner on this host by its processes, too. */
export function judgeClaim(
  feature: Feature,
  lease: HeldLease | null,
  { env, nowMs, driftMs }: Judge,
): Judgement {
  const claim = feature.claim!;
  const end = lease?.expires_at ?? claim.expires_at;
  const allowanceMs = claim.host === env.identity.host ? 0 : driftMs;
  if (nowMs > millisecondsOf(end) + allowanceMs) return { state: 'expired', lease, end };
  if (!claim.runner || claim.pid === null) return { state: 'live', lease, end };
  const process: ProcessIdentity = { ...claim, pid: claim.pid };
  const child = lease?.child;
  const gone =
    livenessOf(process, env.identity) === 'dead' &&
    (!child || livenessOf({ ...process, ...child }, env.identity) === 'dead');
  return { state: gone ? 'dead' : 'live', lease, end };
}
