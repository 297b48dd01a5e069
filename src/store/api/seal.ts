import { epochRef } from '../../codec/tag.ts';
import { contentsBySession } from '../../core/select.ts';
import { GitStateError } from '../../errors.ts';
import { storeSeal } from '../proposals/seal.ts';
import { storeMigrate } from '../proposals/store.ts';
import { syncWith } from '../sync.ts';
import { type Context, submit, type Written, writtenOf } from './context.ts';

export interface Sealed extends Written {
  /** Number of the epoch that was sealed; null where there was nothing to seal. */
  epoch: number | null;
  /** Its last commit, how many it has, and the ref that keeps it. */
  tip: string | null;
  commits: number | null;
  ref: string | null;
  /** How many tags of checkpoints point into sealed epochs: who fetches them fetches that history, too. */
  tags: number;
}

export function sealMethods(context: Context) {
  const { engine, transactor, remote } = context;

  /** The others have to follow, so they have to hear of it at once. */
  async function requireShared(): Promise<void> {
    if (remote === null) {
      const known = await Promise.all(engine.trackingRefs.map((ref) => engine.reader.resolve(ref)));
      if (known.every((oid) => oid === null)) return;
      throw new GitStateError(
        'USAGE',
        'the state came from a remote, which has to be there when it is sealed',
        {
          hint: 'git state seal --remote REMOTE',
        },
      );
    }
    if (remote.takesOwnRefs) return;
    throw new GitStateError(
      'REMOTE_REJECTED',
      `'${remote.name}' takes no refs/gitstate/*, so it could not keep the sealed history`,
      {
        hint: 'nothing was changed; `gitstate.leases` is `branch` here: unset it if the host takes such refs',
      },
    );
  }

  /** An epoch ends where both sides agree on it, and in the newest schema. */
  async function settle(): Promise<void> {
    if (remote !== null) {
      const deadlineMs = 4 * remote.settings.timeoutMs;
      await transactor.exclusively(deadlineMs, async (held) => {
        await syncWith(engine, remote, held, {});
        await remote.requireEpochs();
      });
    }
    const { state } = await transactor.read('all');
    if (state.store !== null && state.store.schema < engine.schema.version)
      await submit(context, storeMigrate, {});
  }

  return {
    /** Begins a new epoch: a commit without a parent that holds the same files. The history so far is kept as
     *  `refs/gitstate/epochs/<number>`, which fresh clones do not fetch. A clone that shares its state seals on the
     *  remote, after what it had not pushed.
     *  @throws USAGE, REMOTE_REJECTED where the host keeps no such refs, REMOTE_UNREACHABLE, REMOTE_DIVERGED */
    async seal(options: { opId?: string } = {}): Promise<Sealed> {
      await requireShared();
      await settle();
      const landed = await submit(context, storeSeal, { opId: options.opId });
      const { operation, state } = landed;
      const args = operation?.type === 'store.seal' ? operation.args : null;
      const checkpoints = contentsBySession(state).flatMap(({ contents }) => [
        ...contents.checkpoints.values(),
      ]);
      return {
        ...writtenOf(landed),
        epoch: args?.epoch ?? null,
        tip: args?.tip ?? null,
        commits: args?.commits ?? null,
        ref: args === null ? null : epochRef(args.epoch),
        tags: checkpoints.filter(({ automatic }) => !automatic).length,
      };
    },
  };
}
