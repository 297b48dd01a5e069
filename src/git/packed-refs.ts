import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { Repository } from './repository.ts';

/** Tells one `packed-refs` from another, which Git does to the second only: it takes one that was replaced twice within a
 *  second, and so may have its size and inode again, for the one that it knows, and then a ref that is in no file of its
 *  own for where it was before. A Git that has looked at another `packed-refs` is therefore not asked any more. */
export function packedRefsStamp({ commonDir, refFormat }: Repository): string {
  if (refFormat !== 'files') return '';
  const stat = statSync(join(commonDir, 'packed-refs'), { bigint: true, throwIfNoEntry: false });
  return stat === undefined ? '' : `${stat.ino} ${stat.size} ${stat.mtimeNs}`;
}
