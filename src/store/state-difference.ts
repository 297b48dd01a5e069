import { type Contents, emptyContents, type State } from '../core/state.ts';
import type { Table } from '../core/table.ts';

/** What a later state has that an earlier one has not, as plain data and small beside both: the cache keeps it, and
 *  processes tell it each other, so that who knows the earlier state need not read Git. */

type Row = readonly [key: string, value: unknown];

interface TableDifference {
  /** How many entries there are now. */
  size: number;
  rows: readonly Row[];
}

/** What is left out is the same. */
export interface StateDifference {
  store?: State['store'];
  readme?: State['readme'];
  presets: readonly Row[];
  sessions: readonly Row[];
  /** By session and table; null for a session whose contents are gone. */
  contents: readonly (readonly [session: string, tables: Record<string, TableDifference> | null])[];
}

/** @returns null where there would be more than `most` rows. */
export function differenceOfStates(
  before: State,
  after: State,
  most = Number.POSITIVE_INFINITY,
): StateDifference | null {
  let left = most;
  const rows = (was: Table<unknown>, is: Table<unknown>): Row[] => {
    const keys = is.setSince(was);
    left -= keys.length;
    return left < 0 ? [] : keys.map((key) => [key, is.get(key) ?? null]);
  };
  const tables = (was: Contents = emptyContents, is?: Contents) => {
    if (is === undefined) return null;
    const names = Object.keys(is) as (keyof Contents)[];
    return Object.fromEntries(
      names
        .filter((name) => is[name] !== was[name])
        .map((name) => [name, { size: is[name].size, rows: rows(was[name], is[name]) }]),
    );
  };
  const difference: StateDifference = {
    ...(after.store === before.store ? {} : { store: after.store }),
    ...(after.readme === before.readme ? {} : { readme: after.readme }),
    presets: rows(before.presets, after.presets),
    sessions: rows(before.sessions, after.sessions),
    contents: after.contents
      .changedSince(before.contents)
      .map((key) => [key, tables(before.contents.get(key), after.contents.get(key))]),
  };
  return left < 0 ? null : difference;
}

export function withStateDifference(state: State, difference: StateDifference): State {
  const { store, readme, presets, sessions } = difference;
  let { contents } = state;
  for (const [key, tables] of difference.contents) {
    contents =
      tables === null ? contents.without(key) : contents.with(key, edited(contents.get(key), tables));
  }
  return {
    store: store === undefined ? state.store : store,
    readme: readme === undefined ? state.readme : readme,
    presets: withRows(state.presets, presets),
    sessions: withRows(state.sessions, sessions),
    contents,
  };
}

function edited(contents: Contents = emptyContents, tables: Record<string, TableDifference>): Contents {
  const changed = Object.entries(tables).map(([name, { rows, size }]) => [
    name,
    withRows(contents[name as keyof Contents], rows, size),
  ]);
  return { ...contents, ...Object.fromEntries(changed) };
}

function withRows<T extends Table<unknown>>(table: T, rows: readonly Row[], size?: number): T {
  if (rows.length === 0) return table;
  return table.withAll(new Map(rows.map(([key, value]) => [key, value ?? undefined])), size) as T;
}
