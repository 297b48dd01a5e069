import type { CodeHead } from '../core/entities.ts';
import { NotLoaded } from '../core/state.ts';
import { isGitStateError } from '../errors.ts';
import type { Engine } from './engine.ts';
import { followCheckpoints } from './follow.ts';
import type { Held } from './mutex.ts';
import { Remote } from './remote.ts';
import { settingsOf } from './remote-settings.ts';
import type { Snapshot } from './snapshot.ts';
import type { Transactor } from './transact.ts';

interface Bringing {
  engine: Engine;
  transactor: Transactor;
  remote: Remote | null;
}

/** Fetches what a job needs to go on and does not have: the state branch, the tags of checkpoints, and the commit at
 *  which the code stood. Without a remote there is nothing to ask.
 *  @param from the remote to ask; by default the one that decides.
 *  @throws USAGE, REMOTE_UNREACHABLE, REMOTE_REJECTED, REMOTE_DIVERGED */
export async function bringWhatIsMissing(
  { engine, transactor, remote: own }: Bringing,
  from: string | undefined,
  headOf: (snapshot: Snapshot) => CodeHead | null,
): Promise<void> {
  const remote =
    from === undefined || from === own?.name ? own : new Remote(engine, settingsOf(engine.repository, from));
  if (remote === null) return;
  await transactor.exclusively(4 * remote.settings.timeoutMs, async (held) => {
    await bringState(engine, remote, held);
    const snapshot = await engine.current('all');
    if (snapshot.commit !== null) await followCheckpoints(engine, remote, snapshot.state, held);
    const head = quietly(() => headOf(snapshot));
    if (head !== null && (await engine.reader.info(head.oid)) === null) await bringCode(remote, head);
  });
}

async function bringState(engine: Engine, remote: Remote, held: Held): Promise<void> {
  await remote.fetch();
  await remote.follow(held);
  // A checkpoint may be older than what a shallow clone has.
  if (engine.repository.shallow()) await remote.deepen();
}

/** By its name, since the branch may have moved on or be gone; else by its branch. What cannot be had is missed later. */
async function bringCode(remote: Remote, { oid, branch }: CodeHead): Promise<void> {
  const place = `refs/gitstate/remotes/${remote.name}/code/${oid}`;
  for (const source of [oid, `refs/heads/${branch}`]) {
    try {
      if (await remote.fetchMore([`+${source}:${place}`], { shallow: true })) return;
    } catch (error) {
      if (!isGitStateError(error, 'REMOTE_REJECTED', 'REMOTE_UNREACHABLE')) throw error;
    }
  }
}

/** Which feature is meant is found out once more, and what is wrong about it said, by the command itself. */
function quietly<T>(find: () => T): T | null {
  try {
    return find();
  } catch (error) {
    if (isGitStateError(error) || error instanceof NotLoaded) return null;
    throw error;
  }
}
