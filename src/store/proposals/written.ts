import { checkpointPath } from '../../codec/paths.ts';
import type { Oid } from '../../core/ids.ts';
import { contentsOf } from '../../core/state.ts';
import type { View } from '../proposal.ts';

/** The commits that had written some checkpoints as of `commit`, by `<session>/<name>`; those that name a commit
 *  themselves are left out. @param keys of the checkpoints in their table. */
export function writersAt(
  view: View,
  commit: string,
  session: string,
  keys: Iterable<string>,
): Record<string, Oid> {
  const { checkpoints } = contentsOf(view.stateAt(commit), session);
  const written: [string, Oid][] = [];
  for (const key of keys) {
    const checkpoint = checkpoints.get(key);
    if (!checkpoint || checkpoint.commit !== null) continue;
    const writer = view.writers(commit, session).get(checkpointPath(session, checkpoint.name));
    if (writer !== undefined) written.push([`${session}/${checkpoint.name}`, writer as Oid]);
  }
  return Object.fromEntries(written);
}
