import { existsSync, lstatSync, rmSync, unlinkSync } from 'node:fs';
import { GitStateError } from '../../errors.ts';
import { lockPath } from '../../git/refs.ts';
import type { Engine } from '../engine.ts';
import { clearDeadRefLock } from '../ref-lock.ts';
import type { Action } from './action.ts';
import { repairBranch } from './branch.ts';
import { checkpointWork, leaseWork, type RefWork } from './refs.ts';

/** Repairs what can be repaired from what is there, and says what it did. It runs while no other writer does.
 *  @throws CORRUPT_STATE where no state is left, SCHEMA_TOO_NEW, LOCKED, GIT_FAILED */
export async function repairStore(engine: Engine): Promise<Action[]> {
  const held = await engine.mutex.acquire();
  try {
    const actions = [
      ...(await removeDamagedCache(engine)),
      ...clearLock(engine, held.inherited),
      ...(await repairBranch(engine)),
    ];
    const tip = await engine.reader.resolve(engine.branchRef);
    if (tip === null) return actions;
    const snapshot = await engine.at(tip, 'all');
    for (const work of [await leaseWork(engine, snapshot), await checkpointWork(engine, snapshot)])
      actions.push(...(await doWork(engine, work)));
    return actions;
  } finally {
    held.release();
  }
}

async function doWork(engine: Engine, { moves, objects, actions }: RefWork): Promise<Action[]> {
  if (moves.length === 0) return [];
  await engine.write(objects);
  if ((await engine.refs.transact(moves)) === 'moved') return actions;
  throw new GitStateError('GIT_FAILED', `git could not move '${moves[0]!.ref}': ${engine.refs.lastFailure}`, {
    hint: 'see `git state doctor`',
    details: { refs: moves.map(({ ref }) => ref) },
  });
}

/** A cache can be deleted at any time; what is no cache of ours is not followed and only unlinked. */
async function removeDamagedCache(engine: Engine): Promise<Action[]> {
  if (!(await engine.cacheIsDamaged)) return [];
  const { cacheDirectory } = engine;
  if (lstatSync(cacheDirectory).isDirectory()) rmSync(cacheDirectory, { recursive: true, force: true });
  else unlinkSync(cacheDirectory);
  return [{ name: 'cache', detail: `removed '${cacheDirectory}', which was damaged` }];
}

function clearLock(
  { repository, branchRef, env }: Engine,
  children: Parameters<typeof clearDeadRefLock>[0]['children'],
) {
  const lockFile = lockPath(repository, branchRef);
  if (!existsSync(lockFile) || !clearDeadRefLock({ lockFile, children, env })) return [];
  return [{ name: 'git locks', detail: `removed '${lockFile}', left over by a Git that was killed` }];
}
