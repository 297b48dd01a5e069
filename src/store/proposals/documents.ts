import * as z from 'zod';
import { Oid, SessionId } from '../../core/ids.ts';
import { ImportedSession } from '../../core/operations/store-import.ts';
import { contentsOf, findFeature, findSession, type State } from '../../core/state.ts';
import { GitStateError } from '../../errors.ts';
import { proposal } from '../proposal.ts';

/** Sessions of another program's document come in as they are. */
export const importSessions = proposal(
  'import',
  z.strictObject({ format: z.string(), sessions: z.array(ImportedSession) }),
  ({ format, sessions }) => ({ type: 'store.import', session: null, args: { format, sessions } }),
);

/** What somebody changed in a document goes back into the sessions that it was made of, all or none.
 *  @throws CONFLICT where one of the entities was changed since `base`. */
export const mergeSessions = proposal(
  'import',
  z.strictObject({
    format: z.string(),
    base: Oid,
    sessions: z.array(ImportedSession),
    removed: z.array(SessionId).optional(),
  }),
  ({ format, base, sessions, removed }, view) => {
    const then = view.stateAt(base);
    for (const { session, features, merge } of sessions) {
      if (!merge) continue;
      requireSame(
        findSession(then, session.id),
        findSession(view.state, session.id),
        `session '${session.id}'`,
      );
      for (const id of [...features.map((feature) => feature.id), ...merge.removed]) {
        requireSame(
          featureIn(then, session.id, id),
          featureIn(view.state, session.id, id),
          `feature '${id}'`,
        );
      }
    }
    for (const id of removed ?? []) {
      requireSame(wholeOf(then, id), wholeOf(view.state, id), `session '${id}'`);
    }
    return { type: 'store.import', session: null, args: { format, sessions, removed } };
  },
);

function wholeOf(state: State, id: string) {
  const session = findSession(state, id);
  return session && [session, [...contentsOf(state, id).features.values()]];
}

function featureIn(state: State, session: string, id: string) {
  return findSession(state, session) ? findFeature(state, session, id) : undefined;
}

function requireSame(then: unknown, now: unknown, what: string): void {
  if (JSON.stringify(then) === JSON.stringify(now)) return;
  throw new GitStateError('CONFLICT', `${what} was changed by somebody else since it was loaded`, {
    hint: 'nothing was saved; load the document again and repeat the change',
    details: { conflict: what },
  });
}
