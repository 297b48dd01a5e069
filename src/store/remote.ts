import { epochRef, epochRefs, seenRefOf } from '../codec/tag.ts';
import { GitStateError, isGitStateError } from '../errors.ts';
import type { Oid } from '../git/ids.ts';
import type { PushAnswer } from '../git/push-answer.ts';
import type { RefMove } from '../git/refs.ts';
import { type RefUpdate, Transport } from '../git/transport.ts';
import { noteContact } from './contact.ts';
import type { Engine } from './engine.ts';
import { epochsOf, type Seal } from './epochs.ts';
import { contains } from './history.ts';
import type { Held } from './mutex.ts';
import { moveRefs } from './publish.ts';
import type { RemoteSettings } from './remote-settings.ts';
import { followedSeals } from './sealed.ts';
import { type Standing, standingOf } from './standing.ts';

/** What the remote's state branch is known to hold, and the exchanges with it. Its branch is followed forward only: one
 *  that was rewound, replaced or deleted is named and left alone. All calls are made under the mutex. */

/** Commits that a shallow clone takes of a branch which it meets for the first time. */
const firstDepth = 50;

const leaseRefspec = '+refs/gitstate/leases/*:refs/gitstate/leases/*';

export class Remote {
  readonly name: string;
  readonly settings: RemoteSettings;
  /** Ours alone, so that no fetch of the user's moves it: what the remote's branch was last seen to hold. */
  readonly seenRef: string;
  readonly #engine: Engine;
  readonly #transport: Transport;
  #standing: Standing | null = null;
  #deepened = false;

  constructor(engine: Engine, settings: RemoteSettings) {
    const { name, timeoutMs, pushOptions } = settings;
    this.name = name;
    this.settings = settings;
    this.seenRef = seenRefOf(name, engine.branchRef);
    this.#engine = engine;
    this.#transport = new Transport(engine.repository, { remote: name, timeoutMs, pushOptions });
  }

  /** Whether it takes refs under `refs/gitstate/`; else the branch and the tags have to do. */
  get takesOwnRefs(): boolean {
    return !this.#engine.renewsOnBranch;
  }

  /** How our branch stands to the remote's as last seen. */
  async standing(): Promise<Standing> {
    const { reader, branchRef } = this.#engine;
    const [seen, local] = await Promise.all([reader.resolve(this.seenRef), reader.resolve(branchRef)]);
    const known = this.#standing;
    if (known !== null && known.seen === seen && known.local === local) return known;
    let standing = await standingOf(this.#engine, seen, local);
    // What they have in common may lie in an epoch that is not here.
    if (standing.relation === 'unrelated' && (await this.fetchEpochs(seen!)))
      standing = await standingOf(this.#engine, seen, local);
    this.#standing = standing;
    return standing;
  }

  /** Our branch goes along where it has nothing of its own. */
  async follow(held: Held): Promise<void> {
    const { seen, local, unpushed, relation } = await this.standing();
    if (seen === null || seen === local || unpushed.length > 0 || relation !== 'ahead') return;
    const { branchRef } = this.#engine;
    await moveRefs(this.#engine, [{ ref: branchRef, oldOid: local, newOid: seen }], held);
  }

  /** Brings the remote's branch and the leases.
   *  @throws REMOTE_DIVERGED where its branch no longer contains what we saw there, REMOTE_UNREACHABLE, REMOTE_REJECTED */
  async fetch(): Promise<void> {
    const { reader, branchRef, repository } = this.#engine;
    const [seen, local] = await Promise.all([reader.resolve(this.seenRef), reader.resolve(branchRef)]);
    const have = [seen, local].filter((oid) => oid !== null);
    const depth = have.length === 0 && repository.shallow() ? firstDepth : undefined;
    const refspecs = [`${branchRef}:${this.seenRef}`, leaseRefspec];
    const clean = await this.#transport.fetch(refspecs, { have, depth });
    if (!clean) await this.#explain(seen, () => this.#transport.fetch(refspecs, { have }));
    noteContact(this.#engine, this.name);
  }

  /** Brings more refs. @param shallow whether a clone that is cut off takes their commits without history. */
  async fetchMore(refspecs: readonly string[], { shallow = false } = {}): Promise<boolean> {
    const { reader, repository, branchRef } = this.#engine;
    const known = await Promise.all([this.seenRef, branchRef].map((ref) => reader.resolve(ref)));
    const depth = shallow && repository.shallow() ? 1 : undefined;
    return this.#transport.fetch(refspecs, { have: known.filter((oid) => oid !== null), depth });
  }

  /** Brings the history of the state back to its root; that of the code stays as it is. */
  async deepen(): Promise<void> {
    const { branchRef } = this.#engine;
    // Not Git's own number for "all": that one would bring all of the user's history, too.
    if (this.#deepened) return;
    await this.#transport.fetch([`${branchRef}:${this.seenRef}`], { have: [], depth: 2 ** 30 });
    this.#deepened = true;
  }

  /** Brings the epochs before that of `tip`, so that its history is whole. @returns whether any came. */
  async fetchEpochs(tip: Oid): Promise<boolean> {
    let missing: Seal | null = null;
    for await (const { seal, here } of epochsOf(this.#engine, tip)) if (!here) missing = seal;
    if (missing === null || !(await this.fetchEpoch(missing.epoch))) return false;
    if ((await this.#engine.reader.info(missing.tip)) !== null) await this.fetchEpochs(missing.tip);
    return true;
  }

  /** Makes sure that the remote keeps such refs: some hosts move the other refs of an atomic push where they hide one.
   *  @throws REMOTE_REJECTED */
  async requireEpochs(): Promise<void> {
    const { reader, env } = this.#engine;
    const oid = await reader.resolve(this.seenRef);
    if (oid === null) return;
    const ref = `${epochRefs}probe-${env.randomId()}`;
    await this.push([{ ref, newOid: oid, oldOid: null }]);
    await this.push([{ ref, newOid: null, oldOid: oid }]);
  }

  /** @returns whether the remote has it. */
  async fetchEpoch(epoch: number): Promise<boolean> {
    return this.fetchMore([`${epochRef(epoch)}:${epochRef(epoch)}`]);
  }

  /** What the refs of these patterns hold on the remote. */
  list(patterns: readonly string[]): Promise<Map<string, Oid>> {
    return this.#transport.list(patterns);
  }

  async push(updates: readonly RefUpdate[]): Promise<PushAnswer> {
    const answer = await this.#transport.push(updates).catch((error: unknown) => {
      throw withWayOut(error);
    });
    if (answer.kind === 'landed') noteContact(this.#engine, this.name);
    return answer;
  }

  /** Takes the remote's branch as it is, whatever we saw there before. @param oid null: it has none. */
  async adopt(oid: Oid | null): Promise<void> {
    const { branchRef, refs, reader } = this.#engine;
    if (oid === null) {
      await refs.transact([{ ref: this.seenRef, newOid: null }]);
      return;
    }
    const clean = await this.#transport.fetch([`+${branchRef}:${this.seenRef}`, leaseRefspec], {
      have: [],
    });
    if (clean && (await reader.resolve(this.seenRef)) === oid) return noteContact(this.#engine, this.name);
    throw new GitStateError('CONTENTION', `the branch on '${this.name}' moved again meanwhile`, {
      hint: `look at it once more: \`git state sync ${this.name}\``,
    });
  }

  /** Why a fetch could not move what it should: the refs of the server tell. */
  async #explain(seen: Oid | null, again: () => Promise<boolean>): Promise<void> {
    const { branchRef, reader } = this.#engine;
    const there = (await this.#transport.list([branchRef])).get(branchRef) ?? null;
    if (there === seen) return;
    if (there === null) throw this.#diverged(seen, null, 'is gone');
    if (seen !== null && (await this.#followSeal(seen))) return;
    // A lock in the way, or a lease that moved meanwhile: the branch itself may be fine.
    if (await again()) return;
    const now = await reader.resolve(this.seenRef);
    if (now !== seen && now !== null) return;
    throw this.#diverged(seen, there, 'no longer contains what was seen there');
  }

  /** A new root is followed where it provably goes on from what was seen. */
  async #followSeal(seen: Oid): Promise<boolean> {
    const { branchRef, reader, refs } = this.#engine;
    const place = `${this.seenRef}.sealed`;
    if (!(await this.fetchMore([`+${branchRef}:${place}`]))) return false;
    const tip = (await reader.resolve(place))!;
    const seals = await followedSeals(this.#engine, { seen, tip }, (epoch) => this.fetchEpoch(epoch));
    const moves: RefMove[] = [{ ref: place, newOid: null }];
    if (seals !== null) moves.push({ ref: this.seenRef, oldOid: seen, newOid: tip });
    for (const { epoch, tip: sealed } of seals ?? []) {
      const ref = epochRef(epoch);
      if ((await reader.info(ref)) === null) moves.push({ ref, oldOid: null, newOid: sealed });
    }
    return (await refs.transact(moves)) === 'moved' && seals !== null;
  }

  #diverged(local: Oid | null, remote: Oid | null, what: string): GitStateError {
    const branch = this.#engine.branchRef.replace(/^refs\/heads\//, '');
    const zero = '0'.repeat(40);
    return new GitStateError('REMOTE_DIVERGED', `branch '${branch}' of '${this.name}' ${what}`, {
      hint: `find out who moved it; \`git state sync ${this.name} --adopt-remote ${remote ?? zero}\` takes it as it is and puts ours on top`,
      details: { local, remote, remote_name: this.name },
    });
  }
}

/** Some hosts take branches and tags alone. */
function withWayOut(error: unknown): unknown {
  if (!isGitStateError(error, 'REMOTE_REJECTED')) return error;
  const { refs } = error.details as { refs?: string[] };
  if (!refs || refs.length === 0 || !refs.every((ref) => ref.startsWith('refs/gitstate/'))) return error;
  if (refs.some((ref) => ref.startsWith(epochRefs))) {
    const hint =
      'nothing was changed; a store is sealed only where the host keeps the history under refs/gitstate/epochs/';
    return new GitStateError(error.code, error.message, { hint, details: error.details, cause: error });
  }
  return new GitStateError(error.code, error.message, {
    hint: 'nothing was changed; where a host takes no refs/gitstate/*, `git config gitstate.leases branch` in each clone goes without',
    details: error.details,
    cause: error,
  });
}

/** Whether `tip` contains all of `oid`'s history. */
export function isIn(engine: Engine, tip: Oid | null, oid: Oid): Promise<boolean> {
  return tip === null ? Promise.resolve(false) : contains(engine, tip, oid);
}
