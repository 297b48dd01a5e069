import type { Env } from '../env.ts';
import type { Store } from '../store/open.ts';

const pollMs = 250;
/** The end of a lease moves no branch, so those who wait look again from time to time. */
const recheckMs = 2000;
/** Looking again asks a server where one decides. */
const remoteRecheckMs = 10_000;

interface Waiter {
  tip: string | null;
  sinceMs: number;
  untilMs: number;
  resolve(): void;
}

/** Lets workers that have nothing to do wait until something changes; one poll serves all of them. */
export class Changes {
  readonly #store: Store;
  readonly #env: Env;
  readonly #waiters = new Set<Waiter>();
  #polling = false;

  constructor(store: Store, env: Env) {
    this.#store = store;
    this.#env = env;
  }

  /** Resolves once the branch is no longer at `tip`, after `wake`, at `untilMs`, or after two seconds. */
  wait(tip: string | null, untilMs = Number.POSITIVE_INFINITY): Promise<void> {
    return new Promise((resolve) => {
      this.#waiters.add({ tip, sinceMs: this.#env.now(), untilMs, resolve });
      if (!this.#polling) void this.#poll();
    });
  }

  /** Ends every wait. */
  wake(): void {
    this.#resolve(() => true);
  }

  async #poll(): Promise<void> {
    this.#polling = true;
    try {
      while (this.#waiters.size > 0) {
        await this.#env.sleep(pollMs);
        if (this.#waiters.size === 0) break;
        // Where the tip cannot be read, the next claim will say why.
        const tip = await this.#store.tip().catch(() => null);
        const nowMs = this.#env.now();
        const recheck = this.#store.runner.shared ? remoteRecheckMs : recheckMs;
        this.#resolve(
          ({ tip: seen, sinceMs, untilMs }) =>
            seen !== tip || nowMs >= untilMs || Math.abs(nowMs - sinceMs) >= recheck,
        );
      }
    } finally {
      this.#polling = false;
    }
  }

  #resolve(isDue: (waiter: Waiter) => boolean): void {
    for (const waiter of this.#waiters) {
      if (!isDue(waiter)) continue;
      this.#waiters.delete(waiter);
      waiter.resolve();
    }
  }
}
