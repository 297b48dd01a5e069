import type { Env } from '../env.ts';
import { GitStateError, isGitStateError } from '../errors.ts';
import type { Store } from '../store/open.ts';
import type { CommandSpec, GlobalFlags } from './command.ts';
import type { Output } from './output.ts';

interface OpenStoreOptions {
  spec: CommandSpec;
  flags: GlobalFlags;
  env: Env;
  output: Output;
  cwd: string;
}

/** The store of one command: opened when it is first needed, with what flags and environment say. */
export class OpenStore {
  readonly #options: OpenStoreOptions;
  #opening: Promise<Store> | null = null;
  #store: Store | null = null;

  constructor(options: OpenStoreOptions) {
    this.#options = options;
  }

  get(): Promise<Store> {
    this.#opening ??= this.#open();
    return this.#opening;
  }

  async #open(): Promise<Store> {
    const { spec, flags, env, output, cwd } = this.#options;
    const { openStoreIn } = await import('../store/open.ts');
    const ignored: readonly string[] = spec.ignores ?? [];
    const from = (name: string) => (ignored.includes(name) ? undefined : env.variables[name] || undefined);
    const store = await openStoreIn(
      {
        cwd,
        branch: flags.branch,
        remote: flags.remote,
        offline: flags.offline,
        session: flags.session ?? from('GITSTATE_SESSION'),
        worker: flags.worker ?? from('GITSTATE_WORKER'),
        token: flags.token ?? from('GITSTATE_TOKEN'),
        feature: from('GITSTATE_FEATURE'),
        onWarning: (message) => output.warning(message),
      },
      { env, cwd, onExit: (callback) => process.on('exit', callback) },
    );
    this.#store = store;
    if (spec.writes) for (const message of store.warnings()) output.warning(message);
    return store;
  }

  /** Where there is no store here, one may be on a server. */
  explain(error: unknown): unknown {
    if (!isGitStateError(error, 'NOT_INITIALIZED') || !this.#store) return error;
    const { remotes, asOf } = this.#store;
    const [remote] = remotes().includes('origin') ? ['origin'] : remotes();
    if (remote === undefined || asOf() !== null) return error;
    const { code, message, details } = error;
    const hint = `git state init; if '${remote}' has the store, look there with --remote ${remote}`;
    return new GitStateError(code, message, { hint, details, cause: error });
  }

  /** The ref that was read in place of a branch that this clone does not have yet. */
  standsOn(): string | null {
    return this.#store?.standsOn() ?? null;
  }

  /** When the remote was last heard by whose word operations count; null where there is none. */
  asOf(): string | null {
    return this.#store?.asOf() ?? null;
  }

  async close(): Promise<void> {
    await this.#store?.close();
  }
}
