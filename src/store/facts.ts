/** Deciding is synchronous and pure; what it has to know may still lie in Git. A fact that is asked for and not known
 *  yet interrupts the decision, is loaded, and the decision is taken again from the start. */
class Missing extends Error {
  override readonly name = 'Missing';
  readonly load: () => Promise<void>;
  constructor(load: () => Promise<void>) {
    super('a fact is not loaded yet');
    this.load = load;
  }
}

export class Facts {
  readonly #known = new Map<string, unknown>();

  /** The fact under `key`; the first time, the caller is interrupted until `load` has brought it. */
  get<T>(key: string, load: () => Promise<T>): T {
    if (this.#known.has(key)) return this.#known.get(key) as T;
    throw new Missing(async () => {
      this.#known.set(key, await load());
    });
  }

  /** Facts read together for speed. */
  put(key: string, value: unknown): void {
    this.#known.set(key, value);
  }

  forget(): void {
    this.#known.clear();
  }
}

/** Runs `compute` until it has every fact that it asks for. */
export async function withFacts<T>(compute: () => T): Promise<T> {
  for (;;) {
    try {
      return compute();
    } catch (error) {
      if (!(error instanceof Missing)) throw error;
      await error.load();
    }
  }
}
