import * as z from 'zod';
import { GitStateError } from '../../errors.ts';
import { Budgets, type Session, SessionStatus, sessionRules } from '../entities.ts';
import { StepName } from '../ids.ts';
import { JsonRecord, type JsonValue, PlainNumber, recordOf, Text } from '../json.ts';
import { contentsOf, putSession, requireSession, type State } from '../state.ts';
import { type OperationIn, sessionOperation } from './define.ts';
import { completedAt, requireNoClaims } from './session-end.ts';

/** Fields of a session change. `config`, `quality_min` and `budgets.steps` are merged by key, and null removes a key. */
export const SessionUpdate = sessionOperation('session.update', () => ({
  name: Text.optional(),
  status: SessionStatus.optional(),
  config: JsonRecord.optional(),
  max_retries: sessionRules.max_retries.optional(),
  default_lease: sessionRules.default_lease.optional(),
  auto_checkpoints: z.boolean().optional(),
  quality_min: recordOf(Text, PlainNumber.nullable()).optional(),
  budgets: z
    .strictObject({
      steps: recordOf(StepName, Budgets.shape.feature).optional(),
      feature: Budgets.shape.feature.optional(),
      day: Budgets.shape.day.optional(),
    })
    .optional(),
}));
export type SessionUpdate = OperationIn<typeof SessionUpdate>;

/** @throws SESSION_NOT_FOUND, INVALID_TRANSITION where the session would end while features are claimed,
 *  INVALID_INPUT where its `config` would grow beyond the limits. */
export function applySessionUpdate(state: State, { session: id, args, at }: SessionUpdate): State {
  const session = requireSession(state, id);
  const { config, budgets, quality_min, status = session.status, ...fields } = args;
  if (status !== session.status && status !== 'active') requireNoClaims(session, contentsOf(state, id));
  const { steps, ...limits } = budgets ?? {};
  return putSession(state, {
    ...session,
    ...fields,
    status,
    config: mergedConfig(session, config),
    budgets: {
      ...session.budgets,
      ...limits,
      steps: merged(session.budgets.steps, steps) as Budgets['steps'],
    },
    quality_min: merged(session.quality_min, quality_min) as Session['quality_min'],
    completed_at: completedAt(session, status, at),
    updated_at: at,
  });
}

function mergedConfig(session: Session, change: Session['config'] | undefined): Session['config'] {
  const result = JsonRecord.safeParse(merged(session.config, change));
  if (result.success) return result.data;
  const fault = result.error.issues[0]!.message;
  throw new GitStateError('INVALID_INPUT', `the config of session '${session.id}' ${fault}`, {
    hint: 'remove a key by setting it to null',
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
