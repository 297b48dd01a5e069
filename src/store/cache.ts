import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import writeFileAtomic from 'write-file-atomic';
import { type Contents, emptyContents, type State } from '../core/state.ts';
import { Table } from '../core/table.ts';
import type { Snapshot } from './snapshot.ts';
import type { Entry, Tree } from './tree.ts';

/** The last state read, kept on disk so that the next process reads only what has changed since. It is keyed by commit
 *  and checked by a digest; anything odd about it means that it is not there. Deleting it is always safe. */

const version = 2;
/** Files that may have changed before the cache is written anew: reading those few again is cheaper than writing all. */
const staleMin = 64;

type PackedTree = [
  oid: string,
  entries: [name: string, oid: string, tree: PackedTree | null, folder: boolean][],
];
type PackedContents = { [K in keyof Contents]: [string, unknown][] };
interface Packed {
  commit: string;
  at: number;
  tree: PackedTree;
  store: State['store'];
  readme: State['readme'];
  presets: [string, unknown][];
  sessions: [string, unknown][];
  contents: [string, PackedContents][];
}

export class SnapshotCache {
  readonly #directory: string;
  readonly #path: string;
  #stored: Snapshot | null = null;
  #offered: Snapshot | null = null;
  readonly #title: string;

  /** @param schema to which what is kept was brought up. */
  constructor(directory: string, branchRef: string, schema: number) {
    this.#title = `gitstate-cache ${version}.${schema}`;
    this.#directory = directory;
    this.#path = join(
      directory,
      `state-${createHash('sha256').update(branchRef).digest('hex').slice(0, 12)}`,
    );
  }

  /** The snapshot that is stored, or null. Never throws: a damaged cache is no cache. */
  async read(): Promise<Snapshot | null> {
    try {
      if (!lstatSync(this.#path).isFile() || !lstatSync(this.#directory).isDirectory()) return null;
      const text = readFileSync(this.#path, 'utf8');
      const end = text.indexOf('\n');
      const body = text.slice(end + 1);
      if (text.slice(0, end) !== headerOf(this.#title, body)) return null;
      this.#stored = unpack(JSON.parse(body) as Packed);
      return this.#stored;
    } catch {
      return null;
    }
  }

  /** Whether something stands where the cache belongs and is none; one of another version is merely old. */
  async isDamaged(): Promise<boolean> {
    const stat = lstatSync(this.#path, { throwIfNoEntry: false });
    const directory = lstatSync(this.#directory, { throwIfNoEntry: false });
    if (!stat) return directory !== undefined && !directory.isDirectory();
    if (stat.isFile() && this.#isOld()) return false;
    return (await this.read()) === null;
  }

  #isOld(): boolean {
    const title = readFileSync(this.#path, 'latin1').slice(0, 80).split('\n')[0]!;
    return /^gitstate-cache [\d.]+ [0-9a-f]{40}$/.test(title) && !title.startsWith(`${this.#title} `);
  }

  /** Notes the newest snapshot; it is written when the process is done. */
  offer(snapshot: Snapshot): void {
    this.#offered = snapshot;
  }

  /** Writes the newest snapshot if the stored one has fallen far enough behind. A cache that cannot be written is
   *  no failure. */
  async flush(): Promise<void> {
    const snapshot = this.#offered;
    if (!snapshot?.commit || snapshot.commit === this.#stored?.commit) return;
    if (this.#stored && countChanges(this.#stored.state, snapshot.state) < staleMin) return;
    try {
      mkdirSync(this.#directory, { recursive: true });
      if (!lstatSync(this.#directory).isDirectory()) return;
      const body = JSON.stringify(pack(snapshot));
      await writeFileAtomic(this.#path, `${headerOf(this.#title, body)}\n${body}`, {
        fsync: false,
        mode: 0o600,
      });
      this.#stored = snapshot;
    } catch {
      // The next process reads from Git.
    }
  }
}

function headerOf(title: string, body: string): string {
  return `${title} ${createHash('sha1').update(body).digest('hex')}`;
}

function countChanges(before: State, after: State): number {
  let count = after.sessions.changedSince(before.sessions).length;
  for (const key of after.contents.changedSince(before.contents)) {
    const old = before.contents.get(key) ?? emptyContents;
    const now = after.contents.get(key) ?? emptyContents;
    for (const table of Object.keys(now) as (keyof Contents)[]) {
      count += (now[table] as Table<unknown>).changedSince(old[table] as Table<unknown>).length;
    }
  }
  return count;
}

function pack({ commit, at, tree, state }: Snapshot): Packed {
  const { store, readme, presets, sessions } = state;
  const contents: Packed['contents'] = [...state.contents.entries()].map(([key, tables]) => {
    const packed = Object.entries(tables).map(([name, table]) => [
      name,
      [...(table as Table<unknown>).entries()],
    ]);
    return [key, Object.fromEntries(packed) as PackedContents];
  });
  const rows = { presets: [...presets.entries()], sessions: [...sessions.entries()] };
  return { commit: commit!, at, tree: packTree(tree!), store, readme, ...rows, contents };
}

function packTree(tree: Tree): PackedTree {
  const entries = [...tree.entries].map(([name, { oid, folder, tree: sub }]) => [
    name,
    oid,
    sub && packTree(sub),
    folder,
  ]);
  return [tree.oid, entries as PackedTree[1]];
}

function unpack(packed: Packed): Snapshot {
  const contents = packed.contents.map(([key, tables]): [string, Contents] => {
    const unpacked = Object.entries(tables).map(([name, rows]) => [name, Table.of(rows)]);
    return [key, Object.fromEntries(unpacked) as unknown as Contents];
  });
  const state: State = {
    store: packed.store,
    readme: packed.readme,
    presets: Table.of(packed.presets) as State['presets'],
    sessions: Table.of(packed.sessions) as State['sessions'],
    contents: Table.of(contents),
  };
  return { commit: packed.commit, at: packed.at, tree: unpackTree(packed.tree), state };
}

function unpackTree([oid, rows]: PackedTree): Tree {
  const entries = rows.map(([name, child, tree, folder]): [string, Entry] => [
    name,
    { oid: child, folder, tree: tree && unpackTree(tree) },
  ]);
  return { oid, entries: new Map(entries) };
}
