import { headRef, leaseRef, tagRef } from '../../codec/tag.ts';
import type { Checkpoint } from '../../core/entities.ts';
import { claimedFeatures, contentsBySession } from '../../core/select.ts';
import type { NewObject } from '../../git/objects.ts';
import type { RefMove } from '../../git/refs.ts';
import { decodeTag } from '../../git/tag.ts';
import { checkpointFaults, type WritersOf, writerByHistory, writerByTag } from '../checkpoint-refs.ts';
import type { Engine } from '../engine.ts';
import { leaseObjects, readLease } from '../lease.ts';
import { firstLease } from '../moves.ts';
import type { Snapshot } from '../snapshot.ts';
import type { Action } from './action.ts';

/** Refs beside the branch that are not what the state says, and the moves that make them so. */
export interface RefWork {
  moves: RefMove[];
  objects: NewObject[];
  actions: Action[];
}

/** Leases of no claim go; a claim without a lease gets one that ends when the claim does. */
export async function leaseWork(engine: Engine, { state }: Snapshot): Promise<RefWork> {
  const work: RefWork = { moves: [], objects: [], actions: [] };
  const { reader, repository, identity, env, refs } = engine;
  const held = await refs.list('refs/gitstate/leases/');
  const claimed = new Set<string>();
  for (const { session, contents } of contentsBySession(state)) {
    for (const feature of claimedFeatures(contents)) {
      const ref = leaseRef(session.id, feature.id);
      claimed.add(ref);
      if (await readLease(reader, session.id, feature).catch(() => null)) continue;
      const timeS = Math.floor(env.now() / 1000);
      const objects = leaseObjects(repository.objectFormat, firstLease(feature), identity, timeS);
      work.objects.push(...objects);
      work.moves.push({ ref, oldOid: held.get(ref) ?? null, newOid: objects.at(-1)!.oid });
      work.actions.push({ name: 'leases', detail: `made '${ref}' again, as the claim has it` });
    }
  }
  // Another store of this repository may have leases of its own.
  const own = new Set([...[...state.sessions.values()].map(({ id }) => id), ...(state.store?.retired ?? [])]);
  for (const [ref, oid] of held) {
    if (claimed.has(ref) || !own.has(ref.split('/')[3]! as never)) continue;
    work.moves.push({ ref, oldOid: oid, newOid: null });
    work.actions.push({ name: 'leases', detail: `removed '${ref}' (it held ${oid}): no claim has it` });
  }
  return work;
}

/** Tags of checkpoints are made again as they were, to the byte. */
export async function checkpointWork(engine: Engine, snapshot: Snapshot): Promise<RefWork> {
  const work: RefWork = { moves: [], objects: [], actions: [] };
  const history = { reader: engine.reader, repository: engine.repository, tagPrefix: engine.tagPrefix };
  for (const fault of await checkpointFaults(history, engine.refs, snapshot, writersIn(engine, snapshot))) {
    const { ref, holds, expected, session, checkpoint } = fault;
    if (!expected) continue;
    const oid = (await signedTag(engine, ref, expected, checkpoint, session)) ?? expected.oid;
    if (oid === holds) continue;
    work.objects.push(expected);
    work.moves.push({ ref, oldOid: holds, newOid: oid });
    const was = holds === null ? 'was missing' : `held ${holds}`;
    work.actions.push({ name: 'checkpoints', detail: `made '${ref}' again (it ${was})` });
  }
  await addHeads(engine, snapshot, work);
  return work;
}

/** Who wrote a checkpoint's file: its tag tells, else the history does. */
export function writersIn({ reader, repository, tagPrefix }: Engine, { commit }: Snapshot): WritersOf {
  const history = { reader, repository, tagPrefix };
  return async (session, checkpoint) => {
    const writer =
      (await writerByTag(history, session, checkpoint)) ??
      (await writerByHistory(history, commit!, session, checkpoint));
    return writer ? [writer] : [];
  };
}

/** A signature cannot be made again: a signed tag is taken from where it is kept a second time. */
async function signedTag(
  { reader, tagPrefix }: Engine,
  ref: string,
  expected: NewObject,
  { name }: Checkpoint,
  session: string,
): Promise<string | null> {
  const other = ref.startsWith('refs/tags/')
    ? `refs/gitstate/checkpoints/${session}/${ref.split('/').at(-1)}`
    : tagRef(tagPrefix, session, name);
  const tag = await reader.read(other).catch(() => null);
  if (tag?.type !== 'tag') return null;
  const signed = decodeTag(tag.body);
  const plain = decodeTag(Buffer.from(expected.body));
  const begins = signed.message.startsWith(`${plain.message}-----BEGIN `);
  return begins && signed.object === plain.object ? tag.oid : null;
}

/** Heads of code branches that a checkpoint keeps reachable, where they still can be. */
async function addHeads(engine: Engine, { state }: Snapshot, work: RefWork): Promise<void> {
  const held = await engine.refs.list('refs/gitstate/heads/');
  for (const { session, contents } of contentsBySession(state)) {
    for (const { name, heads, automatic } of contents.checkpoints.values()) {
      if (automatic) continue;
      for (const [feature, { oid }] of Object.entries(heads)) {
        const ref = headRef(session.id, name, feature);
        if (held.has(ref) || (await engine.reader.info(oid)) === null) continue;
        work.moves.push({ ref, oldOid: null, newOid: oid });
        work.actions.push({ name: 'checkpoints', detail: `made '${ref}' again` });
      }
    }
  }
}
