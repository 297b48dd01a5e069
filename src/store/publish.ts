import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { Operation } from '../core/operation.ts';
import { GitStateError } from '../errors.ts';
import type { NewObject } from '../git/objects.ts';
import { lockPath, type RefMove } from '../git/refs.ts';
import type { Engine } from './engine.ts';
import { contains } from './history.ts';
import { isCollecting } from './maintenance.ts';
import { movesFrom } from './moves.ts';
import type { Held } from './mutex.ts';
import type { Durability } from './proposal.ts';
import { clearDeadRefLock } from './ref-lock.ts';
import type { Snapshot, Wanted } from './snapshot.ts';

/** Getting commits onto the branch: objects first, then one ref transaction, and the refs themselves say whether it
 *  landed. */

/** What one compare-and-swap is to publish. */
export interface Publication {
  readonly base: Snapshot;
  readonly objects: NewObject[];
  /** What each ref beside the branch is to hold; null where it goes. */
  readonly refs: Map<string, string | null>;
  /** What a renewal or a takeover was decided on; it must still be so when it is published. */
  readonly expected: Map<string, string | null>;
  /** Whether the branch must stand still although nothing is committed. */
  pinned: boolean;
  /** Where the branch is after the last operation. */
  tip: Snapshot;
  /** What is published, oldest first. */
  readonly operations: Operation[];
  /** How many answers publish nothing: they are right only if `base` is the newest state. */
  unproven: number;
}

/** A publication that has nothing to publish yet. */
export function publicationOn(base: Snapshot): Publication {
  return {
    base,
    objects: [],
    refs: new Map(),
    expected: new Map(),
    pinned: false,
    tip: base,
    operations: [],
    unproven: 0,
  };
}

/** Where operations are decided and count. */
export interface Publisher {
  /** How long a transaction may take at most, in milliseconds: others wait for it. */
  readonly deadlineMs: number;
  /** What counts for requests that another process of this repository publishes; null where each has to do it itself. */
  readonly combinesAs: Durability | null;
  /** One transaction: what it learns of the newest state it need not ask again. */
  transaction(): Transaction;
  /** Asks others what is new. Call it under the mutex. */
  refresh?(held: Held): Promise<void>;
}

export interface Transaction {
  /** What a group is decided on top of: the newest state that is known, with the contents of `wanted`.
   *  @param searching whether an operation may be in the history already, so that all of it has to be known. */
  begin(wanted: Wanted, searching: boolean): Promise<Publication>;
  publish(publication: Publication, held: Held): Promise<Published>;
  /** How long to wait at most before the next try, in milliseconds. @param attempt how many were lost. */
  pauseMs(attempt: number): number;
}

/** After a lost race all is decided anew; where the outcome is unclear, what is decided anew may have landed already. */
export type Published = Durability | 'lost' | 'unclear';

/** The branch of this repository decides. @param offline whether a server's is to be told later. */
export function localPublisher(engine: Engine, { offline = false } = {}): Publisher {
  const transaction: Transaction = {
    begin: async (wanted) => publicationOn(await engine.current(wanted)),
    publish: async (publication, held) => {
      if (!(await publishHere(engine, publication, held))) return 'lost';
      return offline ? 'offline' : 'local';
    },
    pauseMs: (attempt) => Math.min(200, 2 ** Math.min(attempt, 7)),
  };
  return { deadlineMs: 0, combinesAs: offline ? 'offline' : 'local', transaction: () => transaction };
}

/** Stores the objects and moves the refs. @returns false after a lost race. */
export async function publishHere(
  engine: Engine,
  { base, tip: snapshot, objects, refs, expected, pinned }: Publication,
  held: Held,
): Promise<boolean> {
  const current = new Map<string, string | null>();
  await Promise.all([
    engine.requireSound(base),
    ...[...refs.keys()].map(async (ref) => {
      current.set(
        ref,
        expected.has(ref) ? expected.get(ref)! : ((await engine.reader.info(ref))?.oid ?? null),
      );
    }),
  ]);
  const moves = movesFrom(current, refs);
  const branchMoves = snapshot.commit !== base.commit;
  // A clone that knows the branch only from its remote makes its own with the first write.
  // Should it have one by now after all, the compare-and-swap fails.
  const adopts = base.commit !== null && !engine.branchSeen;
  if (branchMoves || adopts || (pinned && base.commit !== null)) {
    moves.unshift({ ref: engine.branchRef, oldOid: adopts ? null : base.commit, newOid: snapshot.commit });
  }
  if (moves.length === 0) return true;
  await engine.write(objects);
  const outcome = await moveRefs(engine, moves, held);
  const tip = await engine.tip(snapshot.commit);
  const landed = branchMoves ? await isIn(engine, tip, snapshot.commit!) : outcome === 'moved';
  if (!landed) return lost(engine, moves, tip === base.commit);
  await guardAgainstPrune(engine, objects);
  if (tip === snapshot.commit) engine.landed(snapshot);
  return true;
}

/** Moves refs of this repository, past a lock that a dead child of ours has left. */
export async function moveRefs(engine: Engine, moves: RefMove[], held: Held): Promise<'moved' | 'failed'> {
  const outcome = await engine.refs.transact(moves);
  if (outcome === 'moved') return outcome;
  const children = [...held.inherited, ...(engine.refs.wasKilled ? engine.mutex.children : [])];
  const cleared = moves.map(({ ref }) =>
    clearDeadRefLock({ lockFile: lockPath(engine.repository, ref), children, env: engine.env }),
  );
  return cleared.some(Boolean) ? engine.refs.transact(moves) : outcome;
}

async function isIn(engine: Engine, tip: string | null, commit: string): Promise<boolean> {
  if (tip === commit) return true;
  if (tip === null) return false;
  const { reader, repository } = engine;
  return contains({ reader, repository }, tip, commit);
}

/** Tells a lost race from a Git that cannot: the refs decide, not its messages.
 *  @throws LOCKED where a lock file of somebody else stands in the way, GIT_FAILED. */
async function lost(engine: Engine, moves: RefMove[], branchUnmoved: boolean): Promise<false> {
  const { reader, repository, refs } = engine;
  if (!branchUnmoved) return false;
  for (const { ref, oldOid } of moves) {
    if (((await reader.info(ref))?.oid ?? null) !== (oldOid ?? null)) return false;
  }
  for (const path of [
    ...moves.map(({ ref }) => lockPath(repository, ref)),
    join(repository.commonDir, 'packed-refs.lock'),
  ]) {
    const stat = statSync(path, { throwIfNoEntry: false });
    if (!stat) continue;
    const ageS = Math.max(0, Math.round((engine.env.now() - stat.mtimeMs) / 1000));
    throw new GitStateError('LOCKED', `Git's lock file '${path}' stands in the way, ${ageS} s old`, {
      hint: 'another Git command may be at work; if none is, see `git state doctor`',
      details: { path, age_seconds: ageS },
    });
  }
  throw new GitStateError(
    'GIT_FAILED',
    `git could not move '${moves[0]!.ref}': ${refs.lastFailure ?? 'no reason given'}`,
    {
      hint: 'git state doctor',
      details: { refs: moves.map(({ ref }) => ref) },
    },
  );
}

/** A `git gc` that walked the refs before ours moved may delete what it took for unreachable. */
async function guardAgainstPrune(engine: Engine, objects: NewObject[]): Promise<void> {
  if (isCollecting(engine)) await engine.keep(objects);
}
