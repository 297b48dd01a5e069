/** Methods whose code is loaded when one of them is first called: a process that uses one group of methods does not wait
 *  for the code of all others. Calls begin in the order in which they are made, whichever group they belong to; those
 *  that waited for code begin together, and so share what calls of one turn share. */

interface Waiting {
  group: Group<unknown>;
  begin(): void;
}

export class MethodLoader {
  readonly #waiting: Waiting[] = [];

  /** Methods of a group, each of which resolves to something. */
  methods<G extends Record<K, (...args: never[]) => Promise<unknown>>, K extends string>(
    load: () => Promise<G>,
    names: readonly K[],
  ) {
    const group = new Group(load);
    const method =
      (name: K) =>
      (...args: never[]) =>
        this.#begin(group, async (methods) => methods[name](...args));
    return Object.fromEntries(names.map((name) => [name, method(name)])) as Pick<G, K>;
  }

  /** Methods of a group, each of which gives one value after the other. */
  sequences<G extends Record<K, (...args: never[]) => AsyncGenerator>, K extends string>(
    load: () => Promise<G>,
    names: readonly K[],
  ) {
    const group = new Group(load);
    const method =
      (name: K) =>
      (...args: never[]) => {
        const begun = this.#begin(group, async (methods) => [methods[name](...args)] as const);
        begun.catch(() => {});
        return sequenceOf(begun);
      };
    return Object.fromEntries(names.map((name) => [name, method(name)])) as Pick<G, K>;
  }

  /** At once, where the methods are there and no call waits. */
  #begin<G, T>(group: Group<G>, call: (methods: G) => Promise<T>): Promise<T> {
    if (group.methods !== null && this.#waiting.length === 0) return call(group.methods);
    return new Promise((resolve, reject) => {
      const begin = () => (group.methods === null ? reject(group.failure) : resolve(call(group.methods)));
      this.#waiting.push({ group, begin });
      void group.load().then(() => this.#beginWaiting());
    });
  }

  #beginWaiting(): void {
    while (this.#waiting[0]?.group.isSettled) this.#waiting.shift()!.begin();
  }
}

class Group<G> {
  methods: G | null = null;
  failure: unknown;
  isSettled = false;
  readonly #load: () => Promise<G>;
  #loading: Promise<void> | null = null;

  constructor(load: () => Promise<G>) {
    this.#load = load;
  }

  /** Never rejects. */
  load(): Promise<void> {
    this.#loading ??= this.#load()
      .then((methods) => {
        this.methods = methods;
      })
      .catch((error) => {
        this.failure = error;
      })
      .then(() => {
        this.isSettled = true;
      });
    return this.#loading;
  }
}

async function* sequenceOf<T>(begun: Promise<readonly [AsyncGenerator<T>]>): AsyncGenerator<T> {
  const [values] = await begun;
  yield* values;
}
