/** What a table needs of a map; it may find its entries when they are asked for, and then always the same. */
export interface Base<V> extends Iterable<readonly [string, V]> {
  readonly size: number;
  get(key: string): V | undefined;
  /** Keys of a known list, in its order; undefined where none of that name is kept. */
  listed?(list: string): Iterable<string> | undefined;
  /** Counts over all entries, by name; undefined where none of that name are kept. */
  counted?(name: string): Counts | undefined;
}

/** How many there are, or how much, by what it is. */
export type Counts = ReadonlyMap<string, number>;

/** Adds to `counts` what is counted in one value, so many times. */
export function countAll(
  counts: Map<string, number>,
  parts: Iterable<readonly [name: string, count: number]>,
  times: number,
): void {
  for (const [name, count] of parts) counts.set(name, (counts.get(name) ?? 0) + count * times);
}

/** What was counted in a base, which does not change any more. */
const countsOfBases = new WeakMap<Base<never>, Map<string, Counts>>();

/** Where to look for entries of some kind: `inOrder` holds none but those that stood in a list kept with the base, in
 *  its order; `others` may hold any. Nothing of that kind is elsewhere. */
export interface Candidates<V> {
  inOrder: Iterable<V>;
  others: Iterable<V>;
}

/** A base that is read by need gets an overlay of at most its size divided by this. */
const overlayShare = 16;

/** An immutable map for many entries and small changes. A change copies only a small overlay; every so often the
 *  overlay is folded into a new base, so that a mutation costs the same at 100 entries as at 100,000.
 *  Keys are kept in a Map, never in an object, so that ids such as `constructor` are ordinary. */
export class Table<V> {
  readonly #base: Base<V>;
  readonly #overlay: ReadonlyMap<string, V | undefined>;
  readonly size: number;
  /** Keys that changed since other tables, so that each who asks need not look again. */
  readonly #changed = new WeakMap<Table<V>, readonly string[]>();

  private constructor(base: Base<V>, overlay: ReadonlyMap<string, V | undefined>, size: number) {
    this.#base = base;
    this.#overlay = overlay;
    this.size = size;
  }

  static of<V>(entries: Iterable<readonly [string, V]> = []): Table<V> {
    const base = new Map(entries);
    return new Table(base, new Map(), base.size);
  }

  /** A table whose first entries are those of `base`. */
  static on<V>(base: Base<V>): Table<V> {
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

  /** Many changes at once; undefined removes.
   *  @param size of the table afterwards, if it is known: then no entry of a base that is read by need is looked at. */
  withAll(edits: ReadonlyMap<string, V | undefined>, size?: number): Table<V> {
    if (this.#base.listed && (this.#overlay.size + edits.size) * overlayShare <= this.#base.size) {
      const overlay = new Map([...this.#overlay, ...edits]);
      return new Table(this.#base, overlay, size ?? this.#sizeWith(edits));
    }
    if (edits.size * edits.size <= this.#base.size) {
      return [...edits].reduce<Table<V>>(
        (table, [key, value]) => (value === undefined ? table.without(key) : table.with(key, value)),
        this,
      );
    }
    const base = new Map(this.entries());
    // What is asked for in order is found nearly in order.
    for (const key of [...edits.keys()].sort()) {
      const value = edits.get(key);
      if (value === undefined) base.delete(key);
      else base.set(key, value);
    }
    return new Table(base, new Map(), base.size);
  }

  #sizeWith(edits: ReadonlyMap<string, V | undefined>): number {
    let { size } = this;
    for (const [key, value] of edits) size += Number(value !== undefined) - Number(this.has(key));
    return size;
  }

  #change(key: string, value: V | undefined): Table<V> {
    const size = this.size + Number(value !== undefined) - Number(this.has(key));
    const overlay = new Map(this.#overlay).set(key, value);
    const { listed, size: baseSize } = this.#base;
    // Folding would read all of a base that is read by need.
    const isSmall = listed !== undefined && overlay.size * overlayShare <= baseSize;
    if (isSmall || overlay.size * overlay.size <= baseSize + 64) return new Table(this.#base, overlay, size);
    const base = new Map(this.#base);
    for (const [name, entry] of overlay) {
      if (entry === undefined) base.delete(name);
      else base.set(name, entry);
    }
    return new Table(base, new Map(), size);
  }

  /** Entries that are candidates for a list such as `pending`: all of them where the base keeps no such list. */
  candidates(list: string): Candidates<V> {
    const keys = this.#base.listed?.(list);
    if (keys === undefined) return { inOrder: [], others: this.values() };
    return { inOrder: this.#untouched(keys), others: this.#touched() };
  }

  /** Counts over all entries; after a small change only what has changed is counted.
   *  @param ofAll counts in many at once. @param ofOne what it counts in one. */
  counts(
    name: string,
    ofAll: (values: Iterable<V>) => Counts,
    ofOne: (value: V) => Iterable<readonly [name: string, count: number]>,
  ): Counts {
    const ofBase = this.#countsOfBase(name, ofAll);
    if (this.#overlay.size === 0) return ofBase;
    const counts = new Map(ofBase);
    for (const [key, value] of this.#overlay) {
      const before = this.#base.get(key);
      if (before !== undefined) countAll(counts, ofOne(before), -1);
      if (value !== undefined) countAll(counts, ofOne(value), 1);
    }
    return counts;
  }

  #countsOfBase(name: string, ofAll: (values: Iterable<V>) => Counts): Counts {
    const base = this.#base as Base<never>;
    const known = countsOfBases.get(base) ?? new Map<string, Counts>();
    countsOfBases.set(base, known);
    const counts = known.get(name) ?? base.counted?.(name) ?? ofAll(valuesOf(this.#base));
    known.set(name, counts);
    return counts;
  }

  *#untouched(keys: Iterable<string>): Iterable<V> {
    for (const key of keys) {
      const value = this.#overlay.has(key) ? undefined : this.#base.get(key);
      if (value !== undefined) yield value;
    }
  }

  *#touched(): Iterable<V> {
    for (const value of this.#overlay.values()) if (value !== undefined) yield value;
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
  changedSince(before: Table<V>): readonly string[] {
    if (before === (this as Table<V>)) return [];
    let keys = this.#changed.get(before);
    if (keys === undefined) {
      keys = [...this.#touchedSince(before)].filter((key) => before.get(key) !== this.get(key));
      this.#changed.set(before, keys);
    }
    return keys;
  }

  /** The keys that were set since `before`, be it to what they were. Of a base that both have nothing is looked at. */
  setSince(before: Table<V>): readonly string[] {
    return before.#base === this.#base ? [...this.#touchedSince(before)] : this.changedSince(before);
  }

  #touchedSince(before: Table<V>): Set<string> {
    return before.#base === this.#base
      ? new Set([...before.#overlay.keys(), ...this.#overlay.keys()])
      : new Set([...keysOf(before), ...keysOf(this)]);
  }
}

function* valuesOf<V>(base: Base<V>): Iterable<V> {
  for (const [, value] of base) yield value;
}

function* keysOf<V>(table: Table<V>): Iterable<string> {
  for (const [key] of table.entries()) yield key;
}
