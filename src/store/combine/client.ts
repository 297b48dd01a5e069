import { keyOf } from '../../core/ids.ts';
import type { State } from '../../core/state.ts';
import { GitStateError } from '../../errors.ts';
import type { Engine } from '../engine.ts';
import type { Waiting } from '../group.ts';
import type { Draft, Durability, Landed, Unchanged } from '../proposal.ts';
import { proposals } from '../proposals/registry.ts';
import { withDelta } from './delta.ts';
import { Answer, type Ask, type Outcome, parseAs, version } from './format.ts';
import { connectTo, Wire } from './wire.ts';

/** A commit of the branch with the state there. */
export interface Standpoint {
  commit: string;
  state: State;
}

const askMax = 8 << 20;

/** Has the holder of the mutex see to requests of this process. Nothing rests on what becomes of that: what was asked
 *  and not answered may have landed or not, and is repeated under the same operation id. */
export class Client {
  readonly #engine: Engine;
  readonly #path: string;
  readonly #settings: string;
  readonly #landedAs: Durability;
  /** The newest state that this process has learned of, which goes on with each answer. */
  standpoint: Standpoint | null = null;
  #wire: Wire | null = null;
  #onAnswer: (answer: Answer | null) => void = () => {};

  constructor(engine: Engine, options: { path: string; settings: string; landedAs: Durability }) {
    this.#engine = engine;
    this.#path = options.path;
    this.#settings = options.settings;
    this.#landedAs = options.landedAs;
  }

  get isConnected(): boolean {
    return this.#wire !== null;
  }

  /** Whether another process can decide these requests: one that looks into the history waits for its own turn. */
  canAsk(group: ReadonlySet<Waiting>): boolean {
    return [...group].every(
      ({ proposal, repeat }) =>
        repeat !== 'anywhere' && !proposal.alone && proposals.get(proposal.name) === proposal,
    );
  }

  /** @returns whether a holder is there to ask. */
  async connect(): Promise<boolean> {
    if (this.#wire !== null) return true;
    const socket = await connectTo(this.#path);
    if (socket === null) return false;
    const wire: Wire = new Wire(socket, {
      onLine: (line) => this.#onAnswer(parseAs(Answer, line)),
      onEnd: () => {
        if (this.#wire !== wire) return;
        this.#wire = null;
        this.#onAnswer(null);
      },
    });
    this.#wire = wire;
    return true;
  }

  /** Asks for what is in `group`; what is settled leaves it, and what remains says where in the history it may stand.
   *  @param wanted sessions whose contents this process needs. */
  async ask(group: Set<Waiting>, wanted: Set<string>, deadlineMs: number): Promise<void> {
    const asked = [...group];
    const since = this.standpoint?.commit ?? this.#engine.knownTip ?? (await this.#engine.tip());
    if (since === null) return;
    const answer = await this.#exchange(JSON.stringify(this.#askFor(asked, since)), deadlineMs);
    if (answer?.taken === false) return;
    for (const waiting of asked) if (waiting.repeat === 'never') waiting.repeat = { since };
    const start = this.standpoint;
    let known = start?.commit === since ? start.state : null;
    for (const [index, outcome] of (answer?.outcomes ?? []).entries()) {
      const waiting = asked[index];
      if (waiting === undefined || outcome === null) continue;
      group.delete(waiting);
      if ('error' in outcome) {
        waiting.reject(errorOf(outcome));
        continue;
      }
      known = known && outcome.delta && withDelta(known, outcome.delta);
      try {
        waiting.resolve(await this.#landed(outcome, known, wanted));
      } catch (error) {
        waiting.reject(error);
      }
    }
  }

  close(): void {
    this.#wire?.end();
    this.#wire = null;
  }

  /** @returns null where the other side has gone, keeps silent, or does not answer as it should. */
  async #exchange(ask: string, deadlineMs: number): Promise<Answer | null> {
    const wire = this.#wire;
    if (wire === null || ask.length > askMax) return { version, taken: false, outcomes: [] };
    wire.hold(true);
    const answer = await new Promise<Answer | null>((resolve) => {
      const timer = setTimeout(() => resolve(null), deadlineMs);
      this.#onAnswer = (found) => {
        clearTimeout(timer);
        resolve(found);
      };
      wire.send(ask);
    });
    this.#onAnswer = () => {};
    if (answer?.taken) wire.hold(false);
    else this.close();
    return answer;
  }

  #askFor(group: readonly Waiting[], since: string): Ask {
    const { identity, derivedWorker, env } = group[0]!.by;
    return {
      version,
      settings: this.#settings,
      since,
      by: { identity, derivedWorker, process: env.identity },
      requests: group.map(({ proposal, request, requestHash, operationId, repeat }) => ({
        proposal: proposal.name,
        request,
        hash: requestHash,
        id: operationId,
        repeat: repeat === 'anywhere' ? { since } : repeat,
      })),
    };
  }

  /** @param told the state right after, as the answer tells it; null where it does not. */
  async #landed(outcome: Succeeded, told: State | null, wanted: Set<string>): Promise<Landed> {
    const { commit, at, operation, repeated } = outcome;
    const { type, session, args, actor } = operation ?? {};
    const decision = (operation === null
      ? outcome.decision
      : { type, session, args, actor, ...outcome.decision }) as unknown as Draft | Unchanged;
    const key = decision.session === null ? null : keyOf(decision.session);
    let state = told;
    if (state === null || (key !== null && !state.contents.has(key))) {
      if (key !== null) wanted.add(key);
      ({ state } = await this.#engine.at(at, wanted));
    }
    this.standpoint = { commit: at, state };
    return { commit, operation, decision, before: null, state, at, repeated, durability: this.#landedAs };
  }
}

type Succeeded = Exclude<Outcome, { error: unknown }>;

function errorOf({ error: { code, message, hint, details } }: Extract<Outcome, { error: unknown }>) {
  return new GitStateError(code, message, { ...(hint === null ? {} : { hint }), details });
}
