import type { Feature, Session } from '../../core/entities.ts';
import { keyOf } from '../../core/ids.ts';
import { contentsBySession, sessionsInOrder } from '../../core/select.ts';
import { findFeature } from '../../core/state.ts';
import type { View } from '../proposal.ts';

/** Folder for worktrees below the main worktree, unless `gitstate.worktreeRoot` names another. */
export const defaultWorktreeRoot = '.worktrees';

/** Branch and worktree for a feature's code. Those it has already are kept; `feature/<id>` is taken unless somebody
 *  else has it: another session's feature of the same id, or a branch of the user's own. */
export function codeFor(
  view: View,
  session: Session,
  feature: Feature,
): { branch: string; worktree: string } {
  const branch = feature.branch ?? freeBranch(view, session, feature);
  const name = branch.startsWith('feature/') ? branch.slice('feature/'.length) : feature.id;
  return { branch, worktree: feature.worktree ?? `${view.worktreeRoot}/${name}` };
}

function freeBranch(view: View, session: Session, feature: Feature): string {
  const plain = `feature/${feature.id}`;
  if (!isOfOtherSession(view, session, feature, plain) && view.ref(`refs/heads/${plain}`) === null)
    return plain;
  return `feature/${session.id}-${feature.id}`;
}

function isOfOtherSession({ state }: View, session: Session, feature: Feature, branch: string): boolean {
  if (sessionsInOrder(state).length === 1) return false;
  return contentsBySession(state).some(({ session: other }) => {
    if (keyOf(other.id) === keyOf(session.id)) return false;
    return findFeature(state, other.id, feature.id)?.branch === branch;
  });
}
