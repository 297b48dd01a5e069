import { z } from 'zod';
import type { SessionStatus } from '../entities.ts';
import { invalidTransition } from '../rules.ts';
import { claimedFeatures } from '../select.ts';
import { contentsOf, putSession, requireSession, type State } from '../state.ts';
import { sessionOperation } from './define.ts';

const ending = {
  force: z.literal(true).optional(),
};

/** The three ways in which a session ends. None of them happens by itself. */
export const SessionComplete = sessionOperation('session.complete', ending);
export const SessionFail = sessionOperation('session.fail', ending);
export const SessionArchive = sessionOperation('session.archive', ending);
export type SessionEnd =
  | z.infer<typeof SessionComplete>
  | z.infer<typeof SessionFail>
  | z.infer<typeof SessionArchive>;

const outcomes = {
  'session.complete': 'completed',
  'session.fail': 'failed',
  'session.archive': 'archived',
} as const satisfies Record<SessionEnd['type'], SessionStatus>;

/** @throws SESSION_NOT_FOUND, INVALID_TRANSITION while features are claimed and nothing forces it. */
export function applySessionEnd(state: State, { type, session: id, args, at }: SessionEnd): State {
  const session = requireSession(state, id);
  const status = outcomes[type];
  const held = claimedFeatures(contentsOf(state, id));
  if (held.length > 0 && !args.force) {
    const names = held.map((feature) => `'${feature.id}' by '${feature.worker_id}'`).join(', ');
    throw invalidTransition(
      `session '${id}' has claimed features: ${names}`,
      session.status,
      ['active'],
      'wait for them, release them, or repeat with --force, which leaves the claims as they are',
    );
  }
  if (session.status === status) {
    throw invalidTransition(`session '${id}' is ${status} already`, session.status, ['active']);
  }
  const completed_at = status === 'completed' ? at : session.completed_at;
  return putSession(state, { ...session, status, completed_at, updated_at: at });
}

export function describeSessionEnd({ type, session }: SessionEnd): string {
  return `${type.slice('session.'.length)} session ${session}`;
}
