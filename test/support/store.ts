import { afterAll } from 'vitest';
import { type Env, systemEnv } from '../../src/env.ts';
import { openStoreIn, type Store, type StoreOptions } from '../../src/store/open.ts';
import { makeRepository, type TestRepository } from './repo.ts';

const open: Store[] = [];
afterAll(async () => {
  for (const store of open.splice(0)) await store.close();
});

/** Closes the store after the tests of the file. */
export function keepUntilEnd(store: Store): void {
  open.push(store);
}

/** The real environment with a clock that the test can move. */
export interface TestEnv extends Env {
  /** Added to the real time, in milliseconds. */
  offsetMs: number;
  variables: Env['variables'];
  identity: Env['identity'];
}

export function testEnv(): TestEnv {
  const system = systemEnv();
  const env: TestEnv = {
    offsetMs: 0,
    now: () => system.now() + env.offsetMs,
    randomId: system.randomId,
    variables: system.variables,
    identity: system.identity,
    userName: 'tester',
    sleep: system.sleep,
  };
  return env;
}

/** Opens the store of a directory; it is closed after the tests of the file. */
export async function openTestStore(
  cwd: string,
  options: StoreOptions = {},
  env: Env = testEnv(),
): Promise<Store> {
  const store = await openStoreIn(options, { env, cwd });
  keepUntilEnd(store);
  return store;
}

export interface TestStore {
  repository: TestRepository;
  store: Store;
  env: TestEnv;
}

/** A new repository with one commit, an initialised store and an active session `s`. */
export async function makeStore(
  options: { steps?: string[]; preset?: string } & Parameters<typeof makeRepository>[0] = {},
): Promise<TestStore> {
  const { steps, preset, ...rest } = options;
  const repository = makeRepository(rest);
  const env = testEnv();
  const store = await openTestStore(repository.path, {}, env);
  await store.init();
  await store.sessionStart({ session: 's', steps, preset });
  return { repository, store, env };
}

/** Adds features `ids` in one plan. */
export async function addFeatures(store: Store, ids: readonly string[]): Promise<void> {
  await store.planLoad({ features: ids.map((id) => ({ id })) });
}

/** The code with which a promise was rejected, or null. */
export async function codeOf(promise: Promise<unknown>): Promise<string | null> {
  try {
    await promise;
    return null;
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
}
