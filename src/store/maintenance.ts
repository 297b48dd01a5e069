import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { epochRefs } from '../codec/tag.ts';
import { type Env, livenessOf } from '../env.ts';
import { isGitStateError } from '../errors.ts';
import { GitConfig } from '../git/config.ts';
import {
  joinPacks,
  type Pile,
  packRefs,
  pileOf,
  releasePacks,
  repackFault,
  writeCommitGraph,
} from '../git/maintenance.ts';
import type { Repository } from '../git/repository.ts';
import { Mutex } from './mutex.ts';
import type { Action } from './repair/action.ts';

/** Loose objects and packs do not pile up: once there are many, one process in the background joins them. */

export const dueAt: Readonly<Pile> = { loose: 2000, packs: 50 };

interface Place {
  repository: Repository;
  env: Env;
  branchRef: string;
  /** Our own folder in the common Git directory. */
  directory: string;
}

/** Whether it starts by itself: `gitstate.maintenance`, else as the user has it for Git's own. */
export function isAutomatic({ config }: Repository): boolean {
  if (config.get('gitstate.maintenance') !== undefined) return config.bool('gitstate.maintenance', true);
  // On the command lines of our own Git it is always off.
  const given = new GitConfig(config.entries.filter(({ origin }) => origin !== 'command line:'));
  return given.bool('maintenance.auto', true) && given.int('gc.auto', 1) !== 0;
}

/** What has piled up since the last time, and whether that is enough to do something about it. */
export function pileSince(place: Place): { pile: Pile; due: boolean } {
  const pile = pileOf(place.repository);
  const many = pile.loose >= dueAt.loose || pile.packs >= dueAt.packs;
  if (!many || repackFault(place.repository) !== null) return { pile, due: false };
  const left = leftBehind(place);
  // What could not be joined last time is no reason to try again.
  const due = pile.loose - left.loose >= dueAt.loose || pile.packs - left.packs >= dueAt.packs;
  return { pile, due };
}

/** Starts maintenance in the background where it is due, is wanted and does not run yet. Never throws, never waits. */
export function startMaintenance(place: Place): void {
  const { env, repository } = place;
  try {
    if (env.background === undefined || repository.quarantined || !isAutomatic(repository)) return;
    if (!pileSince(place).due || mutexOf(place).holder()?.liveness === 'alive') return;
    env.background(['-C', repository.commonDir, 'doctor', '--maintain'], repository.git.environment());
  } catch {
    // Whoever wrote has what they wanted; `doctor` says what is due.
  }
}

/** Joins loose objects and packs, packs refs, and writes the commit graph. One process at a time does; the others find
 *  that nothing is left to do. Safe beside writers, readers and Git's own maintenance.
 *  @returns what was done; nothing where another process is at it. */
export async function maintain(place: Place): Promise<Action[]> {
  const mutex = mutexOf(place);
  if (mutex.holder()?.liveness === 'alive') return [told('another process is at it')];
  const held = await mutex.acquire({ deadlineMs: 1000 }).catch((error: unknown) => {
    if (isGitStateError(error, 'LOCKED', 'CONTENTION')) return null;
    throw error;
  });
  if (held === null) return [told('another process is at it')];
  try {
    const turn = takeCollectorsTurn(place);
    if (turn === null) return [told('`git gc` is at it')];
    try {
      return await maintainNow(place);
    } finally {
      turn.release();
    }
  } finally {
    held.release();
    mutex.close();
  }
}

async function maintainNow(place: Place): Promise<Action[]> {
  const { repository, branchRef } = place;
  const before = pileOf(repository);
  // Noted before: what fails is not begun again with each write.
  noteLeft(place, before);
  releasePacks(repository);
  const faults = [
    repackFault(repository) === null ? await joinPacks(repository) : null,
    await packRefs(repository),
    await writeCommitGraph(repository, [branchRef, epochRefs]),
  ].filter((fault) => fault !== null);
  const after = pileOf(repository);
  noteLeft(place, after);
  const joined = `about ${before.loose} loose objects and ${before.packs} packs before, ${after.loose} and ${after.packs} now`;
  return [told(joined), ...faults.map(told)];
}

/** Two at a time may each take the other's copy of an object for the one that stays, so `git gc` is kept out in its own
 *  way: by the file in which it names itself. @returns null where one runs. */
function takeCollectorsTurn(place: Place): { release(): void } | null {
  // `git maintenance` names itself elsewhere.
  if (existsSync(join(place.repository.objectsDir, 'maintenance.lock'))) return null;
  const path = collectorFile(place);
  const lock = `${path}.lock`;
  try {
    writeFileSync(lock, `${place.env.identity.pid} ${place.env.identity.host}`, { flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return null;
    throw error;
  }
  if (collectorPid(place) !== null) {
    rmSync(lock);
    return null;
  }
  renameSync(lock, path);
  return { release: () => rmSync(path, { force: true }) };
}

const told = (detail: string): Action => ({ name: 'maintenance', detail });

function mutexOf({ directory, env }: Place): Mutex {
  return new Mutex({ directory: join(directory, 'maintenance'), env });
}

/** Whether somebody joins packs now, or takes some away. */
export function isJoining(place: Place): boolean {
  return collectorPid(place) !== null || existsSync(join(place.repository.objectsDir, 'maintenance.lock'));
}

/** Whether a `git gc` runs, or may. Our own maintenance takes nothing away and does not count. */
export function isCollecting(place: Place): boolean {
  const pid = collectorPid(place);
  return pid !== null && mutexOf(place).holder()?.identity?.pid !== pid;
}

/** The process that `git gc` names in its file; null where it is dead, or none is named. */
function collectorPid(place: Pick<Place, 'repository' | 'env'>): number | null {
  const path = collectorFile(place);
  if (!statSync(path, { throwIfNoEntry: false })) return null;
  try {
    const self = place.env.identity;
    const pid = Number.parseInt(readFileSync(path, 'latin1'), 10);
    return livenessOf({ ...self, pid, started: null }, self) === 'dead' ? null : pid;
  } catch {
    return null;
  }
}

function collectorFile({ repository }: Pick<Place, 'repository'>): string {
  return join(repository.commonDir, 'gc.pid');
}

/** What the last maintenance left as it was. */
function leftBehind({ directory }: Place): Pile {
  try {
    const [loose, packs] = readFileSync(leftFile(directory), 'latin1').split(' ').map(Number);
    return { loose: loose || 0, packs: packs || 0 };
  } catch {
    return { loose: 0, packs: 0 };
  }
}

function noteLeft({ directory }: Place, { loose, packs }: Pile): void {
  mkdirSync(dirname(leftFile(directory)), { recursive: true });
  writeFileSync(leftFile(directory), `${loose} ${packs}\n`);
}

function leftFile(directory: string): string {
  return join(directory, 'maintenance', 'left');
}
