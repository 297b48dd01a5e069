import * as z from 'zod';
import { FeatureId } from '../ids.ts';
import { Text } from '../json.ts';
import { requireFeature, requireSession, type State } from '../state.ts';
import { type OperationIn, sessionOperation } from './define.ts';

export const noteLevels = ['info', 'warn', 'error'] as const;

/** A log entry: a commit that changes no file. */
export const NoteAdd = sessionOperation('note.add', () => ({
  message: Text,
  level: z.enum(noteLevels),
  feature: FeatureId.optional(),
}));
export type NoteAdd = OperationIn<typeof NoteAdd>;

/** @throws SESSION_NOT_FOUND, FEATURE_NOT_FOUND */
export function applyNoteAdd(state: State, { session, args }: NoteAdd): State {
  requireSession(state, session);
  if (args.feature !== undefined) requireFeature(state, session, args.feature);
  return state;
}

export function describeNoteAdd({ args }: NoteAdd): string {
  return `note: ${args.message}`;
}
