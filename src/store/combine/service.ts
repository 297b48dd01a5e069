import { rmSync } from 'node:fs';
import type { Server, Socket } from 'node:net';
import type { State } from '../../core/state.ts';
import type { Env } from '../../env.ts';
import { type GitStateError, isGitStateError } from '../../errors.ts';
import type { Waiting } from '../group.ts';
import type { Landed } from '../proposal.ts';
import { proposals } from '../proposals/registry.ts';
import { hashRequest, parseRequest } from '../request.ts';
import { deltaOf } from './delta.ts';
import { type Answer, Ask, type Outcome, parseAs, version } from './format.ts';
import { listenAt, Wire } from './wire.ts';

/** What one process asks for at a time. */
interface Asked {
  wire: Wire;
  since: string;
  requests: readonly Waiting[];
  open: Set<Waiting>;
  settled: Map<Waiting, Landed | GitStateError>;
}

/** States by commit that are remembered, so that those who know one of them are told what is different since. */
const statesMax = 64;

/** What the holder of the mutex does for others, for as long as it holds it: it hears what they ask, has it decided and
 *  published like its own, and answers once that is certain. */
export class Service {
  readonly #env: Env;
  readonly #settings: string;
  readonly #wires = new Set<Wire>();
  readonly #states = new Map<string, State>();
  #server: Server | null = null;
  #asked: Asked[] = [];
  #taken: Asked[] = [];
  #onAsk = () => {};
  /** How many are likely to wait soon: those who do, and those who were answered last. */
  expected = 0;

  constructor({ env, settings }: { env: Env; settings: string }) {
    this.#env = env;
    this.#settings = settings;
  }

  /** Lets others ask. Call it under the mutex: a socket that stands at `path` is of a dead holder. */
  open(path: string): void {
    if (this.#server !== null) return;
    try {
      rmSync(path, { force: true });
    } catch {
      return;
    }
    this.#server = listenAt(path, (socket) => this.#welcome(socket));
  }

  get isOpen(): boolean {
    return this.#server !== null;
  }

  /** How many asks wait. */
  get waiting(): number {
    return this.#asked.length;
  }

  /** Waits until `isEnough`, but not longer than `ms`. */
  async wait(isEnough: () => boolean, ms: number): Promise<void> {
    if (isEnough()) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#onAsk = () => {
        if (!isEnough()) return;
        clearTimeout(timer);
        resolve();
      };
    });
    this.#onAsk = () => {};
  }

  /** Looks again whether there is enough to go on. */
  nudge(): void {
    this.#onAsk();
  }

  /** Takes what is asked, first come, first served, `most` requests or a few more. */
  take(most: number): Waiting[] {
    const taken: Waiting[] = [];
    while (this.#asked.length > 0 && taken.length < most) {
      const asked = this.#asked.shift()!;
      // Whoever is gone repeats it, or does not want it any more.
      if (!asked.wire.isOpen) continue;
      this.#taken.push(asked);
      taken.push(...asked.requests);
    }
    return taken;
  }

  /** Remembers the state of a commit that others may come to know. */
  remember(commit: string, state: State): void {
    this.#states.set(commit, state);
    if (this.#states.size > statesMax) this.#states.delete(this.#states.keys().next().value!);
  }

  /** Answers what is settled. */
  answer(): void {
    const done = this.#taken.filter(({ open }) => open.size === 0);
    this.#taken = this.#taken.filter(({ open }) => open.size > 0);
    for (const asked of done) this.#reply(asked);
    this.expected = this.#asked.length + done.length;
  }

  /** Leaves what is not settled to those who asked. @returns what that is. */
  giveBack(): Set<Waiting> {
    const back = new Set(this.#taken.flatMap(({ open }) => [...open]));
    for (const asked of this.#taken) this.#reply(asked);
    this.#taken = [];
    return back;
  }

  /** Hears no more; what was not taken may be asked of the next holder. Call it before the mutex is released. */
  close(): void {
    this.#server?.close();
    this.#server = null;
    this.giveBack();
    for (const { wire } of this.#asked) refuse(wire);
    this.#asked = [];
    for (const wire of this.#wires) wire.end();
    this.#wires.clear();
  }

  #welcome(socket: Socket): void {
    const wire: Wire = new Wire(socket, {
      onLine: (line) => this.#hear(wire, line),
      onEnd: () => this.#wires.delete(wire),
    });
    wire.hold(false);
    this.#wires.add(wire);
  }

  #hear(wire: Wire, line: string): void {
    const ask = this.isOpen ? parseAs(Ask, line) : null;
    const asked = ask?.settings === this.#settings ? this.#open(wire, ask) : null;
    if (asked === null) refuse(wire);
    else this.#asked.push(asked);
    this.#onAsk();
  }

  /** The requests of an ask; null where they are not for us to decide. */
  #open(wire: Wire, ask: Ask): Asked | null {
    const env: Env = Object.create(this.#env, { identity: { value: ask.by.process } });
    const by = { identity: ask.by.identity, derivedWorker: ask.by.derivedWorker, env };
    const open = new Set<Waiting>();
    const settled: Asked['settled'] = new Map();
    for (const request of ask.requests) {
      const waiting = waitingFor(request, by, (outcome) => {
        if (outcome !== null) settled.set(waiting!, outcome);
        open.delete(waiting!);
      });
      if (waiting === null) return null;
      open.add(waiting);
    }
    return { wire, since: ask.since, requests: [...open], open, settled };
  }

  #reply({ wire, since, requests, settled }: Asked): void {
    let known = this.#states.get(since);
    const outcomes = requests.map((waiting): Outcome | null => {
      const outcome = settled.get(waiting);
      if (outcome === undefined) return null;
      if (isGitStateError(outcome)) return { error: outcome.toJSON() };
      const { commit, at, operation, decision, repeated, state } = outcome;
      if (at === null) return null;
      const { renewal } = decision;
      const said = operation === null ? { ...decision } : renewal === undefined ? {} : { renewal };
      const delta = known === undefined ? null : deltaOf(known, state);
      if (delta !== null) known = state;
      return { commit, at, delta, operation, decision: said, repeated };
    });
    send(wire, { version, taken: true, outcomes });
  }
}

function refuse(wire: Wire): void {
  send(wire, { version, taken: false, outcomes: [] });
}

function send(wire: Wire, answer: Answer): void {
  if (wire.isOpen) wire.send(JSON.stringify(answer));
}

/** @param settle told of the outcome; null for one that the asker has to find out. */
function waitingFor(
  { proposal: called, request: given, hash, id, repeat }: Ask['requests'][number],
  by: Waiting['by'],
  settle: (outcome: Landed | GitStateError | null) => void,
): Waiting | null {
  const proposal = proposals.get(called);
  if (proposal === undefined || proposal.alone) return null;
  try {
    const request = parseRequest(proposal, given);
    if (hashRequest(called, request) !== hash) return null;
    return {
      proposal,
      request,
      requestHash: hash,
      operationId: id,
      repeat,
      by,
      resolve: settle,
      // What is no refusal may be a fault of ours: it is left to the asker, as what has no outcome is.
      reject: (error) => settle(isGitStateError(error) ? error : null),
    };
  } catch {
    return null;
  }
}
