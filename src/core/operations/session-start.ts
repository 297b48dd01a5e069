import { GitStateError } from '../../errors.ts';
import { sessionRules } from '../entities.ts';
import { keyOf, PresetName } from '../ids.ts';
import { JsonRecord, Text } from '../json.ts';
import { requireDistinctSteps } from '../rules.ts';
import { putSession, requireStore, type State } from '../state.ts';
import { type OperationIn, sessionOperation } from './define.ts';

/** A session begins, with every rule resolved: no later change of a preset touches it. */
export const SessionStart = sessionOperation('session.start', () => ({
  preset: PresetName.nullable(),
  name: Text,
  config: JsonRecord,
  ...sessionRules,
}));
export type SessionStart = OperationIn<typeof SessionStart>;

/** @throws ALREADY_EXISTS for an id in use, in other letters too, or retired by a clean-up; INVALID_INPUT for a step
 *  named twice. */
export function applySessionStart(state: State, { session: id, args, at }: SessionStart): State {
  const store = requireStore(state);
  const taken = state.sessions.get(keyOf(id))?.id ?? store.retired.find((old) => keyOf(old) === keyOf(id));
  if (taken !== undefined) {
    throw new GitStateError('ALREADY_EXISTS', `session '${taken}' exists already`, {
      hint: 'leave the id out to get the next free one',
      details: { session: taken },
    });
  }
  requireDistinctSteps(args.steps, `session '${id}'`);
  const { preset, name, config, ...rules } = args;
  return putSession(state, {
    id,
    preset,
    name,
    status: 'active',
    config,
    ...rules,
    started_at: at,
    updated_at: at,
    completed_at: null,
    recovered_at: null,
    claim_counts: {},
    removed_cost: 0,
    data: {},
  });
}

export function describeSessionStart({ session }: SessionStart): string {
  return `start session ${session}`;
}
