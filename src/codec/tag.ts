import type { Checkpoint } from '../core/entities.ts';
import { fileNameOf } from './paths.ts';

/** Refs and text of a checkpoint's annotated tag. Both follow from the checkpoint's file, so that a lost tag can be
 *  made again byte for byte. */

/** What the names of tags begin with, unless `gitstate.tagPrefix` says otherwise. */
export const defaultTagPrefix = 'gitstate/';

/** @param prefix what the names of tags begin with. */
export function tagName(prefix: string, session: string, name: string): string {
  return `${prefix}${session}/${fileNameOf(name)}`;
}

export function tagRef(prefix: string, session: string, name: string): string {
  return `refs/tags/${tagName(prefix, session, name)}`;
}

/** Holds the tag object where settings that prune tags do not reach. */
export function checkpointRef(session: string, name: string): string {
  return `refs/gitstate/checkpoints/${session}/${fileNameOf(name)}`;
}

export const headRefs = 'refs/gitstate/heads/';

/** Keeps the head of a code branch reachable for as long as the checkpoint stands. */
export function headRef(session: string, name: string, feature: string): string {
  return `${headRefs}${session}/${fileNameOf(name)}/${feature}`;
}

/** Keeps a head that a code branch had before it was put back. */
export function formerRef(session: string, feature: string, oid: string): string {
  return `refs/gitstate/former/${session}/${feature}/${oid}`;
}

export function leaseRef(session: string, feature: string): string {
  return `refs/gitstate/leases/${session}/${feature}`;
}

/** Where it is noted what the branch of a remote was last seen to hold. */
export function seenRefOf(remote: string, branchRef: string): string {
  return `refs/gitstate/remotes/${remote}/${branchRef.replace(/^refs\//, '')}`;
}

/** Where the epochs of the history are kept that were sealed. */
export const epochRefs = 'refs/gitstate/epochs/';

export function epochRef(epoch: number): string {
  return `${epochRefs}${epoch}`;
}

/** Holds an operation of ours that no longer applied when others had been faster. */
export function rejectedRef(id: string): string {
  return `refs/gitstate/rejected/${id}`;
}

export function encodeTagMessage(session: string, checkpoint: Checkpoint): string {
  const trailers = [
    `gitstate-session: ${session}`,
    `gitstate-checkpoint: ${checkpoint.name}`,
    ...(checkpoint.feature === null ? [] : [`gitstate-feature: ${checkpoint.feature}`]),
    ...(checkpoint.step === null ? [] : [`gitstate-step: ${checkpoint.step}`]),
    ...(checkpoint.next_step === null ? [] : [`gitstate-next-step: ${checkpoint.next_step}`]),
    'gitstate-schema: 1',
  ];
  return `checkpoint ${checkpoint.name}\n\n${trailers.join('\n')}\n`;
}
