import * as z from 'zod';
import { GitStateError } from '../../errors.ts';
import { FeatureId, Oid, OperationId, SessionId } from '../ids.ts';
import { recordOf, Text } from '../json.ts';
import { invalidTransition } from '../rules.ts';
import { requireStore, type State } from '../state.ts';
import { takeBack } from '../undo.ts';
import { type OperationIn, operationScope, right } from './define.ts';

/** What one operation changed is put back, as one more operation. */
export const StateUndo = operationScope(
  'state.undo',
  () => SessionId.nullable(),
  () => ({
    /** Commit of the operation that is undone, and the commit before it. */
    commit: Oid,
    parent: Oid,
    /** Type and id of that operation. */
    op: z.string().max(40),
    operation: OperationId,
    feature: FeatureId.optional(),
    /** The commits that had written the checkpoints that come back, by `<session>/<name>`: a file that is put in place
     *  again names the older commit. */
    written: recordOf(Text, Oid),
    ...right,
  }),
);
export type StateUndo = OperationIn<typeof StateUndo>;

/** What nothing can take back: words said, rights given up. */
const final: Record<string, string> = {
  'store.init': 'there is nothing before it',
  'note.add': 'a note stays in the log',
  'feature.renew': 'a lease only ever goes on',
  'feature.release': 'a claim that was given back never comes back',
  'state.repair': 'there is nothing sound to go back to',
  'store.migrate': 'files of an older schema are not written any more',
  'store.seal': 'an epoch that has begun stays',
  'session.recover': 'a claim that was released never comes back',
};

/** @throws INVALID_TRANSITION for an operation that cannot be undone. */
export function requireUndoable(op: string, commit: string): void {
  const reason = new Map(Object.entries(final)).get(op);
  if (reason === undefined) return;
  throw invalidTransition(`cannot undo ${commit.slice(0, 7)}, a ${op}: ${reason}`, op, [], 'git state log');
}

/** Returns `state` with what the operation changed as it was in `before`. Claims never come back, counters of claims,
 *  retired ids and costs never fall: a cost gets an entry of the opposite amount.
 *  @param before the state that the operation met, `after` the one that it left.
 *  @throws INVALID_TRANSITION for what cannot be undone, CONFLICT where something was changed again since (`changes`
 *  says what), HAS_DEPENDENTS, NOT_HOLDER and STALE_TOKEN where the feature is claimed now. */
export function applyStateUndo(state: State, { args, at }: StateUndo, before: State, after: State): State {
  requireStore(state);
  requireUndoable(args.op, args.commit);
  const { state: next, clashes } = takeBack(state, { before, after, at, ...args });
  if (clashes.length === 0) return next;
  const { entity, id, path } = clashes[0]!;
  const more = clashes.length > 1 ? `, and ${clashes.length - 1} more` : '';
  const what = `${entity} '${id}'${path === '' ? '' : ` ${path}`}${more}`;
  const { commit, op } = args;
  throw new GitStateError('CONFLICT', `cannot undo ${commit.slice(0, 7)}: ${what} was changed since`, {
    hint: 'undo what was done since first, or put one feature back with `git state restore REV --feature ID`',
    details: { commit, op, changes: clashes },
  });
}

export function describeStateUndo({ args }: StateUndo): string {
  return `undo ${args.commit.slice(0, 7)}`;
}
