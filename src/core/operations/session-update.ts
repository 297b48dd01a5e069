import { z } from 'zod';
import { Budgets, SessionStatus, sessionRules } from '../entities.ts';
import { Json, type JsonValue, sortKeys, Text } from '../json.ts';
import { putSession, requireSession, type State } from '../state.ts';
import { sessionOperation } from './define.ts';

/** Fields of a session change. `config` and `budgets.steps` are merged by key, and null removes a key. */
export const SessionUpdate = sessionOperation('session.update', {
  name: Text.optional(),
  status: SessionStatus.optional(),
  config: z.record(z.string(), Json).optional(),
  max_retries: sessionRules.max_retries.optional(),
  default_lease: sessionRules.default_lease.optional(),
  auto_checkpoints: z.boolean().optional(),
  budgets: z
    .strictObject({
      steps: z.record(z.string(), Budgets.shape.feature).optional(),
      feature: Budgets.shape.feature.optional(),
      day: Budgets.shape.day.optional(),
    })
    .optional(),
});
export type SessionUpdate = z.infer<typeof SessionUpdate>;

/** @throws SESSION_NOT_FOUND */
export function applySessionUpdate(state: State, { session: id, args, at }: SessionUpdate): State {
  const session = requireSession(state, id);
  const { config, budgets, status = session.status, ...fields } = args;
  const { steps, ...limits } = budgets ?? {};
  return putSession(state, {
    ...session,
    ...fields,
    status,
    config: sortKeys(merged(session.config, config)),
    budgets: {
      ...session.budgets,
      ...limits,
      steps: sortKeys(merged(session.budgets.steps, steps)) as Budgets['steps'],
    },
    completed_at:
      status === 'completed'
        ? (session.completed_at ?? at)
        : status === 'active'
          ? null
          : session.completed_at,
    updated_at: at,
  });
}

function merged(
  before: Record<string, JsonValue>,
  change: Record<string, JsonValue> = {},
): Record<string, JsonValue> {
  const entries = new Map(Object.entries(before));
  for (const [key, value] of Object.entries(change)) {
    if (value === null) entries.delete(key);
    else entries.set(key, value);
  }
  return Object.fromEntries(entries);
}

export function describeSessionUpdate({ session }: SessionUpdate): string {
  return `update session ${session}`;
}
