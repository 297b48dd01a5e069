import { GitStateError } from '../errors.ts';
import type { Oid } from '../git/ids.ts';
import type { ObjectReader } from '../git/reader.ts';
import type { Repository } from '../git/repository.ts';
import { commitsSince } from './epochs.ts';

/** How our branch stands to what the remote is known to hold. */
export interface Standing {
  /** What the remote's branch was last seen to hold; null: it has none that we know of. */
  readonly seen: Oid | null;
  /** Our own branch; null before there is one. */
  readonly local: Oid | null;
  /** Commits of ours that the remote has not, oldest first. */
  readonly unpushed: readonly Oid[];
  /** What the oldest of them stands on; null where they are all there is. */
  readonly base: Oid | null;
  /** `ahead`: what is unpushed stands on `seen`, or nothing is. `diverged`: both have moved. `unrelated`: they have no
   *  commit in common. */
  readonly relation: 'ahead' | 'diverged' | 'unrelated';
}

/** Compares the two by their history, through the epochs of both. As a rule that is one Git process. */
export async function standingOf(
  { repository, reader }: { repository: Repository; reader: ObjectReader },
  seen: Oid | null,
  local: Oid | null,
): Promise<Standing> {
  if (local === null || local === seen) return { seen, local, base: seen, unpushed: [], relation: 'ahead' };
  if (seen === null) {
    const args = ['rev-list', '--first-parent', '--reverse', '--end-of-options', local];
    const unpushed = (await repository.git.text(args)).split('\n');
    return { seen, local, base: null, unpushed, relation: 'ahead' };
  }
  const { oids: unpushed, parent: base } = await commitsSince({ repository, reader }, local, seen);
  const ahead = unpushed.length === 0 || base === seen;
  return {
    seen,
    local,
    base,
    unpushed,
    relation: ahead ? 'ahead' : base === null ? 'unrelated' : 'diverged',
  };
}

/** @throws REMOTE_DIVERGED where the two histories have nothing in common. */
export function requireRelated(remote: string, { relation, seen, local }: Standing): void {
  if (relation !== 'unrelated') return;
  throw new GitStateError('REMOTE_DIVERGED', `'${remote}' holds another store than this repository`, {
    hint: `if its store is the right one: \`git state sync ${remote} --adopt-remote ${seen}\` takes it and puts ours on top`,
    details: { local, remote: seen, remote_name: remote },
  });
}
