import { checkpointRef, headRef, leaseRef, tagRef } from '../codec/tag.ts';
import type { Checkpoint } from '../core/entities.ts';
import { contentsBySession } from '../core/select.ts';
import type { State } from '../core/state.ts';
import { decodeCommit } from '../git/commit.ts';
import type { Oid } from '../git/ids.ts';
import type { RefMove } from '../git/refs.ts';
import type { Engine } from './engine.ts';
import { parseLease } from './lease.ts';
import type { Held } from './mutex.ts';
import { moveRefs } from './publish.ts';
import type { Remote } from './remote.ts';

/** The refs beside the branch, as others left them. The branch says which there have to be. */

const checkpointsPrefix = 'refs/gitstate/checkpoints/';

interface Tagged {
  session: string;
  checkpoint: Checkpoint;
}

/** Tags and leases here become those of the state: what others made comes, what they deleted goes.
 *  @throws REMOTE_UNREACHABLE, REMOTE_REJECTED */
export async function followCheckpoints(
  engine: Engine,
  remote: Remote,
  state: State,
  held: Held,
): Promise<void> {
  const tagged = taggedOf(state);
  await fetchMissing(engine, remote, tagged);
  const moves = [...(await tagMoves(engine, state, tagged)), ...(await leftoverLeases(engine, state))];
  if (moves.length > 0) await moveRefs(engine, moves, held);
}

function taggedOf(state: State): Tagged[] {
  return contentsBySession(state).flatMap(({ session, contents }) =>
    [...contents.checkpoints.values()]
      .filter(({ automatic }) => !automatic)
      .map((checkpoint) => ({ session: session.id, checkpoint })),
  );
}

async function fetchMissing(engine: Engine, remote: Remote, tagged: readonly Tagged[]): Promise<void> {
  if (tagged.length === 0) return;
  if (!remote.takesOwnRefs) {
    await remote.fetchMore(
      tagged
        .map(({ session, checkpoint }) => tagRef(engine.tagPrefix, session, checkpoint.name))
        .map(mirrored),
    );
    return;
  }
  const there = await remote.list([`${checkpointsPrefix}*`]);
  const here = await engine.refs.list(checkpointsPrefix);
  const refspecs: string[] = [];
  for (const { session, checkpoint } of tagged) {
    const ref = checkpointRef(session, checkpoint.name);
    if (!there.has(ref) || there.get(ref) === here.get(ref)) continue;
    refspecs.push(`+${ref}:${ref}`);
    const heads = headRef(session, checkpoint.name, '*');
    if (Object.keys(checkpoint.heads).length > 0) refspecs.push(`+${heads}:${heads}`);
  }
  if (refspecs.length > 0) await remote.fetchMore(refspecs);
}

const mirrored = (ref: string) => `+${ref}:${ref}`;

/** A tag is what its checkpoint ref holds; both go where the checkpoint was deleted. Those of a session that was
 *  cleaned up stay. */
async function tagMoves(engine: Engine, state: State, tagged: readonly Tagged[]): Promise<RefMove[]> {
  const here = await engine.refs.list(checkpointsPrefix);
  const oidOf = async (ref: string) => (await engine.reader.info(ref))?.oid ?? null;
  const moves: RefMove[] = [];
  const known = new Set<string>();
  for (const { session, checkpoint } of tagged) {
    const ref = checkpointRef(session, checkpoint.name);
    known.add(ref);
    const tag = tagRef(engine.tagPrefix, session, checkpoint.name);
    const [oldOid, newOid] = [await oidOf(tag), here.get(ref)];
    if (newOid !== undefined && oldOid !== newOid) moves.push({ ref: tag, oldOid, newOid });
  }
  const sessions = new Set<string>(contentsBySession(state).map(({ session }) => session.id));
  for (const [ref, oid] of here) {
    const [session = '', name = ''] = ref.slice(checkpointsPrefix.length).split('/');
    if (known.has(ref) || !sessions.has(session)) continue;
    moves.push({ ref, oldOid: oid, newOid: null });
    const tag = tagRef(engine.tagPrefix, session, name);
    if ((await oidOf(tag)) === oid) moves.push({ ref: tag, oldOid: oid, newOid: null });
  }
  return moves;
}

/** Leases of claims that are no more. */
async function leftoverLeases(engine: Engine, state: State): Promise<RefMove[]> {
  const claims = new Map<string, string>();
  for (const { session, contents } of contentsBySession(state)) {
    for (const { id, claim } of contents.features.values()) {
      if (claim !== null) claims.set(leaseRef(session.id, id), claim.id);
    }
  }
  const moves: RefMove[] = [];
  for (const [ref, oid] of await engine.refs.list('refs/gitstate/leases/')) {
    if (claims.get(ref) !== (await claimOf(engine, oid))) moves.push({ ref, oldOid: oid, newOid: null });
  }
  return moves;
}

async function claimOf({ reader }: Engine, oid: Oid): Promise<string | null> {
  const object = await reader.read(oid);
  const lease = object?.type === 'commit' ? parseLease(decodeCommit(object.body).message) : null;
  return lease?.claim_id ?? null;
}
