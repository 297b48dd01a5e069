import * as z from 'zod';
import { type FeatureId, keyOf, type Oid } from '../../core/ids.ts';
import { requireUndoable } from '../../core/operations/state-undo.ts';
import { invalidTransition, type Right } from '../../core/rules.ts';
import { contentsOf, emptyContents, findFeature, requireStore } from '../../core/state.ts';
import { GitStateError } from '../../errors.ts';
import { proposal, type View } from '../proposal.ts';
import { parseToken } from '../token.ts';
import { readableSessionOf, rightOf, scope } from './scope.ts';
import { writersAt } from './written.ts';

const request = z.strictObject({
  ...scope,
  /** The commit to undo; the newest of the session by default. */
  commit: z.string().min(1).optional(),
  token: z.string().max(200).optional(),
  force: z.boolean().optional(),
});
type UndoRequest = z.infer<typeof request>;

/** One operation is taken back, as a new one.
 *  @throws COMMIT_NOT_FOUND, INVALID_TRANSITION for one that cannot be undone. */
export const stateUndo = proposal(
  'undo',
  request,
  (asked, view) => {
    requireStore(view.state);
    const { commit, parent, operation } = view.operationAt(commitOf(asked, view));
    if (operation === null) {
      const message = `cannot undo ${commit.slice(0, 7)}: it was made by hand, by no operation`;
      throw invalidTransition(
        message,
        'by hand',
        [],
        'put back an earlier state with `git state restore REV`',
      );
    }
    requireUndoable(operation.type, commit);
    requireSameSession(asked, operation.session, commit);
    const { feature } = operation.args as { feature?: FeatureId };
    return {
      type: 'state.undo',
      session: operation.session,
      actor: asked.worker,
      args: {
        commit: commit as Oid,
        parent: parent as Oid,
        op: operation.type,
        operation: operation.id,
        feature,
        written: writtenBefore(view, commit, parent!),
        ...rightTo(view, operation.session, feature, asked),
      },
    };
  },
  { alone: true },
);

/** @throws INVALID_INPUT where another session was named: nobody undoes what they did not mean. */
function requireSameSession({ session }: UndoRequest, own: string | null, commit: string): void {
  if (session === undefined || own === null || own === session) return;
  throw new GitStateError(
    'INVALID_INPUT',
    `commit ${commit.slice(0, 7)} is of session '${own}', not of '${session}'`,
    {
      hint: `if it is meant: --session ${own}`,
    },
  );
}

function commitOf({ session, commit }: UndoRequest, view: View): string {
  if (commit !== undefined) return view.point(`commit:${commit.replace(/^commit:/, '')}`, null).commit;
  const { id } = readableSessionOf(view.state, session);
  const newest = view.newestOf(id);
  if (newest !== null) return newest;
  throw new GitStateError('COMMIT_NOT_FOUND', `no commit of session '${id}' in the history`, {
    hint: 'git state log',
  });
}

/** What the caller shows: for the feature that the operation is about, or for any that is claimed. */
function rightTo(view: View, session: string | null, feature: string | undefined, asked: UndoRequest): Right {
  const present =
    session === null || feature === undefined ? undefined : findFeature(view.state, session, feature);
  if (present) return rightOf(view, present, asked);
  const { token, worker, force } = asked;
  return {
    ...(worker === undefined ? {} : { worker }),
    ...(token === undefined ? {} : { claim: parseToken(token) }),
    ...(force ? { force: true as const } : {}),
  };
}

/** The commits that wrote the checkpoints that the operation took away or replaced. */
function writtenBefore(view: View, commit: string, parent: string): Record<string, Oid> {
  const [before, after] = [view.stateAt(parent), view.stateAt(commit)];
  const written = [...before.sessions.values()].map(({ id }) => {
    const made = after.contents.get(keyOf(id))?.checkpoints ?? emptyContents.checkpoints;
    return writersAt(view, parent, id, made.changedSince(contentsOf(before, id).checkpoints));
  });
  return Object.assign({}, ...written);
}
