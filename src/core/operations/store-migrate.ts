import * as z from 'zod';
import { GitStateError } from '../../errors.ts';
import { requireStore, type State } from '../state.ts';
import { type OperationIn, storeOperation } from './define.ts';

/** Every file is written anew in a newer schema. What the state means stays as it is. */
export const StoreMigrate = storeOperation('store.migrate', () => ({
  from: z.int().min(1),
  to: z.int().min(2),
}));
export type StoreMigrate = OperationIn<typeof StoreMigrate>;

/** @throws NOT_INITIALIZED, CONFLICT where the files are not in the schema that it starts from. */
export function applyStoreMigrate(state: State, { args }: StoreMigrate): State {
  const store = requireStore(state);
  if (store.schema !== args.from || args.to <= args.from) {
    throw new GitStateError('CONFLICT', `the store has schema ${store.schema}, not ${args.from}`);
  }
  return { ...state, store: { ...store, schema: args.to } };
}

export function describeStoreMigrate({ args }: StoreMigrate): string {
  return `migrate store to schema ${args.to}`;
}
