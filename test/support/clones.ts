import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { openStoreIn, type Store, type StoreOptions } from '../../src/store/open.ts';
import { cloneRepository, makeRepository, type TestRepository, temporaryDirectory } from './repo.ts';
import { addFeatures, keepUntilEnd, type TestEnv, testEnv } from './store.ts';

/** Repositories that share their state through one server. */

export interface Clone {
  repository: TestRepository;
  store: Store;
  env: TestEnv;
  /** The network commands that Git ran since this was last asked, in order. */
  network(): string[];
}

export interface CloneOptions extends StoreOptions {
  /** Of `git clone`. */
  flags?: string[];
  /** Name of the machine that it stands for; by default this one's. */
  host?: string;
  variables?: Record<string, string>;
}

/** A bare repository with one commit of code on `main`. */
export function makeServer(): TestRepository {
  const author = makeRepository();
  const server = makeRepository({ bare: true });
  // A server of its own obeys no settings of ours.
  server.git('config', 'core.hooksPath', join(server.path, 'hooks'));
  author.git('push', '-q', server.path, 'main');
  return server;
}

/** A clone that shares its state through `origin`. */
export async function cloneOf(url: string, { flags = [], ...options }: CloneOptions = {}): Promise<Clone> {
  return openClone(cloneRepository(url, ...flags), options);
}

/** Opens the store of a repository that exists, through `origin`. */
export async function openClone(
  repository: TestRepository,
  { host, variables, flags: _flags, ...options }: CloneOptions = {},
): Promise<Clone> {
  const env = testEnv();
  const trace = join(temporaryDirectory(), 'trace');
  env.variables = { ...env.variables, GIT_TRACE2_EVENT: trace, ...variables };
  if (host !== undefined) env.identity = { ...env.identity, host };
  const store = await openStoreIn({ remote: 'origin', ...options }, { env, cwd: repository.path });
  keepUntilEnd(store);
  const network = () => {
    const lines = existsSync(trace) ? readFileSync(trace, 'utf8').split('\n').slice(0, -1) : [];
    rmSync(trace, { force: true });
    return lines
      .map((line) => JSON.parse(line) as { event: string; name?: string; hierarchy?: string })
      .filter(({ event, name, hierarchy }) => event === 'cmd_name' && name === hierarchy)
      .map(({ name }) => name!)
      .filter((name) => ['push', 'fetch', 'ls-remote'].includes(name));
  };
  return { repository, store, env, network };
}

/** A server, and one clone that has begun a store with session `s` and these features on it. */
export async function makeShared(
  features: readonly string[] = [],
): Promise<Clone & { server: TestRepository }> {
  const server = makeServer();
  const clone = await cloneOf(server.path);
  await clone.store.init();
  await clone.store.sessionStart({ session: 's' });
  if (features.length > 0) await addFeatures(clone.store, features);
  clone.network();
  return { ...clone, server };
}
