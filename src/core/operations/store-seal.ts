import * as z from 'zod';
import { Oid } from '../ids.ts';
import { recordOf, Text } from '../json.ts';
import { requireStore, type State } from '../state.ts';
import { type OperationIn, storeOperation } from './define.ts';

/** An epoch of the history ends, and the next begins with this commit: a root that holds the very same files. */
export const StoreSeal = storeOperation('store.seal', () => ({
  /** Number of the epoch that ends; `refs/gitstate/epochs/<number>` keeps it. */
  epoch: z.int().min(1),
  /** Its last commit, the tree that stands there, and how many commits it has. */
  tip: Oid,
  tree: Oid,
  commits: z.int().min(1),
  /** The commits that had written the checkpoints which name none, by `<session>/<name>`: nobody has to look for them
   *  in an epoch that may not be here. */
  written: recordOf(Text, Oid),
}));
export type StoreSeal = OperationIn<typeof StoreSeal>;

/** The state stays as it is. @throws NOT_INITIALIZED */
export function applyStoreSeal(state: State): State {
  requireStore(state);
  return state;
}

export function describeStoreSeal({ args: { epoch, commits } }: StoreSeal): string {
  return `seal epoch ${epoch} (${commits} ${commits === 1 ? 'commit' : 'commits'})`;
}
