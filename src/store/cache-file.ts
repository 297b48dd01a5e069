import { countFeatures, countsOfFeature, featureCounts } from '../core/counts.ts';
import { featureLists } from '../core/select.ts';
import { type Contents, emptyContents, type State } from '../core/state.ts';
import { type Base, type Counts, Table } from '../core/table.ts';
import { chunkRows, type Dictionary, Packer, Unpacker } from './packing.ts';
import type { Snapshot } from './snapshot.ts';
import type { Entry, Tree } from './tree.ts';

/** A whole snapshot as bytes of which a reader decodes what it looks at: entities by chunks of neighbouring keys, and
 *  each folder of files by itself. */

/** Where a text stands behind the head, in bytes. */
type Span = readonly [start: number, length: number];
type PackedTree = readonly [oid: string, entries: readonly PackedEntry[] | Span];
type PackedEntry = readonly [name: string, oid: string, folder: boolean, tree: PackedTree | null];
interface PackedTable {
  size: number;
  /** The first key of each chunk; keys are in order. */
  firsts: string[];
  spans: Span[];
  /** Keys in an order of their own, one a line. */
  lists: Record<string, Span>;
  /** What is counted over all, as entries of a map. */
  counts: Record<string, Span>;
}
interface Head {
  commit: string;
  at: number;
  store: State['store'];
  readme: State['readme'];
  presets: [string, unknown][];
  sessions: [string, unknown][];
  contents: [string, Record<string, PackedTable>][];
  tree: PackedTree;
  dictionary: Dictionary;
}

/** Texts one after the other, and where each stands. */
class Texts {
  readonly all: Buffer[] = [];
  #end = 0;

  add(text: string): Span {
    const bytes = Buffer.from(text);
    this.all.push(bytes);
    this.#end += bytes.length;
    return [this.#end - bytes.length, bytes.length];
  }
}

export function encodeSnapshot({ commit, at, tree, state }: Snapshot): Buffer {
  const texts = new Texts();
  const packer = new Packer();
  const { store, readme, presets, sessions } = state;
  const contents = [...state.contents.entries()].map(
    ([key, tables]): [string, Record<string, PackedTable>] => [
      key,
      Object.fromEntries(
        Object.entries(tables).map(([name, table]) => [
          name,
          packTable(table as Table<unknown>, keptOf(name, tables), packer, texts),
        ]),
      ),
    ],
  );
  const head: Head = {
    commit: commit!,
    at,
    store,
    readme,
    presets: [...presets.entries()],
    sessions: [...sessions.entries()],
    contents,
    tree: packTree(tree!, texts),
    dictionary: packer.dictionary,
  };
  return Buffer.concat([Buffer.from(`${JSON.stringify(head)}\n`), ...texts.all]);
}

/** What is found without a look at each entry. */
interface Kept {
  lists: Record<string, string[]>;
  counts: Record<string, Counts>;
}

function keptOf(table: string, { features }: Contents): Kept {
  if (table !== 'features') return { lists: {}, counts: {} };
  const counts = features.counts(featureCounts, countFeatures, countsOfFeature);
  return { lists: featureLists(features.entries()), counts: { [featureCounts]: counts } };
}

function packTable(table: Table<unknown>, kept: Kept, packer: Packer, texts: Texts): PackedTable {
  const rows = [...table.entries()].sort(([a], [b]) => (a < b ? -1 : 1));
  const firsts: string[] = [];
  const spans: Span[] = [];
  for (let start = 0; start < rows.length; start += chunkRows) {
    firsts.push(rows[start]![0]);
    spans.push(texts.add(packer.pack(rows.slice(start, start + chunkRows))));
  }
  const lists = Object.entries(kept.lists).map(([name, keys]) => [name, texts.add(keys.join('\n'))]);
  const counts = Object.entries(kept.counts).map(([name, one]) => [
    name,
    texts.add(JSON.stringify([...one])),
  ]);
  return {
    size: rows.length,
    firsts,
    spans,
    lists: Object.fromEntries(lists),
    counts: Object.fromEntries(counts),
  };
}

function packTree({ oid, entries }: Tree, texts: Texts): PackedTree {
  const files = [...entries.values()].every(({ folder }) => !folder);
  if (files) return [oid, texts.add(JSON.stringify([...entries].flatMap(([name, one]) => [name, one.oid])))];
  const rows = [...entries].map(
    ([name, { oid: child, folder, tree }]): PackedEntry => [
      name,
      child,
      folder,
      tree && packTree(tree, texts),
    ],
  );
  return [oid, rows];
}

/** Reads what `encodeSnapshot` has made. The bytes must be those: nothing is checked here. */
export function decodeSnapshot(bytes: Buffer): Snapshot {
  const end = bytes.indexOf(0x0a) + 1;
  const head = JSON.parse(bytes.toString('utf8', 0, end)) as Head;
  const textAt = ([start, length]: Span) => bytes.toString('utf8', end + start, end + start + length);
  const unpacker = new Unpacker(head.dictionary);
  const contents = head.contents.map(([key, tables]): [string, Contents] => {
    const unpacked = Object.entries(tables).map(([name, packed]) => [
      name,
      Table.on(new ChunkedMap(packed, { unpacker, textAt })),
    ]);
    return [key, { ...emptyContents, ...Object.fromEntries(unpacked) }];
  });
  const state: State = {
    store: head.store,
    readme: head.readme,
    presets: Table.of(head.presets) as State['presets'],
    sessions: Table.of(head.sessions) as State['sessions'],
    contents: Table.of(contents),
  };
  return { commit: head.commit, at: head.at, tree: unpackTree(head.tree, textAt), state };
}

interface Source {
  unpacker: Unpacker;
  textAt(span: Span): string;
}

/** A map whose entries are decoded chunk by chunk, when they are asked for. */
class ChunkedMap<V> implements Base<V> {
  readonly size: number;
  readonly #packed: PackedTable;
  readonly #source: Source;
  readonly #chunks: (ReadonlyMap<string, V> | undefined)[] = [];

  constructor(packed: PackedTable, source: Source) {
    this.size = packed.size;
    this.#packed = packed;
    this.#source = source;
  }

  get(key: string): V | undefined {
    const { firsts } = this.#packed;
    let [low, high] = [0, firsts.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (firsts[middle]! <= key) low = middle + 1;
      else high = middle;
    }
    return low === 0 ? undefined : this.#chunk(low - 1).get(key);
  }

  listed(list: string): Iterable<string> | undefined {
    const span = this.#packed.lists[list];
    return span && linesOf(this.#source.textAt(span));
  }

  counted(name: string): Counts | undefined {
    const span = this.#packed.counts[name];
    return span && new Map(JSON.parse(this.#source.textAt(span)) as [string, number][]);
  }

  *[Symbol.iterator](): IterableIterator<[string, V]> {
    for (let index = 0; index < this.#packed.spans.length; index += 1) yield* this.#chunk(index);
  }

  #chunk(index: number): ReadonlyMap<string, V> {
    const { unpacker, textAt } = this.#source;
    this.#chunks[index] ??= new Map(unpacker.unpack<V>(textAt(this.#packed.spans[index]!)));
    return this.#chunks[index];
  }
}

function* linesOf(text: string): Iterable<string> {
  for (let start = 0; start < text.length; ) {
    const found = text.indexOf('\n', start);
    const end = found < 0 ? text.length : found;
    yield text.slice(start, end);
    start = end + 1;
  }
}

function unpackTree([oid, packed]: PackedTree, textAt: (span: Span) => string): Tree {
  if (typeof packed[0] !== 'number') {
    const rows = packed as readonly PackedEntry[];
    return {
      oid,
      entries: new Map(
        rows.map(([name, child, folder, tree]): [string, Entry] => [
          name,
          { oid: child, folder, tree: tree && unpackTree(tree, textAt) },
        ]),
      ),
    };
  }
  return new FolderOfFiles(oid, () => JSON.parse(textAt(packed as Span)) as string[]);
}

/** A folder without folders in it, read when somebody looks into it. */
class FolderOfFiles implements Tree {
  readonly oid: string;
  readonly isFlat = true;
  readonly #read: () => string[];
  #entries: ReadonlyMap<string, Entry> | null = null;

  constructor(oid: string, read: () => string[]) {
    this.oid = oid;
    this.#read = read;
  }

  get entries(): ReadonlyMap<string, Entry> {
    if (this.#entries) return this.#entries;
    const entries = new Map<string, Entry>();
    const rows = this.#read();
    for (let index = 0; index < rows.length; index += 2) {
      entries.set(rows[index]!, { oid: rows[index + 1]!, folder: false, tree: null });
    }
    this.#entries = entries;
    return entries;
  }
}
