import * as z from 'zod';
import { GitStateError } from '../../errors.ts';
import type { Session, SessionStatus } from '../entities.ts';
import { invalidTransition } from '../rules.ts';
import { claimedFeatures } from '../select.ts';
import { type Contents, contentsOf, putSession, requireSession, type State } from '../state.ts';
import type { Instant } from '../time.ts';
import { type OperationIn, sessionOperation } from './define.ts';

const ending = {
  force: z.literal(true).optional(),
};

/** The three ways in which a session ends. None of them happens by itself. */
export const SessionComplete = sessionOperation('session.complete', () => ending);
export const SessionFail = sessionOperation('session.fail', () => ending);
export const SessionArchive = sessionOperation('session.archive', () => ending);
export type SessionEnd =
  | OperationIn<typeof SessionComplete>
  | OperationIn<typeof SessionFail>
  | OperationIn<typeof SessionArchive>;

const outcomes = {
  'session.complete': 'completed',
  'session.fail': 'failed',
  'session.archive': 'archived',
} as const satisfies Record<SessionEnd['type'], SessionStatus>;

/** @throws SESSION_NOT_FOUND, INVALID_TRANSITION while features are claimed and nothing forces it. */
export function applySessionEnd(state: State, { type, session: id, args, at }: SessionEnd): State {
  const session = requireSession(state, id);
  const status = outcomes[type];
  if (!args.force) requireNoClaims(session, contentsOf(state, id));
  if (session.status === status) {
    throw invalidTransition(`session '${id}' is ${status} already`, session.status, ['active']);
  }
  return putSession(state, {
    ...session,
    status,
    completed_at: completedAt(session, status, at),
    updated_at: at,
  });
}

/** When a session was completed, as it becomes `status`: one that is put away keeps the time. */
export function completedAt(session: Session, status: SessionStatus, at: Instant): Instant | null {
  if (status === 'completed') return session.completed_at ?? at;
  return status === 'archived' ? session.completed_at : null;
}

/** @throws INVALID_TRANSITION while somebody holds a feature of the session. */
export function requireNoClaims(session: Session, contents: Contents): void {
  const held = claimedFeatures(contents);
  if (held.length === 0) return;
  const names = held.map((feature) => `'${feature.id}' by '${feature.worker_id}'`).join(', ');
  throw new GitStateError('INVALID_TRANSITION', `session '${session.id}' has claimed features: ${names}`, {
    hint: 'wait for them or release them; `git state session complete --force` leaves the claims as they are',
    details: { from: session.status, allowed: ['active'] },
  });
}

export function describeSessionEnd({ type, session }: SessionEnd): string {
  return `${type.slice('session.'.length)} session ${session}`;
}
