import { type Contents, emptyContents, type State } from '../../core/state.ts';
import type { Table } from '../../core/table.ts';

/** What is different in a later state, as plain data: whoever knows the earlier one need not read Git. */

type Rows = [key: string, value: unknown][];

export interface Delta {
  store?: State['store'];
  readme?: string | null;
  presets?: Rows;
  sessions?: Rows;
  /** By session and table; null for a session whose contents are gone. */
  contents?: [session: string, tables: Record<string, Rows> | null][];
}

/** The difference; null where contents were loaded in between, which says nothing of what changed. */
export function deltaOf(before: State, after: State): Delta | null {
  const delta: Delta = {};
  if (after.store !== before.store) delta.store = after.store;
  if (after.readme !== before.readme) delta.readme = after.readme;
  const presets = rowsOf(before.presets, after.presets);
  if (presets.length > 0) delta.presets = presets;
  const sessions = rowsOf(before.sessions, after.sessions);
  if (sessions.length > 0) delta.sessions = sessions;
  for (const key of after.contents.changedSince(before.contents)) {
    if (!before.contents.has(key) && before.sessions.has(key)) return null;
    delta.contents ??= [];
    delta.contents.push([key, contentsDelta(before.contents.get(key), after.contents.get(key))]);
  }
  return delta;
}

function contentsDelta(before: Contents = emptyContents, after?: Contents): Record<string, Rows> | null {
  if (after === undefined) return null;
  const rows = (Object.keys(after) as (keyof Contents)[]).map(
    (name) => [name, rowsOf(before[name] as Table<unknown>, after[name] as Table<unknown>)] as const,
  );
  return Object.fromEntries(rows.filter(([, changed]) => changed.length > 0));
}

function rowsOf<V>(before: Table<V>, after: Table<V>): Rows {
  return after.changedSince(before).map((key) => [key, after.get(key) ?? null]);
}

/** The later state. Contents of sessions that are not loaded in `state` stay so. */
export function withDelta(state: State, delta: Delta): State {
  const sessions = withRows(state.sessions, delta.sessions);
  let { contents } = state;
  for (const [key, tables] of delta.contents ?? []) {
    const old = contents.get(key) ?? (state.sessions.has(key) ? undefined : emptyContents);
    if (tables === null) contents = contents.without(key);
    else if (old) contents = contents.with(key, withTables(old, tables));
  }
  return {
    store: delta.store === undefined ? state.store : delta.store,
    readme: delta.readme === undefined ? state.readme : delta.readme,
    presets: withRows(state.presets, delta.presets),
    sessions,
    contents,
  };
}

function withTables(contents: Contents, tables: Record<string, Rows>): Contents {
  const edited: Record<string, unknown> = { ...contents };
  for (const [name, rows] of Object.entries(tables)) {
    edited[name] = withRows(edited[name] as Table<unknown>, rows);
  }
  return edited as unknown as Contents;
}

function withRows<V>(table: Table<V>, rows: Rows = []): Table<V> {
  if (rows.length === 0) return table;
  return table.withAll(new Map(rows.map(([key, value]) => [key, (value ?? undefined) as V | undefined])));
}
