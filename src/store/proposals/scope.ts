import * as z from 'zod';
import type { Feature, Session } from '../../core/entities.ts';
import { FeatureId, SessionId, WorkerId } from '../../core/ids.ts';
import type { Right } from '../../core/rules.ts';
import { activeSessions, claimedFeatures, sessionsInOrder } from '../../core/select.ts';
import { contentsOf, requireFeature, requireSession, requireStore, type State } from '../../core/state.ts';
import { GitStateError } from '../../errors.ts';
import type { View } from '../proposal.ts';
import { parseToken } from '../token.ts';

/** What most requests have in common: where, and by whom. */
export const scope = {
  session: SessionId.optional(),
  worker: WorkerId.optional(),
};

/** A request that writes to one feature. */
export const featureScope = {
  ...scope,
  feature: FeatureId.optional(),
  token: z.string().max(200).optional(),
  force: z.boolean().optional(),
};

/** The session that is meant: the one named, else the only active one.
 *  @throws SESSION_NOT_FOUND, AMBIGUOUS_SESSION */
export function sessionOf(state: State, id: string | undefined): Session {
  if (id !== undefined) return requireSession(state, id);
  requireStore(state);
  return onlySession(activeSessions(state), 'active session');
}

/** The session that a command which only reads is about: the only active one, else the only one there is. */
export function readableSessionOf(state: State, id: string | undefined): Session {
  if (id !== undefined) return requireSession(state, id);
  requireStore(state);
  const active = activeSessions(state);
  return active.length > 0
    ? onlySession(active, 'active session')
    : onlySession(sessionsInOrder(state), 'session');
}

function onlySession(sessions: Session[], what: string): Session {
  if (sessions.length === 1) return sessions[0]!;
  if (sessions.length === 0) {
    throw new GitStateError('SESSION_NOT_FOUND', `there is no ${what}`, {
      hint: 'start one with `git state session start`, or name one with --session',
      details: { session: null },
    });
  }
  const ids = sessions.map(({ id }) => id);
  throw new GitStateError('AMBIGUOUS_SESSION', `several sessions are meant: ${ids.join(', ')}`, {
    hint: `name one: --session ${ids.at(-1)}, or set GITSTATE_SESSION`,
    details: { sessions: ids },
  });
}

interface FeatureRequest {
  feature?: string | undefined;
  worker?: WorkerId | undefined;
  token?: string | undefined;
  force?: boolean | undefined;
}

/** Whether `worker` is the name derived from the environment, or one of its numbered followers. */
export function isDerivedFrom(base: string, worker: string | null): boolean {
  return (
    worker !== null &&
    (worker === base || (worker.startsWith(`${base}-`) && /^\d+$/.test(worker.slice(base.length + 1))))
  );
}

/** The feature that is meant: the one named, else that of the token's or the worker's only claim.
 *  @throws FEATURE_NOT_FOUND, USAGE, NOT_HOLDER */
export function featureOf(
  view: Pick<View, 'state' | 'derivedWorker'>,
  session: Session,
  request: FeatureRequest,
): Feature {
  if (request.feature !== undefined) return requireFeature(view.state, session.id, request.feature);
  const claimed = claimedFeatures(contentsOf(view.state, session.id));
  const token = request.token === undefined ? null : parseToken(request.token);
  const own = claimed.filter(({ claim, worker_id }) => {
    if (token !== null) return claim?.id === token;
    return request.worker === undefined
      ? isDerivedFrom(view.derivedWorker, worker_id)
      : worker_id === request.worker;
  });
  if (own.length === 1) return own[0]!;
  if (own.length === 0) {
    throw new GitStateError('USAGE', 'no feature is named, and none is claimed by you', {
      hint: 'name the feature, or set GITSTATE_FEATURE',
    });
  }
  throw severalHeld(own);
}

function severalHeld(own: Feature[]): GitStateError {
  const held = own.map(({ id, worker_id }) => ({ feature: id, worker: worker_id }));
  const names = held.map(({ feature, worker }) => `'${feature}' (${worker})`).join(', ');
  return new GitStateError('NOT_HOLDER', `several features are held here: ${names}`, {
    hint: 'name the feature, and its worker with --worker or its token with --token',
    details: { held },
  });
}

/** What a request shows to prove its right, with the worker in whose name it acts. A token alone decides where there
 *  is one; without token and name it acts for the claim of the derived name. */
export function rightOf(view: View, feature: Feature, request: FeatureRequest): Right {
  const force = request.force ? { force: true as const } : {};
  const holder = feature.worker_id;
  if (request.token !== undefined) {
    const claim = parseToken(request.token);
    const known = feature.claim?.id === claim && holder !== null ? { worker: holder } : {};
    return { ...known, claim, ...force };
  }
  if (request.worker !== undefined) return { worker: request.worker, ...force };
  if (isDerivedFrom(view.derivedWorker, holder)) return { worker: holder!, ...force };
  return force;
}

/** Whether a finished request is repeated by the claim that did it: an answer may have been lost. */
export function isRepeated(feature: Feature, by: string, right: Right): boolean {
  return (
    feature.claim === null &&
    right.claim !== undefined &&
    feature.ended_claim?.id === right.claim &&
    feature.ended_claim.by === by
  );
}
