import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { isGitStateError } from '../errors.ts';
import { keepText } from './pack.ts';
import { isAtLeast, type Repository } from './repository.ts';

/** Keeping a repository small and quick, beside whoever reads and writes it. Nothing here takes an object away that is
 *  not in a new pack already. */

/** What has piled up since the last time. */
export interface Pile {
  /** Loose objects, estimated from one folder of the 256. */
  loose: number;
  packs: number;
}

/** Looks into two folders and starts no Git. */
export function pileOf({ objectsDir }: Pick<Repository, 'objectsDir'>): Pile {
  const objects = namesIn(join(objectsDir, '17')).filter((name) => /^[0-9a-f]{38,62}$/.test(name));
  const packs = namesIn(join(objectsDir, 'pack')).filter((name) => name.endsWith('.pack'));
  return { loose: objects.length * 256, packs: packs.length };
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

/** Why packs are left alone here; null where they are not. */
export function repackFault({ objectsDir, config }: Repository): string | null {
  if (existsSync(join(objectsDir, 'info', 'alternates'))) return 'it borrows objects from another repository';
  const promised = config.entries.some(({ key }) =>
    /^remote\..+\.promisor$|^extensions\.partialclone$/.test(key),
  );
  return promised ? 'it is a partial clone' : null;
}

/** Lets go of the packs that were kept while a `git gc` ran. Call it when none does. @returns how many. */
export function releasePacks({ objectsDir }: Repository): number {
  const directory = join(objectsDir, 'pack');
  const own = namesIn(directory).filter((name) => {
    if (!name.endsWith('.keep')) return false;
    try {
      return readFileSync(join(directory, name), 'latin1') === keepText;
    } catch {
      return false;
    }
  });
  for (const name of own) rmSync(join(directory, name), { force: true });
  return own.length;
}

const timeoutMs = 3_600_000;

/** Packs up to this size are taken for our own, in which trees alone have deltas, and joined with a new search for them. */
const freshBytesMax = 64 * 1024 ** 2;

/** Joins loose objects and small packs so that each pack has at least twice the objects of the next smaller one: few
 *  packs remain, and large ones are hardly ever written again. Objects that nothing reaches stay.
 *
 *  Git does not look for deltas between objects of one pack that came without, as all of a batch do, unless it is told
 *  to look at everything anew. For large packs, which are the user's or were joined before, that is not worth its time.
 *  @returns Git's words where it fails, as when a `git gc` was faster. */
export async function joinPacks(
  repository: Repository,
  { freshMax = freshBytesMax }: { freshMax?: number } = {},
): Promise<string | null> {
  const joining = ['repack', '--geometric=2', '-d', '-l', '-q', '--no-write-bitmap-index'];
  // Before, a pack that is to stay was not left out here.
  if (!isAtLeast(repository.version, 2, 37)) return attempt(repository, joining);
  const large = largePacks(repository, freshMax);
  const fault = await attempt(repository, [...joining, '-f', ...large.map((name) => `--keep-pack=${name}`)]);
  return fault !== null || large.length === 0 ? fault : attempt(repository, joining);
}

function largePacks({ objectsDir }: Repository, bytesMax: number): string[] {
  const directory = join(objectsDir, 'pack');
  return namesIn(directory).filter(
    (name) =>
      name.endsWith('.pack') &&
      (statSync(join(directory, name), { throwIfNoEntry: false })?.size ?? 0) > bytesMax,
  );
}

/** Writes refs that stand still into one file. */
export async function packRefs(repository: Repository): Promise<string | null> {
  if (repository.config.get('gc.packrefs') === 'false') return null;
  return attempt(repository, ['pack-refs', '--all', '--prune']);
}

/** How many commits are looked through for what they changed, so that the first time is bounded, too. */
const newFiltersMax = 50_000;

/** Writes down how the commits of `refs` hang together, and which files each of them changed: walks need not read the
 *  commits, and those for one file hardly any tree.
 *  @param refs full names, or beginnings of names that end in a slash. */
export async function writeCommitGraph(
  repository: Repository,
  refs: readonly string[],
): Promise<string | null> {
  const { config, git } = repository;
  if (!config.bool('core.commitGraph', true) || !config.bool('gc.writeCommitGraph', true)) return null;
  const tips = await git.text(['for-each-ref', '--format=%(objectname)', ...refs]);
  if (tips === '') return null;
  const filters = config.bool('commitGraph.changedPaths', true)
    ? ['--changed-paths', `--max-new-filters=${newFiltersMax}`]
    : [];
  const args = ['commit-graph', 'write', '--stdin-commits', '--split', '--no-progress', ...filters];
  return attempt(repository, args, `${tips}\n`);
}

async function attempt(
  { git, version }: Repository,
  args: readonly string[],
  input?: string,
): Promise<string | null> {
  // The new files have to be on the disk before the old ones go.
  const durable = isAtLeast(version, 2, 36) ? ['-c', 'core.fsync=all'] : [];
  const modest = ['-c', 'pack.threads=1', '-c', 'core.packedRefsTimeout=5000'];
  try {
    await git.run([...durable, ...modest, ...args], { timeoutMs, ...(input === undefined ? {} : { input }) });
    return null;
  } catch (error) {
    if (!isGitStateError(error, 'GIT_FAILED')) throw error;
    return error.message;
  }
}
