import { lstatSync, rmSync } from 'node:fs';
import { type Env, type Liveness, livenessOf } from '../env.ts';

/** A Git child that may lock our ref, as its parent wrote it down before the child could (see `Mutex.noteChild`). */
export interface NotedChild {
  readonly pid: number;
  /** Start time in the system's own unit; null where it cannot be read. */
  readonly started: string | null;
  /** Milliseconds since 1970, UTC. */
  readonly notedAt: number;
}

/** The coarsest time stamp of a file system in use (FAT: two seconds). */
const stampSlackMs = 2000;

/** Judges a child of this host, boot and process id namespace. */
export function livenessOfChild({ pid, started }: NotedChild, env: Env): Liveness {
  return livenessOf({ ...env.identity, pid, started }, env.identity);
}

/** Whether there are children, and every one is provably dead. */
export function areAllDead(children: readonly NotedChild[], env: Env): boolean {
  return children.length > 0 && children.every((child) => livenessOfChild(child, env) === 'dead');
}

/** Removes the `.lock` that a killed Git child left beside our ref. Call it under the mutex only.
 *  It stays unless there are noted children, all of them are provably dead, and it is not older than they are:
 *  a lock from before them belongs to another Git, which may be alive.
 *  @param lockFile path of the ref's lock, such as `<git dir>/refs/heads/gitstate.lock`.
 *  @param children `Held.inherited`, or `Mutex.children` after a child of our own was killed.
 *  @returns whether the lock was there and is gone now. Throws what the file system throws. */
export function clearDeadRefLock(options: {
  lockFile: string;
  children: readonly NotedChild[];
  env: Env;
}): boolean {
  const { lockFile, children, env } = options;
  const seen = lstatSync(lockFile, { throwIfNoEntry: false });
  if (!seen?.isFile() || !areAllDead(children, env)) return false;
  if (seen.mtimeMs + stampSlackMs < Math.min(...children.map((child) => child.notedAt))) return false;
  const still = lstatSync(lockFile, { throwIfNoEntry: false });
  if (still?.ino !== seen.ino || still.ctimeMs !== seen.ctimeMs) return false;
  rmSync(lockFile, { force: true });
  return true;
}
