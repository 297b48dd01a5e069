/** An immutable map for many entries and small changes. A change copies only a small overlay; every so often the
 *  overlay is folded into a new base, so that a mutation costs the same at 100 entries as at 100,000.
 *  Keys are kept in a Map, never in an object, so that ids such as `constructor` are ordinary. */
export class Table<V> {
  readonly #base: ReadonlyMap<string, V>;
  readonly #overlay: ReadonlyMap<string, V | undefined>;
  readonly size: number;

  private constructor(
    base: ReadonlyMap<string, V>,
    overlay: ReadonlyMap<string, V | undefined>,
    size: number,
  ) {
    this.#base = base;
    this.#overlay = overlay;
    this.size = size;
  }

  static of<V>(entries: Iterable<readonly [string, V]> = []): Table<V> {
    const base = new Map(entries);
    return new Table(base, new Map(), base.size);
  }

  get(key: string): V | undefined {
    return this.#overlay.has(key) ? this.#overlay.get(key) : this.#base.get(key);
  }

  has(key: string): boolean {
    return this.get(key) !== undefined;
  }

  with(key: string, value: V): Table<V> {
    return this.#change(key, value);
  }

  without(key: string): Table<V> {
    return this.has(key) ? this.#change(key, undefined) : this;
  }

  /** Many changes at once; undefined removes. */
  withAll(edits: ReadonlyMap<string, V | undefined>): Table<V> {
    if (edits.size * edits.size <= this.#base.size) {
      return [...edits].reduce<Table<V>>(
        (table, [key, value]) => (value === undefined ? table.without(key) : table.with(key, value)),
        this,
      );
    }
    const base = new Map(this.entries());
    for (const [key, value] of edits) {
      if (value === undefined) base.delete(key);
      else base.set(key, value);
    }
    return new Table(base, new Map(), base.size);
  }

  #change(key: string, value: V | undefined): Table<V> {
    const size = this.size + Number(value !== undefined) - Number(this.has(key));
    const overlay = new Map(this.#overlay).set(key, value);
    if (overlay.size * overlay.size <= this.#base.size + 64) return new Table(this.#base, overlay, size);
    const base = new Map(this.#base);
    for (const [name, entry] of overlay) {
      if (entry === undefined) base.delete(name);
      else base.set(name, entry);
    }
    return new Table(base, new Map(), size);
  }

  *entries(): IterableIterator<[string, V]> {
    for (const [key, value] of this.#base) {
      if (!this.#overlay.has(key)) yield [key, value];
    }
    for (const [key, value] of this.#overlay) {
      if (value !== undefined) yield [key, value];
    }
  }

  *values(): IterableIterator<V> {
    for (const [, value] of this.entries()) yield value;
  }

  /** The keys whose values are not the same in `before`; entries are compared by identity. */
  changedSince(before: Table<V>): string[] {
    if (before === (this as Table<V>)) return [];
    const shared = before.#base === this.#base;
    const candidates = shared
      ? new Set([...before.#overlay.keys(), ...this.#overlay.keys()])
      : new Set([...keysOf(before), ...keysOf(this)]);
    return [...candidates].filter((key) => before.get(key) !== this.get(key));
  }
}

function* keysOf<V>(table: Table<V>): Iterable<string> {
  for (const [key] of table.entries()) yield key;
}
