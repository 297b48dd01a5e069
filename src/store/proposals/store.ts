import * as z from 'zod';
import { FeatureId, type Oid, type PresetName, type SessionId } from '../../core/ids.ts';
import { Text } from '../../core/json.ts';
import { noteLevels } from '../../core/operations/note-add.ts';
import { requirePreset } from '../../core/presets.ts';
import { contentsBySession } from '../../core/select.ts';
import { contentsOf, findCheckpoint, findSession, requireStore } from '../../core/state.ts';
import { GitStateError } from '../../errors.ts';
import { proposal } from '../proposal.ts';
import { readableSessionOf, scope } from './scope.ts';
import { writersAt } from './written.ts';

/** The branch begins; on a store that is there already nothing changes. */
export const storeInit = proposal(
  'init',
  z.strictObject({ preset: z.string().optional(), readme: z.string() }),
  ({ preset, readme }, { state, env }) => {
    if (state.store) return { unchanged: true, session: null };
    const name = preset === undefined ? null : requirePreset(state, preset).name;
    return {
      type: 'store.init',
      session: null,
      args: { store: env.randomId(), preset: name as PresetName | null, readme: readme as Oid },
    };
  },
);

/** Every file is brought up to the newest schema; where they are there already, nothing changes. */
export const storeMigrate = proposal('migrate', z.strictObject({}), (_, { state, schema }) => {
  const { schema: from } = requireStore(state);
  if (from === schema) return { unchanged: true, session: null };
  contentsBySession(state);
  return { type: 'store.migrate', session: null, args: { from, to: schema } };
});

export const noteAdd = proposal(
  'note',
  z.strictObject({
    ...scope,
    message: Text.min(1, 'is empty'),
    level: z.enum(noteLevels).optional(),
    feature: FeatureId.optional(),
  }),
  ({ session: id, worker, message, level = 'info', feature }, { state }) => {
    const session = readableSessionOf(state, id);
    return { type: 'note.add', session: session.id, actor: worker, args: { message, level, feature } };
  },
);

/** A session, or one feature, goes back to what it was at a point of the history. */
export const stateRestore = proposal(
  'restore',
  z.strictObject({ ...scope, point: z.string().min(1), feature: FeatureId.optional() }),
  (request, view) => {
    // A session that was cleaned up can come back, so it need not exist now.
    const named = request.session;
    const session = named ?? readableSessionOf(view.state, undefined).id;
    const point = view.point(request.point, session);
    const source = view.stateAt(point.commit);
    if (!findSession(source, session)) {
      throw new GitStateError('SESSION_NOT_FOUND', `session '${session}' did not exist at '${point.text}'`, {
        hint: 'name another point; see `git state log`',
        details: { session, commit: point.commit },
      });
    }
    // An automatic checkpoint is of one feature, and gives back that one only.
    const checkpoint =
      point.checkpoint === null ? undefined : findCheckpoint(view.state, session, point.checkpoint);
    const feature =
      request.feature ?? (checkpoint?.automatic ? (checkpoint.feature ?? undefined) : undefined);
    const isGone = findSession(view.state, session) === undefined;
    const checkpoints = isGone
      ? [...contentsOf(source, session).checkpoints.entries()].map(([key]) => key)
      : [];
    const written =
      checkpoints.length > 0 ? { written: writersAt(view, point.commit, session, checkpoints) } : {};
    return {
      type: 'state.restore',
      session: session as SessionId,
      actor: request.worker,
      args: { commit: point.commit as Oid, tree: point.tree as Oid, point: point.text, feature, ...written },
    };
  },
  { alone: true },
);
