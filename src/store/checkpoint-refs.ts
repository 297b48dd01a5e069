import { checkpointPath } from '../codec/paths.ts';
import { checkpointRef, tagRef } from '../codec/tag.ts';
import type { Checkpoint } from '../core/entities.ts';
import { contentsBySession } from '../core/select.ts';
import { isGitStateError } from '../errors.ts';
import type { NewObject } from '../git/objects.ts';
import type { RefStore } from '../git/refs.ts';
import type { Signature } from '../git/signature.ts';
import { decodeTag } from '../git/tag.ts';
import { type History, readCommit } from './commits.ts';
import { sealOf } from './epochs.ts';
import { newTag } from './moves.ts';
import type { Snapshot } from './snapshot.ts';
import { writtenBefore } from './writers.ts';

/** The tags of checkpoints follow from the files that made them, and can be made again byte for byte. */

/** A history whose tags have names of their own. */
export interface Tagged extends History {
  /** What the names of tags begin with. */
  tagPrefix: string;
}

/** The commit that last wrote a checkpoint's file, and who made it. */
export interface Writer {
  commit: string;
  author: Signature;
}

/** What is wrong with one of the two refs of a checkpoint. */
export interface RefFault {
  session: string;
  checkpoint: Checkpoint;
  ref: string;
  /** What it holds; null where it is not there. */
  holds: string | null;
  /** What it has to hold; null where the commit that wrote the file is not known here. */
  expected: NewObject | null;
}

/** Tells who may have made the tag of a checkpoint: the commit that last wrote its file, or, where a repair wrote it
 *  anew, the one that did so first. Of several the first is taken where a tag has to be made. */
export type WritersOf = (session: string, checkpoint: Checkpoint) => Promise<readonly Writer[]>;

/** The refs of checkpoints in `snapshot` that are missing or hold something else. */
export async function checkpointFaults(
  { reader, repository, tagPrefix }: Tagged,
  refs: RefStore,
  snapshot: Snapshot,
  writersOf: WritersOf,
): Promise<RefFault[]> {
  const held = new Map([
    ...(await refs.list('refs/gitstate/checkpoints/')),
    ...(await refs.list(`refs/tags/${tagPrefix}`)),
  ]);
  const faults: RefFault[] = [];
  for (const { session, contents } of contentsBySession(snapshot.state)) {
    for (const checkpoint of contents.checkpoints.values()) {
      if (checkpoint.automatic) continue;
      const both = [
        checkpointRef(session.id, checkpoint.name),
        tagRef(tagPrefix, session.id, checkpoint.name),
      ];
      const writers = await writersOf(session.id, checkpoint);
      const format = repository.objectFormat;
      const tags = writers.map((writer) =>
        newTag(session.id, checkpoint, { format, tagPrefix, identity: writer.author, ...writer }),
      );
      const expected = tags[0] ?? null;
      for (const ref of both) {
        const holds = held.get(ref) ?? null;
        // Without a writer a tag that is there is believed as far as it agrees with itself.
        const right = expected
          ? tags.some(({ oid }) => oid === holds)
          : holds !== null && (await isTag(holds));
        if (right) continue;
        faults.push({ session: session.id, checkpoint, ref, holds, expected });
      }
    }
  }
  return faults;

  async function isTag(oid: string): Promise<boolean> {
    try {
      return (await reader.read(oid))?.type === 'tag';
    } catch (error) {
      if (!isGitStateError(error)) throw error;
      return false;
    }
  }
}

/** Takes the writer from the tag that stands there, if the history bears it out: the file came with that commit. */
export async function writerByTag(
  { reader, repository, tagPrefix }: Tagged,
  session: string,
  { name }: Checkpoint,
): Promise<Writer | null> {
  for (const ref of [checkpointRef(session, name), tagRef(tagPrefix, session, name)]) {
    const tag = await reader.read(ref).catch(() => null);
    if (tag?.type !== 'tag') continue;
    const commit = await readCommit(reader, decodeTag(tag.body).object).catch(() => null);
    if (!commit) continue;
    const path = checkpointPath(session, name);
    const infoAt = (oid: string | undefined) =>
      oid === undefined ? null : reader.info(`${oid}:${path}`).catch(() => null);
    const [now, before] = await Promise.all([commit.oid, commit.parents[0]].map(infoAt));
    const begins = (await sealOf({ reader, repository }, commit)) !== null;
    if (now && now.oid !== before?.oid && !begins) return { commit: commit.oid, author: commit.author };
  }
  return null;
}

/** Asks Git which commit last wrote the file: slow in a long history, and always right. */
export async function writerByHistory(
  { reader, repository }: History,
  tip: string,
  session: string,
  { name }: Checkpoint,
): Promise<Writer | null> {
  const args = [
    'rev-list',
    '-1',
    '--first-parent',
    '--end-of-options',
    tip,
    '--',
    checkpointPath(session, name),
  ];
  const oid = await repository.git.text(args, { okStatuses: [0, 128] });
  const commit = oid === '' ? null : await readCommit(reader, oid);
  const seal = await sealOf({ reader, repository }, commit);
  const before = writtenBefore(seal, session).get(checkpointPath(session, name));
  const writer = before === undefined ? commit : await readCommit(reader, before);
  return writer && { commit: writer.oid, author: writer.author };
}
