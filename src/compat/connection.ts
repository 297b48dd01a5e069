import { resolve } from 'node:path';
import { systemEnv } from '../env.ts';
import { GitStateError, isGitStateError } from '../errors.ts';
import { openStoreIn, type Store } from '../store/open.ts';

/** Where the old interfaces find the store, and in whose name they act. */
export interface Settings {
  /** Where to look for the repository; the current directory by default. */
  cwd?: string;
  /** State branch; `gitstate.branch`, else `gitstate`. */
  branch?: string;
  session?: string;
  worker?: string;
}

/** Opens the store for one call and closes it again, so that a script ends.
 *  @throws GIT_NOT_FOUND, NOT_A_REPOSITORY */
export async function withStore<T>(settings: Settings, work: (store: Store) => Promise<T>): Promise<T> {
  const store = await openStoreIn(settings, { env: systemEnv(), cwd: resolve('.') });
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

/** What `work` answers, or `otherwise` where it is refused with one of `codes`. */
export async function unless<T, D>(
  codes: Parameters<typeof isGitStateError>[1][],
  work: () => Promise<T>,
  otherwise: D,
): Promise<T | D> {
  try {
    return await work();
  } catch (error) {
    if (codes.some((code) => isGitStateError(error, code!))) return otherwise;
    throw error;
  }
}

/** Makes the store with the first write. */
export async function ensureStore(store: Store): Promise<void> {
  if ((await store.tip()) === null) await store.init();
}

export function sessionNotFound(id: string): GitStateError {
  return new GitStateError('SESSION_NOT_FOUND', `no session '${id}'`, {
    hint: 'see what there is with `git state session list --all`',
    details: { session: id },
  });
}
