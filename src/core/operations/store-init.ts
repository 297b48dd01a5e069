import { GitStateError } from '../../errors.ts';
import { StoreInfo } from '../entities.ts';
import { Oid } from '../ids.ts';
import type { State } from '../state.ts';
import { type OperationIn, storeOperation } from './define.ts';

/** The state branch begins. */
export const StoreInit = storeOperation('store.init', () => ({
  store: StoreInfo.shape.store,
  preset: StoreInfo.shape.preset,
  readme: Oid,
}));
export type StoreInit = OperationIn<typeof StoreInit>;

/** @param schema in which the files are written. @throws ALREADY_EXISTS */
export function applyStoreInit(state: State, { args, at }: StoreInit, schema: number): State {
  if (state.store) throw new GitStateError('ALREADY_EXISTS', 'the store is initialised already');
  const store: StoreInfo = {
    schema,
    store: args.store,
    created_at: at,
    preset: args.preset,
    retired: [],
  };
  return { ...state, readme: args.readme, store };
}

export function describeStoreInit(): string {
  return 'init store';
}
