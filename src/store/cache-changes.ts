import { type Contents, emptyContents, type State } from '../core/state.ts';
import type { Table } from '../core/table.ts';
import type { Snapshot } from './snapshot.ts';
import type { Entry, Tree } from './tree.ts';

/** What a snapshot has that an older one has not, small beside both. */

type Row = [key: string, value: unknown];
interface TableDifference {
  /** How many entries there are now. */
  size: number;
  rows: Row[];
}
type TreeDifference = [
  oid: string,
  changed: [name: string, oid: string, folder: boolean, tree: TreeDifference | null][],
  gone: string[],
];

export interface Difference {
  commit: string;
  at: number;
  store: State['store'];
  readme: State['readme'];
  presets: Row[];
  sessions: Row[];
  /** By session and table; a session without tables is gone. */
  contents: [string, Record<string, TableDifference> | null][];
  tree: TreeDifference | null;
}

/** @returns null where there would be more than `most` rows. */
export function differenceOf(before: Snapshot, after: Snapshot, most: number): Difference | null {
  let left = most;
  const rows = (was: Table<unknown>, is: Table<unknown>): Row[] => {
    const keys = is.setSince(was);
    left -= keys.length;
    return left < 0 ? [] : keys.map((key) => [key, is.get(key) ?? null]);
  };
  const { store, readme, presets, sessions, contents } = after.state;
  const changed = contents.changedSince(before.state.contents).map((key): Difference['contents'][number] => {
    const is = contents.get(key);
    const was = before.state.contents.get(key) ?? emptyContents;
    if (is === undefined) return [key, null];
    const names = Object.keys(is) as (keyof Contents)[];
    return [
      key,
      Object.fromEntries(
        names.map((name) => [name, { size: is[name].size, rows: rows(was[name], is[name]) }]),
      ),
    ];
  });
  const difference: Difference = {
    commit: after.commit!,
    at: after.at,
    store,
    readme,
    presets: rows(before.state.presets, presets),
    sessions: rows(before.state.sessions, sessions),
    contents: changed,
    tree: null,
  };
  return left < 0 ? null : { ...difference, tree: treeDifference(before.tree, after.tree!) };
}

function treeDifference(before: Tree | null, after: Tree): TreeDifference {
  if (before?.oid === after.oid && before.isFlat) return [after.oid, [], []];
  const old = before?.entries ?? new Map<string, Entry>();
  const changed: TreeDifference[1] = [];
  for (const [name, entry] of after.entries) {
    const was = old.get(name);
    if (was === entry) continue;
    const { oid, folder, tree } = entry;
    const below = tree && treeDifference(was?.tree ?? null, tree);
    // Folders in it may have been loaded meanwhile although nothing is new.
    const same = was?.oid === oid && was.folder === folder && (was.tree === null) === (tree === null);
    if (!same || (below && below[1].length > 0)) changed.push([name, oid, folder, below]);
  }
  const gone = [...old.keys()].filter((name) => !after.entries.has(name));
  return [after.oid, changed, gone];
}

export function withDifference(before: Snapshot, difference: Difference): Snapshot {
  const { commit, at, store, readme, presets, sessions, tree } = difference;
  let { contents } = before.state;
  for (const [key, tables] of difference.contents) {
    if (tables === null) {
      contents = contents.without(key);
      continue;
    }
    const was: Contents = contents.get(key) ?? emptyContents;
    const is = Object.entries(tables).map(([name, { rows, size }]) => [
      name,
      edited(was[name as keyof Contents], rows, size),
    ]);
    contents = contents.with(key, { ...was, ...Object.fromEntries(is) });
  }
  const state: State = {
    store,
    readme,
    presets: edited(before.state.presets, presets),
    sessions: edited(before.state.sessions, sessions),
    contents,
  };
  return { commit, at, tree: tree && withTreeDifference(before.tree, tree), state };
}

function edited<T extends Table<unknown>>(table: T, rows: readonly Row[], size?: number): T {
  return table.withAll(new Map(rows.map(([key, value]) => [key, value ?? undefined])), size) as T;
}

function withTreeDifference(before: Tree | null, [oid, changed, gone]: TreeDifference): Tree {
  const entries = new Map(before?.entries);
  for (const name of gone) entries.delete(name);
  for (const [name, child, folder, tree] of changed) {
    const below = tree && withTreeDifference(entries.get(name)?.tree ?? null, tree);
    entries.set(name, { oid: child, folder, tree: below });
  }
  return { oid, entries };
}
