import { rejectedRef } from '../../codec/tag.ts';
import { GitStateError } from '../../errors.ts';
import { remotesOf } from '../../git/transport.ts';
import { Remote } from '../remote.ts';
import { settingsOf } from '../remote-settings.ts';
import { listRejected, type SyncResult, syncWith } from '../sync.ts';
import type { Context, Written } from './context.ts';

export interface SyncCallOptions {
  /** Name of the remote; by default the one of the store. */
  remote?: string;
  /** Takes the remote's branch as it is, though it no longer contains what was seen there: its tip, as a whole commit
   *  id; all zeros where the branch is gone. Ours is put on top. */
  adoptRemote?: string;
  /** Tries rejected operations again: their ids, or `all`. */
  retry?: string[];
  /** Forgets rejected operations: their ids, or `all`. */
  drop?: string[];
}

export interface SyncAnswer extends SyncResult {
  remote: string;
  /** Ids of the rejected operations that are kept, older ones included. */
  kept: string[];
  durability: Written['durability'];
}

export function syncMethods(context: Context) {
  const { engine, transactor } = context;

  /** @throws USAGE where it is not clear which remote is meant. */
  function remoteOf(given: string | undefined): Remote {
    const { repository } = engine;
    const known = remotesOf(repository);
    const name = given ?? context.remote?.name ?? engine.remoteName ?? onlyOf(known);
    if (name === undefined) {
      throw new GitStateError('USAGE', 'it is not clear which remote is meant', {
        hint:
          known.length === 0
            ? 'add one with `git remote add NAME URL`'
            : `name it: git state sync ${known.join(' or ')}`,
        details: { remotes: known },
      });
    }
    return context.remote?.name === name ? context.remote : new Remote(engine, settingsOf(repository, name));
  }

  async function drop(ids: readonly string[]): Promise<void> {
    const kept = await listRejected(engine);
    const wanted = ids.includes('all') ? [...kept.keys()] : ids;
    for (const id of wanted) {
      if (kept.has(id)) continue;
      throw new GitStateError('COMMIT_NOT_FOUND', `no rejected operation '${id}' is kept here`, {
        hint: 'see what is with `git state sync`',
      });
    }
    const moves = wanted.map((id) => ({ ref: rejectedRef(id), oldOid: kept.get(id)!, newOid: null }));
    if (moves.length > 0) await engine.refs.transact(moves);
  }

  return {
    /** Fetches what others did, applies again what was done here meanwhile, and pushes it. What no longer applies is
     *  reported and kept under `refs/gitstate/rejected/`.
     *  @throws REMOTE_UNREACHABLE, REMOTE_REJECTED, REMOTE_DIVERGED, USAGE */
    async sync({
      remote: name,
      adoptRemote,
      retry,
      drop: dropped,
    }: SyncCallOptions = {}): Promise<SyncAnswer> {
      const remote = remoteOf(name);
      if (dropped) await drop(dropped);
      const deadlineMs = 4 * remote.settings.timeoutMs;
      const result = await transactor.exclusively(deadlineMs, (held) =>
        syncWith(engine, remote, held, { adopt: adoptRemote, retry }),
      );
      const kept = [...(await listRejected(engine)).keys()];
      return { ...result, remote: remote.name, kept, durability: 'remote' };
    },
  };
}

function onlyOf(remotes: readonly string[]): string | undefined {
  return remotes.includes('origin') ? 'origin' : remotes.length === 1 ? remotes[0] : undefined;
}
