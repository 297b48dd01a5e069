import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Schema } from '../codec/migrate.ts';
import { idFault } from '../core/ids.ts';
import type { Env } from '../env.ts';
import { streamBlob } from '../git/reader.ts';
import { remotesOf } from '../git/transport.ts';
import { type Context, nowOf } from './api/context.ts';
import { readClaimFile } from './claim-file.ts';
import { contactedAt } from './contact.ts';
import { Engine } from './engine.ts';
import { storeMethods } from './methods.ts';
import { localPublisher } from './publish.ts';
import type { RemotePublisher } from './remote-publisher.ts';
import { type RemoteSettings, remoteSettings } from './remote-settings.ts';
import { claimIdOf, randomPartOf, readSecret } from './token.ts';
import { Transactor } from './transact.ts';

export interface StoreOptions {
  /** Where to look for the repository; the current directory by default. */
  cwd?: string;
  /** State branch; `gitstate.branch`, else `gitstate`. */
  branch?: string;
  /** Name of the configured remote through which the state is shared; `gitstate.remote`, else none. */
  remote?: string;
  /** Works without the remote; `sync` tells it later. */
  offline?: boolean;
  session?: string;
  worker?: string;
  token?: string;
  feature?: string;
  /** Told of what is odd and does not stop anything. */
  onWarning?: (message: string) => void;
}

export interface Surroundings {
  env: Env;
  cwd: string;
  onExit?: (callback: () => void) => void;
  /** The schema that is written; the newest by default. */
  schema?: Schema;
}

export type Store = Awaited<ReturnType<typeof openStoreIn>>;

/** Opens the state store of the repository around `cwd`. Each method does what the command of its name does and
 *  resolves to what that prints with `--json`; it rejects with a GitStateError.
 *  @throws GIT_NOT_FOUND, NOT_A_REPOSITORY, INVALID_INPUT */
export async function openStoreIn(options: StoreOptions, surroundings: Surroundings) {
  const { env } = surroundings;
  const cwd = resolve(surroundings.cwd, options.cwd ?? '.');
  const engine = await Engine.open({
    cwd,
    env,
    branch: options.branch,
    remote: options.remote,
    onExit: surroundings.onExit,
    schema: surroundings.schema,
  });
  const worker = derivedWorker(engine);
  const settings = remoteSettings(engine.repository, options);
  const { offline = false } = options;
  const shared = settings && (await sharedThrough(engine, settings));
  const publisher = shared ?? localPublisher(engine, { offline });
  const transactor = new Transactor(engine, { publisher, derivedWorker: worker });
  const context: Context = {
    engine,
    cwd,
    transactor,
    remote: shared?.remote ?? null,
    publisher: shared,
    offline,
    derivedWorker: worker,
    defaults: {
      session: options.session,
      worker: options.worker,
      token: options.token,
      feature: options.feature,
      claimFile: readClaimFile(engine.repository.gitDir),
    },
    warn: options.onWarning ?? (() => {}),
    warnings: () => warningsOf(engine),
  };
  return {
    ...storeMethods(context),

    /** Id for a claim that comes in from a document: nobody has its token. */
    newClaimId: () => claimIdOf(randomPartOf(readSecret(engine.directory), env.randomId())),

    now: () => nowOf(context),

    /** What is odd about the surroundings: it stops nothing, but people should know. */
    warnings: context.warnings,

    /** The commit at which the state stands; null before `init`. Cheap: one look at the ref. */
    tip: () => engine.tip(),

    /** The bytes of a blob that the state names, such as an artifact. */
    blob: (oid: string) => streamBlob(engine.repository, oid),

    /** When the remote was last heard by whose word operations count; null: never, or there is none. */
    asOf: () => (engine.remoteName === undefined ? null : contactedAt(engine, engine.remoteName)),

    /** The ref that was read in place of a branch that this clone does not have yet; null where it has one. */
    standsOn: () => engine.standsOn,

    /** Names of the configured remotes. */
    remotes: () => remotesOf(engine.repository),

    /** The repository that was found. */
    repository: engine.repository,

    /** Ends the Git processes behind the store. */
    close: async () => {
      await transactor.close();
      await engine.close();
    },
  };
}

/** Most stores are kept to one repository, and need nothing of this. */
async function sharedThrough(engine: Engine, settings: RemoteSettings): Promise<RemotePublisher> {
  const [{ Remote }, { RemotePublisher }] = await Promise.all([
    import('./remote.ts'),
    import('./remote-publisher.ts'),
  ]);
  return new RemotePublisher(engine, new Remote(engine, settings));
}

/** `<user>-<host>`, and the name of the linked worktree, for a worker that gives no name. */
function derivedWorker({ env, repository }: Engine): string {
  const parts = [env.userName, env.identity.host.split('.')[0], repository.worktreeName];
  const name = parts
    .filter((part) => part !== null)
    .join('-')
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/\.{2,}/g, '.')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, 100)
    .replace(/[.]+$|\.lock$/i, '');
  return idFault(name) === null ? name : 'worker';
}

function warningsOf({ repository, branchRef }: Engine): string[] {
  const { commonDir } = repository;
  const places: [string, string][] = [[commonDir, repository.mainWorkTree ?? commonDir]];
  const linked = join(commonDir, 'worktrees');
  for (const name of existsSync(linked) ? readdirSync(linked) : []) places.push([join(linked, name), name]);
  return places
    .filter(([gitDir]) => !repository.bare || gitDir !== commonDir)
    .filter(([gitDir]) => headOf(gitDir) === `ref: ${branchRef}`)
    .map(
      ([, name]) =>
        `the state branch is checked out in '${name}': a commit made there would take state back; switch it to another branch`,
    );
}

function headOf(gitDir: string): string {
  try {
    return readFileSync(join(gitDir, 'HEAD'), 'utf8').trim();
  } catch {
    return '';
  }
}
