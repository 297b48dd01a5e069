import { seenRefOf } from '../codec/tag.ts';
import { GitStateError, isGitStateError } from '../errors.ts';
import { remotesOf } from '../git/transport.ts';
import type { Engine } from './engine.ts';
import type { Held } from './mutex.ts';
import { Remote } from './remote.ts';
import { settingsOf } from './remote-settings.ts';

/** What a clone knows of others that share its state, where it does not ask them. */

/** The remote from which the state of this clone came, or to which it went; null where it is known here alone. */
export async function originOf({ repository, reader, branchRef }: Engine): Promise<string | null> {
  const short = branchRef.slice('refs/heads/'.length);
  for (const remote of remotesOf(repository)) {
    const refs = [`refs/remotes/${remote}/${short}`, seenRefOf(remote, branchRef)];
    const found = await Promise.all(refs.map((ref) => reader.info(ref)));
    if (found.some((object) => object !== null)) return remote;
  }
  return null;
}

/** A claim that no other machine hears of is hardly what somebody means whose state came from a server.
 *  @returns a warning, if any. @throws REMOTE_UNREACHABLE where such a claim would be lost for sure. */
export async function claimWarning(engine: Engine): Promise<string | null> {
  const remote = await originOf(engine);
  if (remote === null) return null;
  const { CI } = engine.env.variables;
  const passing = engine.repository.shallow() || (CI !== undefined && CI !== '' && CI !== 'false');
  const share = `--remote ${remote} (or \`git config gitstate.remote ${remote}\`)`;
  if (!passing)
    return `this claim holds in this clone only, and '${remote}' has the state, too: share it with ${share}`;
  throw new GitStateError('REMOTE_UNREACHABLE', `a claim in this clone would be unknown to '${remote}'`, {
    hint: `claim through it with ${share}, or say --offline`,
    details: { remote },
  });
}

const lookTimeoutMs = 10_000;

/** Looks for a store on the server before a new one is begun, so that there is never a second root.
 *  @returns a warning where nobody answered and nobody said that the server is to be asked. */
export async function lookForStore(engine: Engine, held: Held): Promise<string | null> {
  const { repository } = engine;
  if (!remotesOf(repository).includes('origin')) return null;
  const settings = settingsOf(repository, 'origin');
  const timeoutMs = Math.min(lookTimeoutMs, settings.timeoutMs);
  try {
    const remote = new Remote(engine, { ...settings, timeoutMs });
    await remote.fetch();
    await remote.follow(held);
    return null;
  } catch (error) {
    if (!isGitStateError(error, 'REMOTE_UNREACHABLE', 'REMOTE_REJECTED')) throw error;
    return `could not look for a store on 'origin': ${error.message}`;
  }
}
