import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { kill } from 'node:process';
import { beforeAll, describe, expect, it } from 'vitest';
import { systemEnv } from '../../src/env.ts';
import type { LogEntry } from '../../src/store/api/log.ts';
import type { Store } from '../../src/store/open.ts';
import { expectSound } from '../support/oracle.ts';
import { buildRunner, linesOf, makeProject, only, type RunnerProcess, startRunner, work } from './support.ts';

/** Runners and their commands are killed and stopped at random until everything is done. `STORM_FEATURES` and
 *  `STORM_SEED` make it larger, or the same again. */

const featureCount = Number(process.env.STORM_FEATURES ?? 60);
const seed = Number(process.env.STORM_SEED ?? Date.now() % 1_000_000);
const runnerCount = 8;
const leaseMs = 2500;

type Fault = 'kill' | 'stop' | 'end' | 'kill command' | 'stop command';
const faults: Fault[] = [
  'kill',
  'stop',
  'end',
  'kill command',
  'kill command',
  'stop command',
  'stop command',
];

const env = systemEnv();

/** The same numbers for the same seed (mulberry32). */
function randomFrom(start: number): () => number {
  let state = start >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Notes who it is, and whether its predecessor still runs. */
const script = `
  mine="$1/$GITSTATE_FEATURE"
  if test -e "$mine" && read -r old < "$mine" && grep -qs "^State:.[^ZX]" "/proc/$old/status"; then
    echo "$GITSTATE_FEATURE $old $$" >> "$1.overlaps"
  fi
  echo $$ > "$mine"
  echo "$GITSTATE_FEATURE $GITSTATE_STEP" >> "$GITSTATE_WORKTREE/.trace"
  sleep 0.$((GITSTATE_ATTEMPT % 3 + 1))
  rm -f "$mine" "$GITSTATE_WORKTREE/.trace"`;

interface Slot {
  runner: RunnerProcess;
  over: boolean;
  stoppedUntilMs: number | null;
}

class Storm {
  readonly landed = {
    runnersKilled: 0,
    runnersStopped: 0,
    runnersEnded: 0,
    commandsKilled: 0,
    commandsStopped: 0,
  };
  readonly runners: RunnerProcess[] = [];
  readonly #slots: Slot[] = [];
  #deck: { fault: Fault; at: number }[] = [];
  readonly #random: () => number;
  readonly #start: () => Promise<RunnerProcess>;

  constructor(random: () => number, start: () => Promise<RunnerProcess>) {
    this.#random = random;
    this.#start = start;
  }

  /** Goes on until `isDone`, then lets everything run to its end. */
  async rage(isDone: () => Promise<boolean>): Promise<void> {
    for (let index = 0; index < runnerCount; index += 1) this.#slots.push(await this.#begin());
    while (!(await isDone())) {
      await this.#someProgress();
      await this.#strike();
      for (const slot of this.#slots) this.#calm(slot, false);
      for (const [index, { over }] of this.#slots.entries()) {
        if (over) this.#slots[index] = await this.#begin();
      }
    }
    for (const slot of this.#slots) this.#calm(slot, true);
    await Promise.all(this.#slots.map(({ runner }) => runner.exit));
  }

  /** Faults come by the work that is done, so that a slow machine has no more of them than a quick one. */
  async #someProgress(): Promise<void> {
    const wanted = this.#progress() + 2 + this.#random() * 8;
    for (let waits = 0; waits < 40 && this.#progress() < wanted; waits += 1) await env.sleep(50);
  }

  #progress(): number {
    return this.runners.reduce((sum, { events }) => sum + only(events, 'step_done', 'completed').length, 0);
  }

  async #begin(): Promise<Slot> {
    const slot: Slot = { runner: await this.#start(), over: false, stoppedUntilMs: null };
    this.runners.push(slot.runner);
    void slot.runner.exit.then(() => {
      slot.over = true;
    });
    return slot;
  }

  async #strike(): Promise<void> {
    const awake = this.#slots.filter(({ over, stoppedUntilMs }) => !over && stoppedUntilMs === null);
    const working = awake.filter(({ runner }) => commandOf(runner) !== null);
    const slot = this.#pick(working);
    if (!slot) return;
    const { runner } = slot;
    // A pack of cards, dealt out before it is shuffled again: no kind of fault is missing from a short storm.
    if (this.#deck.length === 0)
      this.#deck = [...faults].map((fault) => ({ fault, at: this.#random() })).sort((a, b) => a.at - b.at);
    switch (this.#deck.pop()!.fault) {
      case 'kill':
        runner.kill('SIGKILL');
        await runner.exit;
        this.landed.runnersKilled += 1;
        break;
      case 'stop':
        runner.kill('SIGSTOP');
        slot.stoppedUntilMs = env.now() + leaseMs * (1.2 + this.#random());
        this.landed.runnersStopped += 1;
        break;
      case 'end':
        runner.kill('SIGINT');
        this.landed.runnersEnded += 1;
        break;
      case 'kill command':
        this.#strikeCommand(commandOf(runner), 'SIGKILL');
        break;
      case 'stop command':
        this.#strikeCommand(commandOf(runner), 'SIGSTOP');
    }
  }

  #strikeCommand(group: number | null, name: 'SIGKILL' | 'SIGSTOP'): void {
    if (group === null || !signal(group, name)) return;
    this.landed[name === 'SIGKILL' ? 'commandsKilled' : 'commandsStopped'] += 1;
    if (name === 'SIGSTOP') setTimeout(() => signal(group, 'SIGCONT'), 1500 * this.#random());
  }

  /** Lets a runner go on whose time is over. */
  #calm(slot: Slot, now: boolean): void {
    if (slot.stoppedUntilMs === null || (!now && env.now() < slot.stoppedUntilMs)) return;
    slot.stoppedUntilMs = null;
    slot.runner.kill('SIGCONT');
  }

  #pick<T>(from: readonly T[]): T | undefined {
    return from[Math.floor(this.#random() * from.length)];
  }
}

/** The process group of the command that a runner runs now. */
function commandOf({ events }: RunnerProcess): number | null {
  const last = only(events, 'started', 'completed', 'failed', 'step_done', 'lost', 'released').at(-1);
  return last?.event === 'started' ? Number(last.pid) : null;
}

function signal(group: number, name: NodeJS.Signals): boolean {
  try {
    return kill(-group, name);
  } catch {
    return false;
  }
}

async function entriesOf(store: Store): Promise<LogEntry[]> {
  const entries: LogEntry[] = [];
  for await (const entry of store.log({ all: true })) entries.push(entry);
  return entries.reverse();
}

/** What the trail says: each feature's completions, the writes under a claim that was no longer the present one, and
 *  how often claims were taken over. */
function judge(entries: readonly LogEntry[]) {
  const present = new Map<string, string | null>();
  const completions = new Map<string, number>();
  const stale: string[] = [];
  let takeovers = 0;
  for (const { op, feature, args, subject } of entries) {
    const { claim, takeover } = (args ?? {}) as { claim?: string; takeover?: object };
    if (feature === null) continue;
    if (op === 'feature.claim') {
      present.set(feature, claim!);
      if (takeover) takeovers += 1;
    } else if (
      op?.startsWith('step.') ||
      ['feature.complete', 'feature.fail', 'feature.release'].includes(op!)
    ) {
      if (claim === undefined || claim !== present.get(feature)) stale.push(subject);
      if (!op?.startsWith('step.')) present.set(feature, null);
      if (op === 'feature.complete') completions.set(feature, (completions.get(feature) ?? 0) + 1);
    }
  }
  return { completions, stale, takeovers };
}

beforeAll(async () => {
  await buildRunner();
});

describe('a storm', () => {
  it('over all features ends with each of them completed exactly once', { timeout: 300_000 }, async () => {
    const startedMs = env.now();
    const random = randomFrom(seed);
    const ids = Array.from({ length: featureCount }, (_, index) => `f${String(index).padStart(3, '0')}`);
    const { store, repository, scratch } = await makeProject(
      ids.map((id, index) => ({ id, dependencies: index % 10 === 9 ? [ids[index - 5]!] : [] })),
      { steps: ['a', 'b'], maxRetries: 1000 },
    );
    // Faults of processes are the matter here, not power cuts; and the disk is everybody's.
    repository.git('config', 'gitstate.durable', 'false');
    const options = {
      perStep: true,
      lease: `${leaseMs}ms`,
      backoff: '0s',
      graceMs: 300,
      command: ['sh', '-c', script, 'sh', scratch],
    };
    const storm = new Storm(random, () => startRunner(repository.path, options));
    await storm.rage(async () => (await store.status()).progress.completed === featureCount);
    // What runners left that were killed at the very end.
    const { summary } = await work({ store, ...options }, '');
    expect(summary).toMatchObject({ exit_status: 0, remaining: 0, skipped: [] });

    const { completions, stale, takeovers } = judge(await entriesOf(store));
    const lost = storm.runners.flatMap(({ events }) => only(events, 'lost')).length;
    const took = `${Math.round((env.now() - startedMs) / 1000)} s`;
    console.log(`storm: seed ${seed}, ${featureCount} features, ${storm.runners.length} runners, ${took},`, {
      ...storm.landed,
      takeovers,
      lost,
    });
    expect([...completions.values()].filter((count) => count !== 1)).toEqual([]);
    expect(completions.size).toBe(featureCount);
    expect(stale).toEqual([]);
    expect(linesOf(`${scratch}.overlaps`)).toEqual([]);
    for (const count of Object.values(storm.landed)) expect(count).toBeGreaterThan(0);
    expect(takeovers).toBeGreaterThan(0);

    expect(repository.git('worktree', 'list').split('\n').length).toBe(1);
    expect(repository.git('worktree', 'prune', '--dry-run', '-v')).toBe('');
    expect(readdirSync(join(repository.path, '.worktrees'))).toEqual([]);
    expect(repository.git('for-each-ref', 'refs/gitstate/leases')).toBe('');
    expect(locksIn(join(repository.path, '.git'))).toEqual([]);
    expect(repository.git('status', '--porcelain')).toBe('');
    await expectSound(repository);
  });
});

function locksIn(folder: string): string[] {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return names.filter((name) => name.endsWith('.lock'));
}
