import * as z from 'zod';
import { GitStateError } from '../../errors.ts';
import { FeatureId, keyOf, SessionId } from '../ids.ts';
import { endClaim, stopSteps } from '../rules.ts';
import { updatedAt } from '../select.ts';
import {
  contentsOf,
  putFeature,
  requireFeature,
  requireSession,
  requireStore,
  type State,
} from '../state.ts';
import { Table } from '../table.ts';
import { Instant } from '../time.ts';
import { type OperationIn, operationScope } from './define.ts';

/** Old sessions are dropped, or, within one session, features that failed or were orphaned are put away. */
export const StoreCleanup = operationScope(
  'store.cleanup',
  () => SessionId.nullable(),
  () => ({
    /** What was last updated at this time or before is old. */
    before: Instant,
    sessions: z.array(SessionId).optional(),
    features: z.array(FeatureId).optional(),
  }),
);
export type StoreCleanup = OperationIn<typeof StoreCleanup>;

/** The store is emptied; its name, its README and the ids that were used stay. */
export const StoreReset = operationScope(
  'store.reset',
  () => z.null(),
  () => ({}),
);
export type StoreReset = OperationIn<typeof StoreReset>;

/** @throws SESSION_NOT_FOUND, FEATURE_NOT_FOUND, CONFLICT where one is not old, or active after all. */
export function applyStoreCleanup(state: State, { session, args, at }: StoreCleanup): State {
  requireStore(state);
  let next = state;
  for (const id of args.sessions ?? []) next = dropSession(next, id, args.before);
  for (const id of args.features ?? []) {
    const feature = requireFeature(next, session!, id);
    if (feature.updated_at > args.before) throw notOld(`feature '${id}'`);
    const put = stopSteps(endClaim(feature, 'store.cleanup', at));
    next = putFeature(next, session!, { ...put, status: 'archived', archived_at: at, updated_at: at });
  }
  return next;
}

function dropSession(state: State, id: SessionId, before: Instant): State {
  const session = requireSession(state, id);
  if (session.status === 'active') throw notOld(`session '${id}'`);
  if (updatedAt(session, contentsOf(state, id)) > before) throw notOld(`session '${id}'`);
  const store = requireStore(state);
  return {
    ...state,
    store: { ...store, retired: [...store.retired, session.id] },
    sessions: state.sessions.without(keyOf(id)),
    contents: state.contents.without(keyOf(id)),
  };
}

function notOld(what: string): GitStateError {
  return new GitStateError('CONFLICT', `${what} was changed meanwhile`, {
    hint: 'look again with --dry-run',
  });
}

/** @throws NOT_INITIALIZED */
export function applyStoreReset(state: State): State {
  const store = requireStore(state);
  if (state.sessions.size === 0 && state.presets.size === 0) return state;
  const retired = [...store.retired, ...[...state.sessions.values()].map(({ id }) => id)];
  return {
    ...state,
    store: { ...store, retired },
    presets: Table.of(),
    sessions: Table.of(),
    contents: Table.of(),
  };
}

export function describeStoreCleanup({ args }: StoreCleanup): string {
  const { sessions = [], features = [] } = args;
  const count = sessions.length > 0 ? `${sessions.length} sessions` : `${features.length} features`;
  return `cleanup ${count}`;
}

export function describeStoreReset(): string {
  return 'reset store';
}
