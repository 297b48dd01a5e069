import { epochRef, headRefs, leaseRef } from '../codec/tag.ts';
import { apply } from '../core/apply.ts';
import type { Feature } from '../core/entities.ts';
import { Operation } from '../core/operation.ts';
import { contentsBySession } from '../core/select.ts';
import { NotLoaded, requireStore, type State } from '../core/state.ts';
import { instantOf } from '../core/time.ts';
import { GitStateError } from '../errors.ts';
import { operationOf, readCommit } from './commits.ts';
import type { Engine } from './engine.ts';
import { presentEpoch, type Seal } from './epochs.ts';
import { Facts, withFacts } from './facts.ts';
import { findOperation, missingPart, newestOf, pastOperation, wayBehind } from './history.ts';
import { leaseObjects } from './lease.ts';
import { wantedRefs } from './moves.ts';
import type { Decision, Draft, Landed, Party, Proposal, Renewal, Unchanged, View } from './proposal.ts';
import type { Publication } from './publish.ts';
import type { RecentOperations } from './recent.ts';
import { record } from './record.ts';
import { invalidInput } from './request.ts';
import type { Snapshot } from './snapshot.ts';
import { randomPartOf, readSecret } from './token.ts';

/** Deciding what a group of requests leads to: each on the state that the one before it leads to. Nothing is stored. */

/** A request that waits for its outcome. */
export interface Waiting {
  proposal: Proposal<unknown>;
  request: unknown;
  requestHash: string;
  operationId: string;
  /** Where in the history the operation may be already: on top of a commit that is older than it, or anywhere. */
  repeat: 'never' | 'anywhere' | { since: string };
  by: Party;
  resolve(landed: Landed): void;
  reject(error: unknown): void;
}

export interface Group extends Publication {
  readonly prepared: { waiting: Waiting; landed: Landed }[];
  readonly refused: { waiting: Waiting; error: unknown }[];
  /** The commits to publish with the operations that they carry, oldest first. */
  readonly commits: { commit: string; id: string; state: State }[];
}

/** Leases that a decision has looked at: object id by ref. */
type Judged = Map<string, string>;

type Decided =
  | { operation: Operation; decision: Draft; after: State }
  | { operation: null; decision: Unchanged; after: State };

export class Decider {
  readonly #engine: Engine;
  readonly #recent: RecentOperations;
  readonly #facts = new Facts();
  #secret: Buffer | null = null;

  constructor(engine: Engine, recent: RecentOperations) {
    this.#engine = engine;
    this.#recent = recent;
  }

  /** Forgets what it read to decide by: the next group is decided on newer facts. */
  forget(): void {
    this.#facts.forget();
  }

  /** Decides and applies each request on top of `start`. @throws NotLoaded */
  async decide(start: Publication, unsettled: Iterable<Waiting>): Promise<Group> {
    const group: Group = { ...start, prepared: [], refused: [], commits: [] };
    for (const waiting of unsettled) {
      try {
        const repeated = await this.repeated(waiting, start.tip.commit);
        const landed = repeated ?? (await this.#step(waiting, group));
        if (restsOnState(landed)) group.unproven += 1;
        group.prepared.push({ waiting, landed });
      } catch (error) {
        if (error instanceof NotLoaded) throw error;
        group.unproven += 1;
        group.refused.push({ waiting, error });
      }
    }
    return group;
  }

  /** Takes one decision on top of the group so far, and writes down what follows from it. */
  async #step(waiting: Waiting, group: Group): Promise<Landed> {
    const judged: Judged = new Map();
    let decided = await this.#decideOne(waiting, group.tip, judged);
    if (decided.operation !== null && decided.operation.type !== 'store.migrate' && this.#isOld(group.tip)) {
      // The first write of a newer gitstate: every file is brought up to its schema, in a commit of its own.
      await this.#add(group, ...this.#migration(group.tip, waiting.by), new Map(), waiting.by);
      judged.clear();
      decided = await this.#decideOne(waiting, group.tip, judged);
    }
    const { operation, decision, after } = decided;
    if (operation === null) {
      if (decision.renewal) this.#renew(decision.renewal, group, waiting.by);
      return landedOf(null, null, decision, group.tip.state, group.tip);
    }
    const before = group.tip.state;
    const commit = await this.#add(group, operation, after, judged, waiting.by);
    if (decision.renewal) this.#renew(decision.renewal, group, waiting.by);
    return landedOf(commit, operation, decision, before, { commit, state: after });
  }

  /** Writes an operation down behind those of the group. @returns its commit. */
  async #add(
    group: Group,
    operation: Operation,
    after: State,
    judged: Judged,
    { identity }: Party,
  ): Promise<string> {
    const { repository, schema, tagPrefix } = this.#engine;
    const recorder = { format: repository.objectFormat, identity, schema: schema.version };
    const { snapshot, author, objects } = record(recorder, group.tip, operation, after);
    const stamp = { ...recorder, tagPrefix, commit: snapshot.commit, author };
    const wanted = wantedRefs(group.tip.state, after, stamp);
    group.objects.push(...objects, ...wanted.objects);
    for (const [ref, oid] of wanted.refs) {
      if (!(await this.#canHold(ref, oid))) continue;
      // What ends a claim was decided by its lease, if it looked at one: a lease renewed since must not fall to it.
      if (judged.has(ref) && !group.refs.has(ref)) group.expected.set(ref, judged.get(ref)!);
      group.refs.set(ref, oid);
    }
    if (operation.type === 'store.seal') {
      // In the same transaction, and nothing that is kept already makes way for it.
      const ref = epochRef(operation.args.epoch);
      group.expected.set(ref, null);
      group.refs.set(ref, operation.args.tip);
    }
    group.operations.push(operation);
    group.commits.push({ commit: snapshot.commit, id: operation.id, state: after });
    group.tip = snapshot;
    return snapshot.commit;
  }

  /** A checkpoint that comes back may name a code head that Git has collected meanwhile: there is nothing to hold. */
  async #canHold(ref: string, oid: string | null): Promise<boolean> {
    return oid === null || !ref.startsWith(headRefs) || (await this.#engine.reader.info(oid)) !== null;
  }

  #isOld({ state }: Snapshot): boolean {
    return state.store !== null && state.store.schema < this.#engine.schema.version;
  }

  #migration({ state, at }: Snapshot, { env, identity }: Party): [Operation, State] {
    const { schema } = this.#engine;
    // Files can only be written anew where they are known: this loads every session.
    contentsBySession(state);
    const operation = Operation.parse({
      type: 'store.migrate',
      session: null,
      actor: identity.name,
      at: instantOf(Math.max(env.now(), at * 1000)),
      id: env.randomId(),
      request: null,
      args: { from: requireStore(state).schema, to: schema.version },
    });
    return [operation, apply(state, operation, { stateAt: never })];
  }

  async #decideOne(waiting: Waiting, { commit, at, state }: Snapshot, judged: Judged): Promise<Decided> {
    const view = this.#viewOf(waiting, { commit, at, state }, judged);
    return withFacts((): Decided => {
      const decision = waiting.proposal.decide(waiting.request, view);
      if ('unchanged' in decision) return { operation: null, decision, after: state };
      const operation = this.#operationOf(waiting, decision, view);
      const after = apply(state, operation, { stateAt: view.stateAt, schema: view.schema });
      if (after !== state || changesNoFile(operation)) return { operation, decision, after };
      return { operation: null, decision: unchangedBy(operation), after: state };
    });
  }

  #operationOf(waiting: Waiting, draft: Draft, view: View): Operation {
    const { actor, type, session, args } = draft;
    // What is applied is what will be read back: no undefined fields, and keys in the order of the schema.
    const result = Operation.safeParse({
      type,
      session,
      args: JSON.parse(JSON.stringify(args)),
      actor: actor ?? waiting.by.identity.name,
      at: view.at,
      id: waiting.operationId,
      request: waiting.requestHash,
    });
    if (result.success) return result.data;
    throw invalidInput(result.error, type);
  }

  #viewOf(waiting: Waiting, snapshot: Pick<Snapshot, 'commit' | 'at' | 'state'>, judged: Judged): View {
    const engine = this.#engine;
    const { driftMs, renewsOnBranch, reader, repository, worktreeRoot, schema } = engine;
    const { env, identity, derivedWorker } = waiting.by;
    const history = { reader, repository, schema };
    const tip = snapshot.commit ?? '';
    const nowMs = env.now();
    const tokenSecretPart = () => {
      this.#secret ??= readSecret(engine.directory);
      return randomPartOf(this.#secret, waiting.operationId);
    };
    return {
      state: snapshot.state,
      tip: snapshot.commit,
      at: instantOf(Math.max(nowMs, snapshot.at * 1000)),
      nowMs,
      operationId: waiting.operationId,
      env,
      identity,
      driftMs,
      renewsOnBranch,
      worktreeRoot,
      schema: schema.version,
      derivedWorker,
      // Only a claim asks for it.
      get tokenSecretPart() {
        return tokenSecretPart();
      },
      lease: (session, feature) => {
        const key = leaseKey(session, feature);
        const lease = this.#facts.get(key, () => engine.lease(session, feature));
        if (lease) judged.set(leaseRef(session, feature.id), lease.oid);
        return lease;
      },
      ref: (name) => this.#facts.get(`ref ${name}`, async () => (await reader.info(name))?.oid ?? null),
      point: (text, session) =>
        this.#facts.get(`point ${session} ${text}`, () => engine.point(snapshot, text, session)),
      stateAt: (commit) => this.#facts.get(`state ${commit}`, async () => (await engine.past(commit)).state),
      operationAt: (commit) =>
        this.#facts.get(`operation ${commit}`, () => pastOperation(history, tip, commit)),
      epoch: () => this.#facts.get(`epoch ${tip}`, () => presentEpoch(history, engine.refs, tip)),
      newestOf: (session) => this.#facts.get(`newest ${session}`, () => newestOf(history, tip, session)),
      writers: (commit, session) =>
        this.#facts.get(`writers ${commit} ${session}`, () => engine.writers(commit, session)),
    };
  }

  #renew({ session, feature, from, to }: Renewal, group: Group, { identity, env }: Party): void {
    const { repository } = this.#engine;
    const lease = leaseObjects(repository.objectFormat, to, identity, Math.floor(env.now() / 1000));
    const ref = leaseRef(session, feature.id);
    group.objects.push(...lease);
    group.refs.set(ref, lease.at(-1)!.oid);
    if (from) group.expected.set(ref, from.oid);
    // Without a lease to replace, a renewal stands on the branch alone, so the branch must not move meanwhile.
    else group.pinned = true;
    // Whoever comes later in this group judges the claim by its renewed lease.
    this.#facts.put(leaseKey(session, feature), { ...to, oid: lease.at(-1)!.oid, madeMs: env.now() });
  }

  /** The first result of an operation id that was used before; null where it was not. @param tip of the history.
   *  @throws INVALID_INPUT for other arguments. */
  async repeated(waiting: Waiting, tip: string | null): Promise<Landed | null> {
    const { reader, schema } = this.#engine;
    const oid = tip === null || waiting.repeat === 'never' ? null : await this.#find(waiting, tip);
    if (oid === null) return null;
    const operation = (await operationOf(reader, (await readCommit(reader, oid))!, schema))!;
    if (operation.request !== waiting.requestHash) {
      throw new GitStateError(
        'INVALID_INPUT',
        `operation id '${waiting.operationId}' was used for another request`,
        {
          hint: 'take a new --op-id, or leave it out',
          details: { commit: oid, op: operation.type },
        },
      );
    }
    const { state } = await this.#engine.past(oid);
    const { type, session, args } = operation;
    const decision = { type, session, args } as Draft;
    return { ...landedOf(oid, operation, decision, null, { commit: oid, state }), repeated: true };
  }

  async #find({ operationId, repeat }: Waiting, tip: string): Promise<string | null> {
    if (typeof repeat === 'object') return this.#recent.find(tip, repeat.since, operationId);
    const { reader, repository, schema } = this.#engine;
    const commit = await findOperation({ reader, repository }, tip, operationId);
    if (commit) return commit.oid;
    const part = await missingPart({ reader, repository, schema }, tip);
    if (part !== null) throw outOfSight(operationId, part);
    return null;
  }
}

function never(): never {
  throw new TypeError('this operation needs no other state');
}

function outOfSight(id: string, part: 'shallow' | Seal): GitStateError {
  const what = part === 'shallow' ? 'is shallow' : `does not have epoch ${part.epoch} of it`;
  return new GitStateError(
    'OUTCOME_UNKNOWN',
    `operation '${id}' is not in the part of the history that is here: this clone ${what}`,
    { hint: wayBehind(part), details: { op_id: id, epoch: part === 'shallow' ? null : part.epoch } },
  );
}

/** A note is an event, and so is the end of an epoch; anything else that changes no file is none. */
function changesNoFile({ type }: Operation): boolean {
  return type === 'note.add' || type === 'store.seal';
}

/** Whether an answer publishes nothing that would fail if the state were another by now. */
function restsOnState({ commit, repeated, decision }: Landed): boolean {
  if (commit !== null) return repeated;
  return !('renewal' in decision && decision.renewal);
}

function leaseKey(session: string, { id, claim }: Feature): string {
  return `lease ${session}/${id}/${claim?.id}`;
}

function landedOf(
  commit: string | null,
  operation: Operation | null,
  decision: Decision,
  before: State | null,
  { commit: at, state }: Pick<Snapshot, 'commit' | 'state'>,
): Landed {
  return { commit, operation, decision, before, state, at, repeated: false, durability: 'local' };
}

function unchangedBy(operation: Operation): Unchanged {
  const { feature } = operation.args as { feature?: string };
  return { unchanged: true, session: operation.session, ...(feature === undefined ? {} : { feature }) };
}
