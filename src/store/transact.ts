import { keyOf, OperationId } from '../core/ids.ts';
import type { Operation } from '../core/operation.ts';
import { NotLoaded, type State } from '../core/state.ts';
import { GitStateError, isGitStateError } from '../errors.ts';
import type { Engine } from './engine.ts';
import { Decider, type Group, type Waiting } from './group.ts';
import type { Held } from './mutex.ts';
import type { Landed, Proposal } from './proposal.ts';
import { type Publication, type Publisher, publicationOn } from './publish.ts';
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
  readonly #queue: Waiting[] = [];
  /** Sessions whose contents this process has needed. */
  readonly #wanted = new Set<string>();
  #running: Promise<void> | null = null;
  #asked = false;

  constructor(engine: Engine, { publisher, derivedWorker }: TransactorOptions) {
    this.#engine = engine;
    this.#publisher = publisher;
    this.#decider = new Decider(engine, { derivedWorker });
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
    try {
      await this.exclusively(0, (held) => this.#publishGroup(unsettled, held));
    } catch (error) {
      for (const waiting of unsettled) waiting.reject(isUnknown(error) ? withId(error, waiting) : error);
    }
  }

  async #publishGroup(unsettled: Set<Waiting>, held: Held): Promise<void> {
    const { env } = this.#engine;
    const transaction = this.#publisher.transaction();
    const alone = [...unsettled].some(({ proposal }) => proposal.alone);
    for (let attempt = 1; attempt <= attemptsMax; attempt += 1) {
      // What was submitted meanwhile goes along: after a lost race, or while a server was asked.
      for (const waiting of alone ? [] : this.#take(groupMax - unsettled.size)) unsettled.add(waiting);
      const group = await this.#withLoaded(async () => {
        const searching = [...unsettled].some(({ given }) => given);
        return this.#decide(await transaction.begin(this.#wanted, searching), unsettled);
      });
      const outcome = await transaction.publish(group, held);
      if (outcome !== 'lost' && outcome !== 'unclear') {
        // Only now is it certain that each was decided on a state that came to be; refusals, too.
        for (const { waiting, landed } of group.prepared) waiting.resolve({ ...landed, durability: outcome });
        for (const { waiting, error } of group.refused) waiting.reject(error);
        unsettled.clear();
        return;
      }
      if (outcome === 'unclear') for (const waiting of unsettled) waiting.given = true;
      await env.sleep(Math.random() * transaction.pauseMs(attempt));
    }
    throw new GitStateError('CONTENTION', `lost ${attemptsMax} races for '${this.#engine.branchRef}'`, {
      hint: 'nothing was changed; try again',
      details: { attempts: attemptsMax },
    });
  }

  #decide(start: Publication, unsettled: ReadonlySet<Waiting>): Promise<Group> {
    this.#decider.forget();
    return this.#decider.decide(start, unsettled);
  }

  #acquire(moreMs: number): Promise<Held> {
    return this.#engine.mutex.acquire({ deadlineMs: waitMs + this.#publisher.deadlineMs + moreMs });
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

/** Each caller has to know the id by which to ask what became of its own operation. */
function withId({ code, message, details }: GitStateError, { operationId }: Waiting): GitStateError {
  return new GitStateError(code, message, {
    hint: `repeat it with --op-id ${operationId}: it will not be done twice`,
    details: { ...details, op_id: operationId },
  });
}

function ignore(): void {}
