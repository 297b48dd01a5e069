import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import type { Repository } from '../git/repository.ts';

/** One move of a ref, as Git wrote it down. */
export interface ReflogEntry {
  from: string;
  to: string;
  message: string;
}

/** What `RefStore` writes as message of its moves. */
const ownMessage = 'gitstate';
/** A few dozen moves, and some hundreds. */
export const tailBytes = { short: 4096, long: 256 * 1024 } as const;

/** The last moves of a ref, newest last. Empty where there is no reflog, as in bare repositories by default.
 *  @param bytesMax how much of the file is read. */
export function reflogTail(
  { commonDir, refFormat }: Repository,
  ref: string,
  bytesMax: number = tailBytes.long,
): ReflogEntry[] {
  if (refFormat !== 'files') return [];
  let fd: number;
  try {
    fd = openSync(join(commonDir, 'logs', ref), 'r');
  } catch {
    return [];
  }
  try {
    const { size } = fstatSync(fd);
    const bytes = Buffer.alloc(Math.min(size, bytesMax));
    readSync(fd, bytes, 0, bytes.length, Math.max(0, size - bytes.length));
    return bytes.toString('latin1').split('\n').flatMap(entryOf);
  } finally {
    closeSync(fd);
  }
}

/** A line that was cut off at the beginning of what was read is none. */
function entryOf(line: string): ReflogEntry[] {
  const match = /^([0-9a-f]{40,64}) ([0-9a-f]{40,64}) [^\t]*(?:\t(.*))?$/.exec(line);
  return match ? [{ from: match[1]!, to: match[2]!, message: match[3] ?? '' }] : [];
}

/** Whether the last move is our own, and `tip` what it led to or, where Git was killed over it, came from. */
export function isOwnMove(entries: readonly ReflogEntry[], tip: string): boolean {
  const last = entries.at(-1);
  return last?.message === ownMessage && (last.to === tip || last.from === tip);
}

/** The newest commit that gitstate put there; null where none is on record. A move that Git wrote down and did not make
 *  any more is none: the next one starts from where the ref really was. */
export function lastOwnCommit(entries: readonly ReflogEntry[]): string | null {
  for (let at = entries.length - 1; at >= 0; at -= 1) {
    const { message, to } = entries[at]!;
    const next = entries[at + 1];
    if (message === ownMessage && (!next || next.from === to)) return to;
  }
  return null;
}
