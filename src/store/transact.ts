import { createHash } from 'node:crypto';
import type { z } from 'zod';
import { leaseRef } from '../codec/tag.ts';
import { apply } from '../core/apply.ts';
import type { Feature } from '../core/entities.ts';
import { keyOf, OperationId } from '../core/ids.ts';
import { type JsonValue, jsonDepthMax, jsonFault, sortKeys } from '../core/json.ts';
import { Operation } from '../core/operation.ts';
import { NotLoaded, type State } from '../core/state.ts';
import { instantOf } from '../core/time.ts';
import { GitStateError } from '../errors.ts';
import type { Engine } from './engine.ts';
import { Facts, withFacts } from './facts.ts';
import { findOperation, operationOf } from './history.ts';
import { leaseObjects, readLease } from './lease.ts';
import { wantedRefs } from './moves.ts';
import type { Held } from './mutex.ts';
import type { Decision, Draft, Landed, Proposal, Unchanged, View } from './proposal.ts';
import { type Publication, publish } from './publish.ts';
import { record } from './record.ts';
import type { Snapshot } from './snapshot.ts';
import { randomPartOf, readSecret } from './token.ts';

/** How a mutation gets onto the branch: decide on the newest state, write the objects, compare and swap the refs; where
 *  another writer was first, from the start. Operations that wait at the same time share one compare-and-swap. */

export interface SubmitOptions {
  /** Operation id; with one that was used before, the first result is given again. */
  operationId?: string | undefined;
}

interface Waiting {
  proposal: Proposal<unknown>;
  request: unknown;
  requestHash: string;
  operationId: string;
  given: boolean;
  resolve(landed: Landed): void;
  reject(error: unknown): void;
}

interface Group extends Publication {
  readonly prepared: { waiting: Waiting; landed: Landed }[];
  readonly refused: { waiting: Waiting; error: unknown }[];
}

type Decided =
  | { operation: Operation; decision: Draft; after: State }
  | { operation: null; decision: Unchanged; after: State };

/** Races lost before giving up. Behind the mutex hardly any is. */
const attemptsMax = 40;
const groupMax = 256;

export class Transactor {
  readonly #engine: Engine;
  readonly #facts = new Facts();
  readonly #queue: Waiting[] = [];
  /** Sessions whose contents this process has needed. */
  readonly #wanted = new Set<string>();
  readonly #derivedWorker: string;
  #running: Promise<void> | null = null;
  #secret: Buffer | null = null;

  constructor(engine: Engine, options: { derivedWorker: string }) {
    this.#engine = engine;
    this.#derivedWorker = options.derivedWorker;
  }

  /** The state of the branch now, with the contents of what was needed so far and of `session`. */
  async read(session?: string | 'all'): Promise<Snapshot> {
    if (session !== undefined && session !== 'all') this.#wanted.add(keyOf(session));
    return this.#engine.current(session === 'all' ? 'all' : this.#wanted);
  }

  /** Runs `compute` on the newest state, loading whatever it turns out to need. */
  async ask<T>(compute: (snapshot: Snapshot) => T, at?: Snapshot): Promise<T> {
    for (;;) {
      const snapshot = at ?? (await this.read());
      try {
        return compute(snapshot);
      } catch (error) {
        if (!(error instanceof NotLoaded)) throw error;
        this.#wanted.add(keyOf(error.session));
      }
    }
  }

  /** What a mutation would lead to, without making it. */
  async preview<R>(
    proposal: Proposal<R>,
    input: unknown,
  ): Promise<{ before: State; after: State; operation: Operation | null }> {
    const request = parseRequest(proposal, input);
    const waiting = this.#waitingFor(proposal, request, {}, ignore, ignore);
    this.#facts.forget();
    const group = await this.#prepareLoaded(await this.read(), new Set([waiting]));
    for (const { error } of group.refused) throw error;
    const [prepared] = group.prepared;
    return {
      before: group.base.state,
      after: group.tip.state,
      operation: prepared?.landed.operation ?? null,
    };
  }

  /** Proposes a mutation. @returns what became of it, once it is in the branch's history for good. */
  submit<R>(proposal: Proposal<R>, input: unknown, options: SubmitOptions = {}): Promise<Landed> {
    return new Promise((resolve, reject) => {
      try {
        this.#engine.refs.warm();
        this.#queue.push(this.#waitingFor(proposal, parseRequest(proposal, input), options, resolve, reject));
        this.#running ??= this.#drain();
      } catch (error) {
        reject(error);
      }
    });
  }

  #waitingFor<R>(
    proposal: Proposal<R>,
    request: R,
    options: SubmitOptions,
    resolve: Waiting['resolve'],
    reject: Waiting['reject'],
  ): Waiting {
    const operationId = options.operationId ?? this.#engine.env.randomId();
    if (!OperationId.safeParse(operationId).success) {
      throw new GitStateError('INVALID_INPUT', `'${operationId.slice(0, 60)}' is no operation id`);
    }
    const requestHash = hashRequest(proposal.name, request);
    const given = options.operationId !== undefined;
    return {
      proposal: proposal as Proposal<unknown>,
      request,
      requestHash,
      operationId,
      given,
      resolve,
      reject,
    };
  }

  async #drain(): Promise<void> {
    // What was submitted in the same turn of the event loop goes together.
    await Promise.resolve();
    try {
      while (this.#queue.length > 0) await this.#runGroup(this.#queue.splice(0, groupMax));
    } finally {
      this.#running = null;
    }
  }

  async #runGroup(group: Waiting[]): Promise<void> {
    const unsettled = new Set(group);
    try {
      const held = await this.#engine.mutex.acquire();
      try {
        await this.#publishGroup(unsettled, held);
      } finally {
        held.release();
      }
    } catch (error) {
      for (const waiting of unsettled) waiting.reject(error);
    }
  }

  async #publishGroup(unsettled: Set<Waiting>, held: Held): Promise<void> {
    const { env } = this.#engine;
    for (let attempt = 1; attempt <= attemptsMax; attempt += 1) {
      this.#facts.forget();
      const base = await this.read();
      const group = await this.#prepareLoaded(base, unsettled);
      if (await publish(this.#engine, group, held)) {
        // Only now is it certain that each was decided on a state that came to be; refusals, too.
        for (const { waiting, landed } of group.prepared) waiting.resolve(landed);
        for (const { waiting, error } of group.refused) waiting.reject(error);
        unsettled.clear();
        return;
      }
      await env.sleep(Math.random() * Math.min(200, 2 ** Math.min(attempt, 7)));
    }
    throw new GitStateError('CONTENTION', `lost ${attemptsMax} races for '${this.#engine.branchRef}'`, {
      hint: 'nothing was changed; try again',
      details: { attempts: attemptsMax },
    });
  }

  async #prepareLoaded(base: Snapshot, unsettled: ReadonlySet<Waiting>): Promise<Group> {
    for (let snapshot = base; ; ) {
      try {
        return await this.#prepare(snapshot, unsettled);
      } catch (error) {
        if (!(error instanceof NotLoaded)) throw error;
        this.#wanted.add(keyOf(error.session));
        snapshot = await this.#engine.at(base.commit, this.#wanted);
      }
    }
  }

  /** Decides and applies each proposal on the state that the one before it leads to. */
  async #prepare(base: Snapshot, unsettled: ReadonlySet<Waiting>): Promise<Group> {
    const group: Group = {
      base,
      prepared: [],
      refused: [],
      objects: [],
      refs: new Map(),
      expected: new Map(),
      pinned: false,
      tip: base,
    };
    for (const waiting of unsettled) {
      try {
        const repeated = waiting.given ? await this.#repeated(waiting, base) : null;
        const landed = repeated ?? (await this.#step(waiting, group));
        group.prepared.push({ waiting, landed });
      } catch (error) {
        if (error instanceof NotLoaded) throw error;
        group.refused.push({ waiting, error });
      }
    }
    return group;
  }

  /** Takes one decision on top of the group so far, and writes down what follows from it. */
  async #step(waiting: Waiting, group: Group): Promise<Landed> {
    const before = group.tip;
    const { operation, decision, after } = await this.#decide(waiting, before);
    if (operation === null) {
      if (decision.renewal) this.#renew(decision.renewal, group);
      return landedOf(null, null, decision, before.state);
    }
    const { repository, identity } = this.#engine;
    const recorder = { format: repository.objectFormat, identity };
    const { snapshot, author, objects } = record(recorder, before, operation, after);
    const wanted = wantedRefs(before.state, after, { ...recorder, commit: snapshot.commit, author });
    group.objects.push(...objects, ...wanted.objects);
    for (const [ref, oid] of wanted.refs) group.refs.set(ref, oid);
    expectJudgedLease(operation, group);
    group.tip = snapshot;
    return landedOf(snapshot.commit, operation, decision, after);
  }

  async #decide(waiting: Waiting, { commit, at, state }: Snapshot): Promise<Decided> {
    const view = this.#viewOf(waiting, { commit, at, state });
    return withFacts((): Decided => {
      const decision = waiting.proposal.decide(waiting.request, view);
      if ('unchanged' in decision) return { operation: null, decision, after: state };
      const operation = this.#operationOf(waiting, decision, view);
      const after = apply(state, operation, { stateAt: view.stateAt });
      // A note changes no file on purpose; anything else that changes nothing is no event.
      if (after !== state || operation.type === 'note.add') return { operation, decision, after };
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
      actor: actor ?? this.#engine.identity.name,
      at: view.at,
      id: waiting.operationId,
      request: waiting.requestHash,
    });
    if (result.success) return result.data;
    throw invalidInput(result.error, type);
  }

  #viewOf(waiting: Waiting, snapshot: Pick<Snapshot, 'commit' | 'at' | 'state'>): View {
    const engine = this.#engine;
    const { env, identity, driftMs, reader, worktreeRoot } = engine;
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
      worktreeRoot,
      derivedWorker: this.#derivedWorker,
      // Only a claim asks for it.
      get tokenSecretPart() {
        return tokenSecretPart();
      },
      lease: (session, feature) =>
        this.#facts.get(leaseKey(session, feature), () => readLease(reader, session, feature)),
      ref: (name) => this.#facts.get(`ref ${name}`, async () => (await reader.info(name))?.oid ?? null),
      point: (text, session) =>
        this.#facts.get(`point ${session} ${text}`, () => engine.point(snapshot, text, session)),
      stateAt: (commit) => this.#facts.get(`state ${commit}`, async () => (await engine.past(commit)).state),
    };
  }

  #renew({ session, feature, from, to }: NonNullable<Unchanged['renewal']>, group: Group): void {
    const { repository, identity, env } = this.#engine;
    const lease = leaseObjects(repository.objectFormat, to, identity, Math.floor(env.now() / 1000));
    const ref = leaseRef(session, feature.id);
    group.objects.push(...lease);
    group.refs.set(ref, lease.at(-1)!.oid);
    if (from) group.expected.set(ref, from.oid);
    // Without a lease to replace, a renewal stands on the branch alone, so the branch must not move meanwhile.
    else group.pinned = true;
    // Whoever comes later in this group judges the claim by its renewed lease.
    this.#facts.put(leaseKey(session, feature), { ...to, oid: lease.at(-1)!.oid });
  }

  /** The first result of an operation id that was used before. @throws INVALID_INPUT for other arguments. */
  async #repeated(waiting: Waiting, base: Snapshot): Promise<Landed | null> {
    if (base.commit === null) return null;
    const { reader, repository } = this.#engine;
    const commit = await findOperation({ reader, repository }, base.commit, waiting.operationId);
    if (!commit) return null;
    const operation = (await operationOf(reader, commit))!;
    if (operation.request !== waiting.requestHash) {
      throw new GitStateError(
        'INVALID_INPUT',
        `operation id '${waiting.operationId}' was used for another request`,
        {
          hint: 'take a new --op-id, or leave it out',
          details: { commit: commit.oid, op: operation.type },
        },
      );
    }
    const { state } = await this.#engine.past(commit.oid);
    const { type, session, args } = operation;
    return { ...landedOf(commit.oid, operation, { type, session, args } as Draft, state), repeated: true };
  }
}

/** A takeover was judged by a lease; one renewed since must not fall to it. */
function expectJudgedLease({ type, session, args }: Operation, { expected }: Group): void {
  if (type === 'feature.claim' && args.takeover?.lease)
    expected.set(leaseRef(session, args.feature), args.takeover.lease);
}

function leaseKey(session: string, { id, claim }: Feature): string {
  return `lease ${session}/${id}/${claim?.id}`;
}

function ignore(): void {}

function landedOf(
  commit: string | null,
  operation: Operation | null,
  decision: Decision,
  state: State,
): Landed {
  return { commit, operation, decision, state, repeated: false };
}

function unchangedBy(operation: Operation): Unchanged {
  const { feature } = operation.args as { feature?: string };
  return { unchanged: true, session: operation.session, ...(feature === undefined ? {} : { feature }) };
}

function parseRequest<R>(proposal: Proposal<R>, input: unknown): R {
  const result = proposal.schema.safeParse(input);
  if (result.success) return result.data;
  throw invalidInput(result.error, proposal.name);
}

function invalidInput(error: z.ZodError, name: string): GitStateError {
  const issue = error.issues[0]!;
  const where = issue.path.length > 0 ? `${issue.path.join('.')}: ` : '';
  return new GitStateError('INVALID_INPUT', `${where}${issue.message}`, {
    hint: `git state help ${name.replace('.', ' ')}`,
    details: { path: issue.path.map(String) },
  });
}

/** A digest of what was asked, equal for equal requests. The token is left out: it proves a right, it is no wish. */
function hashRequest(name: string, request: unknown): string {
  const plain = JSON.parse(
    JSON.stringify(request, (key, value) => (key === 'token' ? undefined : value)),
  ) as JsonValue;
  // The request wraps what users give, which is held to the limit of depth by itself.
  const fault = jsonFault(plain, jsonDepthMax + 4);
  if (fault) throw new GitStateError('INVALID_INPUT', `the request ${fault}`);
  return createHash('sha256')
    .update(JSON.stringify([name, sortKeys(plain)]))
    .digest('hex');
}
