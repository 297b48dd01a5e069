import { keyOf, OperationId } from '../core/ids.ts';
import type { Operation } from '../core/operation.ts';
import { NotLoaded, type State } from '../core/state.ts';
import { GitStateError, isGitStateError } from '../errors.ts';
import { Combining } from './combine/combining.ts';
import type { Engine } from './engine.ts';
import { Decider, type Group, type Waiting } from './group.ts';
import type { Errand, Held } from './mutex.ts';
import type { Landed, Proposal } from './proposal.ts';
import { type Publication, type Published, type Publisher, publicationOn } from './publish.ts';
import { RecentOperations } from './recent.ts';
import { hashRequest, parseRequest } from './request.ts';
import type { Snapshot } from './snapshot.ts';

/** How a mutation gets onto the branch: decide on the newest state, write the objects, compare and swap the refs; where
 *  another writer was first, from the start. Operations that wait at the same time share one compare-and-swap. */

export interface SubmitOptions {
  /** Operation id; with one that was used before, the first result is given again. */
  operationId?: string | undefined;
}

interface TransactorOptions {
  /** Where a compare-and-swap counts. */
  publisher: Publisher;
  derivedWorker: string;
}

/** Races lost before giving up. Behind the mutex hardly any is. */
const attemptsMax = 40;
const groupMax = 256;
/** How long to wait for the writers before, where each is quick. */
const waitMs = 30_000;

export class Transactor {
  readonly #engine: Engine;
  readonly #publisher: Publisher;
  readonly #decider: Decider;
  readonly #recent: RecentOperations;
  readonly #derivedWorker: string;
  readonly #combining: Combining | null;
  readonly #queue: Waiting[] = [];
  /** Sessions whose contents this process has needed. */
  readonly #wanted = new Set<string>();
  #running: Promise<void> | null = null;
  #asked = false;

  constructor(engine: Engine, { publisher, derivedWorker }: TransactorOptions) {
    this.#engine = engine;
    this.#publisher = publisher;
    this.#derivedWorker = derivedWorker;
    this.#recent = new RecentOperations(engine);
    this.#decider = new Decider(engine, this.#recent);
    const { combinesAs } = publisher;
    this.#combining = combinesAs === null ? null : new Combining(engine, combinesAs);
  }

  /** The state of the branch now, with the contents of what was needed so far and of `session`. */
  async read(session?: string | 'all'): Promise<Snapshot> {
    if (session !== undefined && session !== 'all') this.#wanted.add(keyOf(session));
    const wanted = session === 'all' ? 'all' : this.#wanted;
    const tip = await this.tip();
    await this.#engine.requireUnmoved(tip);
    return this.#engine.at(tip, wanted);
  }

  /** The commit at which the state stands; null before `init`. A clone that knows nothing yet, such as one of CI, looks
   *  at its remote once. */
  async tip(): Promise<string | null> {
    const tip = await this.#engine.tip();
    if (tip !== null || this.#asked) return tip;
    this.#asked = true;
    await this.refresh();
    return this.#engine.tip();
  }

  /** Asks the remote, where there is one, what is new; then reads see it. */
  async refresh(): Promise<void> {
    const refresh = this.#publisher.refresh?.bind(this.#publisher);
    if (refresh !== undefined) await this.exclusively(0, refresh);
  }

  /** Runs `action` while no other writer of this repository does anything.
   *  @param deadlineMs how much longer than usual it may wait for its turn. */
  async exclusively<T>(deadlineMs: number, action: (held: Held) => Promise<T>): Promise<T> {
    const held = await this.#acquire(deadlineMs);
    try {
      return await action(held);
    } finally {
      held.release();
    }
  }

  /** Runs `compute` on the newest state, loading whatever it turns out to need. */
  async ask<T>(compute: (snapshot: Snapshot) => T, at?: Snapshot): Promise<T> {
    return this.#withLoaded(async () => compute(at ?? (await this.read())));
  }

  /** What a mutation would lead to, without making it. */
  async preview<R>(
    proposal: Proposal<R>,
    input: unknown,
  ): Promise<{ before: State; after: State; operation: Operation | null }> {
    const waiting = this.#waitingFor(proposal, parseRequest(proposal, input), {}, ignore, ignore);
    const group = await this.#withLoaded(async () => {
      const start = publicationOn(await this.read());
      return this.#decide(start, new Set([waiting]));
    });
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

  /** Ends what is done for others. @returns when nothing is under way any more. */
  async close(): Promise<void> {
    this.#combining?.stop();
    await this.#running;
    this.#combining?.close();
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
    const { env, identity } = this.#engine;
    return {
      proposal: proposal as Proposal<unknown>,
      request,
      requestHash,
      operationId,
      repeat: options.operationId === undefined ? 'never' : 'anywhere',
      by: { env, identity, derivedWorker: this.#derivedWorker },
      resolve,
      reject,
    };
  }

  async #drain(): Promise<void> {
    // What was submitted in the same turn of the event loop goes together.
    await Promise.resolve();
    try {
      while (this.#queue.length > 0) await this.#runGroup(this.#nextGroup());
    } finally {
      this.#running = null;
    }
  }

  #nextGroup(): Waiting[] {
    const together = this.#take(groupMax);
    return together.length > 0 ? together : this.#queue.splice(0, 1);
  }

  /** What may share a compare-and-swap: up to the first that looks into the history, which goes alone. */
  #take(most: number): Waiting[] {
    const end = this.#queue.findIndex(({ proposal }) => proposal.alone);
    return this.#queue.splice(0, end < 0 ? most : Math.min(end, most));
  }

  async #runGroup(group: Waiting[]): Promise<void> {
    const unsettled = new Set(group);
    const errand = this.#combining?.errandFor(unsettled, this.#wanted) ?? null;
    let held: Held | null = null;
    try {
      held = await this.#acquire(0, errand);
      if (held === null) return;
      if (held.contended) await this.#combining?.open();
      await this.#publishGroup(unsettled, held);
      await this.#combining?.serve(() => this.#publishOthers(held!));
    } catch (error) {
      await this.#fail(error, unsettled);
    } finally {
      this.#combining?.endService();
      held?.release();
    }
  }

  /** Goes on for others, and for what was submitted here meanwhile. */
  async #publishOthers(held: Held): Promise<void> {
    const group = new Set<Waiting>();
    this.#addTo(group);
    try {
      if (group.size > 0) await this.#publishGroup(group, held);
    } catch (error) {
      await this.#fail(error, group);
    }
  }

  /** What another process has taken from us may have landed, whatever kept us from our turn. */
  async #fail(error: unknown, unsettled: Set<Waiting>): Promise<void> {
    for (const waiting of unsettled) {
      // Where it cannot be looked up, the first failure says more.
      const landed =
        typeof waiting.repeat === 'object' ? await this.#lookUp(waiting).catch(() => null) : null;
      if (landed === null) waiting.reject(withOutcome(error, waiting));
      else waiting.resolve(landed);
    }
  }

  async #lookUp(waiting: Waiting): Promise<Landed | null> {
    const landed = await this.#decider.repeated(waiting, await this.#engine.tip());
    return landed && { ...landed, durability: this.#publisher.combinesAs! };
  }

  async #publishGroup(unsettled: Set<Waiting>, held: Held): Promise<void> {
    const { env } = this.#engine;
    const transaction = this.#publisher.transaction();
    const alone = [...unsettled].some(({ proposal }) => proposal.alone);
    const combining = this.#combining;
    for (let attempt = 1; attempt <= attemptsMax; attempt += 1) {
      // What was submitted meanwhile goes along: after a lost race, or while a server was asked.
      if (!alone) this.#addTo(unsettled);
      let outcome: Published;
      let group: Group;
      try {
        group = await this.#withLoaded(async () => {
          const searching = [...unsettled].some(({ repeat }) => repeat === 'anywhere');
          return this.#decide(await transaction.begin(this.#wanted, searching), unsettled);
        });
        outcome = await transaction.publish(group, held);
      } catch (error) {
        // What is wrong may be what others asked for: our own goes on without it.
        const back = combining?.giveBack() ?? new Set();
        for (const waiting of back) unsettled.delete(waiting);
        if (back.size > 0 && unsettled.size > 0) continue;
        if (back.size > 0) return;
        throw error;
      }
      if (outcome !== 'lost' && outcome !== 'unclear') {
        this.#recent.note(group.base.commit, group.commits);
        // Only now is it certain that each was decided on a state that came to be; refusals, too.
        for (const { waiting, landed } of group.prepared) waiting.resolve({ ...landed, durability: outcome });
        for (const { waiting, error } of group.refused) waiting.reject(error);
        unsettled.clear();
        combining?.published(group);
        return;
      }
      if (outcome === 'unclear') for (const waiting of unsettled) waiting.repeat = 'anywhere';
      await env.sleep(Math.random() * transaction.pauseMs(attempt));
    }
    combining?.giveBack();
    throw new GitStateError('CONTENTION', `lost ${attemptsMax} races for '${this.#engine.branchRef}'`, {
      hint: 'nothing was changed; try again',
      details: { attempts: attemptsMax },
    });
  }

  #addTo(group: Set<Waiting>): void {
    for (const waiting of this.#take(groupMax - group.size)) group.add(waiting);
    for (const waiting of this.#combining?.take(groupMax - group.size) ?? []) group.add(waiting);
  }

  #decide(start: Publication, unsettled: ReadonlySet<Waiting>): Promise<Group> {
    this.#decider.forget();
    return this.#decider.decide(start, unsettled);
  }

  #acquire(moreMs: number): Promise<Held>;
  #acquire(moreMs: number, errand: Errand | null): Promise<Held | null>;
  #acquire(moreMs: number, errand: Errand | null = null): Promise<Held | null> {
    const deadlineMs = waitMs + this.#publisher.deadlineMs + moreMs;
    return this.#engine.mutex.acquireUnless(errand, { deadlineMs });
  }

  /** Repeats `compute` with whatever session it turns out to need. */
  async #withLoaded<T>(compute: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await compute();
      } catch (error) {
        if (!(error instanceof NotLoaded)) throw error;
        this.#wanted.add(keyOf(error.session));
      }
    }
  }
}

function isUnknown(error: unknown): error is GitStateError {
  return isGitStateError(error, 'OUTCOME_UNKNOWN');
}

/** What was in other hands may have landed, unless the history says so: then it is none of these. */
function withOutcome(error: unknown, waiting: Waiting): unknown {
  if (isUnknown(error)) return withId(error, waiting);
  if (typeof waiting.repeat === 'string' || !isGitStateError(error)) return error;
  const { code, details } = error;
  const unknown = new GitStateError('OUTCOME_UNKNOWN', `another process may still do it: ${error.message}`, {
    details: { ...details, cause: code },
    cause: error,
  });
  return withId(unknown, waiting);
}

/** Each caller has to know the id by which to ask what became of its own operation. */
function withId({ code, message, details }: GitStateError, { operationId }: Waiting): GitStateError {
  return new GitStateError(code, message, {
    hint: `repeat it with --op-id ${operationId}: it will not be done twice`,
    details: { ...details, op_id: operationId },
  });
}

function ignore(): void {}
