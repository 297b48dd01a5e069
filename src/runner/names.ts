import type { Store } from '../store/open.ts';

/** Names for the workers of a run: `W1`, `W2`... A name that has a claim, whosever it is, is not given. */
export class Names {
  readonly #store: Store;
  readonly #session: string;
  /** Given to workers of this run. */
  readonly #given = new Set<string>();

  constructor(store: Store, session: string) {
    this.#store = store;
    this.#session = session;
  }

  /** The name with the lowest number that is free. */
  async take(): Promise<string> {
    const { features } = await this.#store.list({ session: this.#session, status: ['in_progress'] });
    const claimed = new Set(features.map(({ worker_id }) => worker_id?.toUpperCase()));
    for (let number = 1; ; number += 1) {
      const name = `W${number}`;
      if (claimed.has(name) || this.#given.has(name)) continue;
      this.#given.add(name);
      return name;
    }
  }

  /** Another name, after somebody else took `name`. */
  async exchange(name: string): Promise<string> {
    const next = await this.take();
    this.giveBack(name);
    return next;
  }

  giveBack(name: string): void {
    this.#given.delete(name);
  }
}
