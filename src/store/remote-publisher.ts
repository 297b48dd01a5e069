import { epochRef } from '../codec/tag.ts';
import type { Feature } from '../core/entities.ts';
import { keyOf } from '../core/ids.ts';
import type { OperationType } from '../core/operation.ts';
import type { State } from '../core/state.ts';
import { GitStateError, isGitStateError } from '../errors.ts';
import type { Oid } from '../git/ids.ts';
import type { RefMove } from '../git/refs.ts';
import type { RefUpdate } from '../git/transport.ts';
import { readCommit } from './commits.ts';
import type { Engine } from './engine.ts';
import { epochsOf, type Seal, sealOf } from './epochs.ts';
import { followCheckpoints } from './follow.ts';
import { wantedRefs } from './moves.ts';
import type { Held } from './mutex.ts';
import {
  moveRefs,
  type Publication,
  type Published,
  type Publisher,
  publicationOn,
  publishHere,
  type Transaction,
} from './publish.ts';
import { isIn, type Remote } from './remote.ts';
import { operationIds, type Rejection, replay } from './replay.ts';
import { emptySnapshot, type Wanted } from './snapshot.ts';
import { requireRelated, type Standing } from './standing.ts';

/** The branch of a server decides: an operation counts once its push has been taken. Each is decided on what the server
 *  was last seen to hold, and pushed on condition that it still holds that: where nobody was faster this is one push. */

/** Facts are never refused, so they may wait for a push that has to be made anyway. */
const facts: ReadonlySet<OperationType> = new Set(['note.add', 'cost.add', 'cost.set', 'quality.set']);
const steps: ReadonlySet<OperationType> = new Set(['step.start', 'step.done', 'step.fail', 'step.skip']);

/** The server's own locks are in the way for so many tries at most. */
const contendedMax = 8;
/** A connection may break again and again after the server took the push, or before. */
const unclearMax = 4;
const coalesceMs = 30_000;
const pauseMsMax = 5000;

export class RemotePublisher implements Publisher {
  readonly remote: Remote;
  readonly combinesAs = null;
  /** Whether steps may wait for the next push, too: only for a process that sees to it before it ends. */
  coalescing = false;
  readonly #engine: Engine;

  constructor(engine: Engine, remote: Remote) {
    this.#engine = engine;
    this.remote = remote;
  }

  /** A push, a fetch, and the same once more after a lost race. */
  get deadlineMs(): number {
    return 4 * this.remote.settings.timeoutMs;
  }

  transaction(): Transaction {
    return new RemoteTransaction(this.#engine, this.remote, { deferrable: this.#deferrable() });
  }

  async refresh(held: Held): Promise<void> {
    await this.remote.fetch();
    await this.remote.follow(held);
  }

  #deferrable(): Deferrable | null {
    const { pushIntervalMs } = this.remote.settings;
    if (this.coalescing) return { types: [facts, steps], forMs: pushIntervalMs ?? coalesceMs };
    return pushIntervalMs === null ? null : { types: [facts], forMs: pushIntervalMs };
  }
}

interface Deferrable {
  types: readonly ReadonlySet<OperationType>[];
  forMs: number;
}

class RemoteTransaction implements Transaction {
  readonly #engine: Engine;
  readonly #remote: Remote;
  readonly #deferrable: Deferrable | null;
  #standing!: Standing;
  #fresh = false;
  /** How long a lost push and the fetch after it took. */
  #exchangeMs = 0;
  #contended = 0;
  #unclear = 0;

  constructor(engine: Engine, remote: Remote, { deferrable }: { deferrable: Deferrable | null }) {
    this.#engine = engine;
    this.#remote = remote;
    this.#deferrable = deferrable;
  }

  async begin(wanted: Wanted, searching: boolean): Promise<Publication> {
    const remote = this.#remote;
    this.#standing = await remote.standing();
    const unknown = this.#standing.seen === null;
    if (!this.#fresh && (unknown || searching)) await this.#fetch();
    if (searching) await this.#bringHistory();
    requireRelated(remote.name, this.#standing);
    const { publication, rejected } = await beginOn(this.#engine, this.#standing, wanted);
    if (rejected.length > 0) throw stranded(remote.name, this.#standing, rejected);
    return publication;
  }

  async publish(publication: Publication, held: Held): Promise<Published> {
    const engine = this.#engine;
    if (await this.#mayWait(publication)) {
      return (await publishHere(engine, publication, held)) ? 'local' : 'lost';
    }
    const { seen } = this.#standing;
    const updates = await updatesOf(engine, this.#standing, publication);
    if (updates.length === 0 && !this.#fresh) {
      // Nothing to push, so nothing that the server would check: it has to be asked.
      await this.#fetch();
      return 'lost';
    }
    await engine.write(publication.objects);
    if (updates.length > 0) {
      const outcome = await this.#push(updates, publication, seen);
      if (outcome !== null) return outcome;
    }
    await settleHere(engine, this.#remote, { standing: this.#standing, publication, held });
    await this.#followTags(publication, held);
    return 'remote';
  }

  /** Others need as long for their push as we did for ours: whoever tries again sooner is in their way. */
  pauseMs(attempt: number): number {
    return Math.min(pauseMsMax, this.#exchangeMs * 2 ** Math.min(attempt - 1, 4));
  }

  /** An operation may stand far back. */
  async #bringHistory(): Promise<void> {
    if (this.#engine.repository.shallow()) await this.#remote.deepen();
    const { seen } = this.#standing;
    if (seen !== null) await this.#remote.fetchEpochs(seen);
  }

  async #fetch(): Promise<void> {
    await this.#remote.fetch();
    this.#fresh = true;
    this.#standing = await this.#remote.standing();
  }

  /** @returns null once the server holds it. */
  async #push(
    updates: RefUpdate[],
    publication: Publication,
    seenBefore: Oid | null,
  ): Promise<Published | null> {
    const startedMs = performance.now();
    const answer = await this.#remote.push(updates);
    if (answer.kind === 'landed') return null;
    try {
      await this.#fetch();
      this.#exchangeMs = performance.now() - startedMs;
    } catch (error) {
      if (answer.kind !== 'unclear' || !isGitStateError(error)) throw error;
      throw outcomeUnknown(this.#remote.name, answer.message, error);
    }
    const { tip } = publication;
    const { seen } = this.#standing;
    const moved = tip.commit !== null && tip.commit !== seenBefore;
    if (moved ? await isIn(this.#engine, seen, tip.commit!) : await areHeld(this.#engine, updates))
      return null;
    if (answer.kind === 'unclear') {
      this.#unclear += 1;
      if (this.#unclear < unclearMax) return 'unclear';
      throw outcomeUnknown(this.#remote.name, answer.message);
    }
    if (answer.kind === 'contended') this.#contended += 1;
    if (this.#contended < contendedMax) return 'lost';
    const message = answer.kind === 'contended' ? answer.message : 'its refs cannot be moved';
    throw new GitStateError(
      'REMOTE_REJECTED',
      `remote '${this.#remote.name}' does not move its refs: ${message}`,
      {
        hint: 'nothing was changed; a lock may have been left over on the server: ask who keeps it',
        details: { reason: 'contended' },
      },
    );
  }

  /** Others may have made checkpoints meanwhile. They are known from the branch; their tags are for people. */
  async #followTags({ base, tip }: Publication, held: Held): Promise<void> {
    const { local } = this.#standing;
    if (local === null || tip.commit === null || local === base.commit) return;
    const engine = this.#engine;
    const [before, after] = [await engine.past(local), await engine.past(tip.commit)];
    const refs = refNames(engine, before.state, after.state);
    if (!refs.some((ref) => ref.startsWith('refs/gitstate/checkpoints/'))) return;
    await followCheckpoints(engine, this.#remote, after.state, held).catch(ignoreAbsence);
  }

  /** Whether all of it may wait for the next push. */
  async #mayWait({ operations, unproven, refs }: Publication): Promise<boolean> {
    const { seen, unpushed, relation } = this.#standing;
    if (this.#deferrable === null || seen === null || relation !== 'ahead') return false;
    const { types, forMs } = this.#deferrable;
    const all = operations.every(({ type }) => types.some((set) => set.has(type)));
    if (!all || operations.length === 0 || unproven > 0 || refs.size > 0) return false;
    const [oldest] = unpushed;
    const commit = oldest === undefined ? null : await readCommit(this.#engine.reader, oldest);
    return commit === null || this.#engine.env.now() - commit.author.at * 1000 < forMs;
  }
}

/** What a group starts from: the newer of both branches, or, where both have moved, ours replayed on the remote's. */
export async function beginOn(
  engine: Engine,
  { seen, local, base, unpushed, relation }: Standing,
  wanted: Wanted,
): Promise<{ publication: Publication; rejected: Rejection[]; replayed: number }> {
  if (relation === 'ahead') {
    const tip = unpushed.length > 0 ? local : (seen ?? local);
    return { publication: publicationOn(await engine.at(tip, wanted)), rejected: [], replayed: 0 };
  }
  const publication = publicationOn(await engine.at(seen, wanted));
  const known = await operationIds(engine, seen!, base);
  return { publication, ...(await replay(engine, publication, unpushed, known)) };
}

/** Everything that the server has to be told, on condition that it holds what we saw. */
export async function updatesOf(
  engine: Engine,
  { seen, local, unpushed, relation }: Standing,
  { tip, refs, expected, pinned }: Publication,
): Promise<RefUpdate[]> {
  const updates: RefUpdate[] = [];
  if (tip.commit !== seen || pinned)
    updates.push({ ref: engine.branchRef, newOid: tip.commit, oldOid: seen });
  const wanted = new Map<string, Oid | null>();
  if (relation === 'ahead' && unpushed.length > 0) {
    const before = seen === null ? emptySnapshot : await engine.past(seen);
    const after = await engine.past(local!);
    for (const ref of refNames(engine, before.state, after.state)) {
      wanted.set(ref, (await engine.reader.info(ref))?.oid ?? null);
    }
    for (const { epoch, tip: sealed } of await sealsIn(engine, seen, local!, unpushed))
      updates.push({ ref: epochRef(epoch), newOid: sealed, oldOid: null });
  }
  for (const [ref, oid] of refs) wanted.set(ref, oid);
  for (const [ref, newOid] of wanted) {
    if (engine.renewsOnBranch && ref.startsWith('refs/gitstate/')) continue;
    if (newOid === null && (await engine.reader.info(ref)) === null) continue;
    updates.push({ ref, newOid, oldOid: expected.get(ref) });
  }
  return updates;
}

/** Epochs that were sealed here and are kept only here. */
async function sealsIn(
  engine: Engine,
  seen: Oid | null,
  local: Oid,
  unpushed: readonly Oid[],
): Promise<Seal[]> {
  const seals: Seal[] = [];
  if (seen === null) {
    for await (const { seal, here } of epochsOf(engine, local)) if (here) seals.push(seal);
    return seals;
  }
  for (const oid of unpushed) {
    const seal = await sealOf(engine, await readCommit(engine.reader, oid));
    if (seal !== null) seals.push(seal);
  }
  return seals;
}

/** Refs beside the branch that belong to what is different in two states. */
function refNames(engine: Engine, before: State, after: State): string[] {
  const { repository, identity, tagPrefix } = engine;
  const author = { ...identity, at: 0, timezone: '+0000' };
  const stamp = { format: repository.objectFormat, identity, tagPrefix, commit: '0'.repeat(40), author };
  return [...wantedRefs(before, after, stamp).refs.keys()];
}

/** Whether the refs hold what was pushed, as fetched since. */
async function areHeld({ reader }: Engine, updates: readonly RefUpdate[]): Promise<boolean> {
  const held = await Promise.all(updates.map(({ ref }) => reader.info(ref)));
  return updates.every(({ newOid }, index) => (held[index]?.oid ?? null) === newOid);
}

interface Settling {
  standing: Standing;
  publication: Publication;
  held: Held;
}

/** Writes down here what the server has taken. Should that fail, the next command fetches it. */
export async function settleHere(
  engine: Engine,
  remote: Remote,
  { standing, publication, held }: Settling,
): Promise<void> {
  const { seen, local } = standing;
  const { tip, refs } = publication;
  const pushed = tip.commit === null || seen === null || !(await isBehind(engine, tip.commit, seen));
  const target = pushed ? tip.commit : seen;
  const wanted = new Map<string, Oid | null>(refs);
  if (local !== null && target !== null && local !== publication.base.commit) {
    await followRefs(engine, wanted, local, target);
  }
  const moves: RefMove[] = [];
  for (const [ref, newOid] of [
    [engine.branchRef, target] as const,
    [remote.seenRef, target] as const,
    ...wanted,
  ]) {
    const oldOid = (await engine.reader.info(ref))?.oid ?? null;
    if (oldOid !== newOid) moves.push({ ref, oldOid, newOid });
  }
  if (moves.length > 0) await moveRefs(engine, moves, held);
  if (target === tip.commit && tip.commit !== null) engine.landed(tip);
}

/** Others ended claims meanwhile: their leases go here, too. */
async function followRefs(
  engine: Engine,
  wanted: Map<string, Oid | null>,
  from: Oid,
  to: Oid,
): Promise<void> {
  const [before, after] = [await engine.past(from), await engine.past(to)];
  for (const ref of refNames(engine, before.state, after.state)) {
    const isLease = ref.startsWith('refs/gitstate/leases/');
    if (isLease && !wanted.has(ref) && !isHeld(after.state, ref)) wanted.set(ref, null);
  }
}

function isHeld({ contents, sessions }: State, ref: string): boolean {
  const [session, feature] = ref.split('/').slice(3) as [string, string];
  const features = contents.get(keyOf(session))?.features;
  const found: Feature | undefined = features?.get(keyOf(feature));
  return sessions.has(keyOf(session)) && found?.claim != null;
}

/** Whether the server has gone on beyond `oid`. */
async function isBehind(engine: Engine, oid: Oid, seen: Oid): Promise<boolean> {
  return oid !== seen && (await isIn(engine, seen, oid));
}

/** The operation counts already: what is missing here comes with the next exchange. */
function ignoreAbsence(error: unknown): void {
  if (!isGitStateError(error, 'REMOTE_UNREACHABLE', 'REMOTE_REJECTED')) throw error;
}

function stranded(remote: string, { seen, local }: Standing, rejected: Rejection[]): GitStateError {
  const [{ subject, message }] = rejected as [Rejection];
  return new GitStateError(
    'REMOTE_DIVERGED',
    `what was done here does not fit what others did on '${remote}': ${subject}: ${message}`,
    { hint: `git state sync ${remote}`, details: { local, remote: seen, rejected } },
  );
}

function outcomeUnknown(remote: string, message: string, cause?: GitStateError): GitStateError {
  return new GitStateError('OUTCOME_UNKNOWN', `'${remote}' may or may not have taken it: ${message}`, {
    details: { remote, cause: cause?.code ?? null },
    cause,
  });
}
