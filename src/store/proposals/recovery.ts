import * as z from 'zod';
import type { FeatureId } from '../../core/ids.ts';
import { GivenPreset } from '../../core/presets.ts';
import { claimedFeatures, contentsBySession, updatedAt } from '../../core/select.ts';
import { contentsOf, requireStore } from '../../core/state.ts';
import { Duration, instantOf, parseDuration } from '../../core/time.ts';
import { GitStateError } from '../../errors.ts';
import { proposal, type View } from '../proposal.ts';
import { evidenceOf, isOver, judge } from './judgement.ts';
import { readableSessionOf, scope, type sessionOf } from './scope.ts';

/** Claims of a session that are over, with what was judged. */
export function overdueClaims(view: View, session: ReturnType<typeof sessionOf>) {
  return claimedFeatures(contentsOf(view.state, session.id)).flatMap((feature) => {
    const judged = judge(view, session, feature);
    const { state, doubt } = judged;
    if (state === 'live' || doubt !== null) return [];
    return [{ feature: feature.id, ...evidenceOf(view, feature, judged, state) }];
  });
}

export const sessionRecover = proposal('recover', z.strictObject(scope), (request, view) => {
  const session = readableSessionOf(view.state, request.session);
  return {
    type: 'session.recover',
    session: session.id,
    actor: request.worker,
    args: { released: overdueClaims(view, session) },
  };
});

/** Sessions that are not active and were last updated so long ago are dropped; history keeps them. */
export const cleanupSessions = proposal(
  'cleanup',
  z.strictObject({ olderThan: Duration.optional() }),
  (request, view) => {
    requireStore(view.state);
    const before = instantOf(view.nowMs - parseDuration(request.olderThan ?? '7d')!);
    const sessions = contentsBySession(view.state)
      .filter(
        ({ session, contents }) => session.status !== 'active' && updatedAt(session, contents) <= before,
      )
      .map(({ session }) => session.id);
    if (sessions.length === 0) return { unchanged: true, session: null };
    return { type: 'store.cleanup', session: null, args: { before, sessions } };
  },
);

/** Features that failed, or are in progress without a live claim, and were last updated so long ago are archived. */
export const cleanupFeatures = proposal(
  'cleanup --features',
  z.strictObject({ ...scope, olderThan: Duration.optional() }),
  (request, view) => {
    const session = readableSessionOf(view.state, request.session);
    const before = instantOf(view.nowMs - parseDuration(request.olderThan ?? '24h')!);
    const features = [...contentsOf(view.state, session.id).features.values()]
      .filter((feature) => {
        if (feature.updated_at > before) return false;
        if (feature.status === 'failed') return true;
        return feature.status === 'in_progress' && (!feature.claim || isOver(view, session, feature));
      })
      .map(({ id }) => id as FeatureId)
      .sort();
    if (features.length === 0) return { unchanged: true, session: session.id };
    return { type: 'store.cleanup', session: session.id, args: { before, features } };
  },
);

export const storeReset = proposal(
  'reset',
  z.strictObject({ confirm: z.boolean().optional() }),
  (request, view) => {
    requireStore(view.state);
    if (!request.confirm) {
      throw new GitStateError('USAGE', 'this would empty the store of every session', {
        hint: 'see what it does and how to say that you mean it with `git state help reset`',
      });
    }
    // Files of a session can only be taken away where they are known: this loads every one.
    contentsBySession(view.state);
    return { type: 'store.reset', session: null, args: {} };
  },
);

export const presetPut = proposal('preset put', z.strictObject({ preset: GivenPreset }), (request) => ({
  type: 'preset.put',
  session: null,
  args: { preset: request.preset },
}));
