import type { CostEntry, CostSheet, Session, Step } from './entities.ts';
import { compareNatural, keyOf } from './ids.ts';
import { amountOf, microsOf, sumAmounts } from './money.ts';
import { type Contents, contentsOf, putSession, type State } from './state.ts';
import { Table } from './table.ts';
import { type Spent, type Tally, tallyOf, withSpent } from './tally.ts';

/** Money, as it follows from the cost sheets. Sums are kept beside each version of the sheets and follow a new entry
 *  step by step, so that the hundred-thousandth entry costs what the first one did. */

interface CostIndex {
  /** Sheets of each feature, in the order of their entries. */
  readonly sheets: Table<readonly string[]>;
  /** Millionths by feature, and by day. */
  readonly features: Table<bigint>;
  readonly days: Table<bigint>;
  readonly total: bigint;
  /** Entries that have a key, as `<feature>\n<key>`. */
  readonly keyed: Table<CostEntry>;
  /** What was asked for: of features with many entries, and of the session under the empty name. */
  tallies: Table<Tally>;
}

const indexes = new WeakMap<Table<CostSheet>, CostIndex>();

function indexOf(costs: Table<CostSheet>): CostIndex {
  const known = indexes.get(costs);
  if (known) return known;
  const sheets = new Map<string, string[]>();
  const features = new Map<string, bigint>();
  const days = new Map<string, bigint>();
  const keyed = new Map<string, CostEntry>();
  let total = 0n;
  for (const [key, { entries }] of [...costs.entries()].sort(([a], [b]) => compareNatural(a, b))) {
    const feature = featureOfSheet(key);
    sheets.set(feature, [...(sheets.get(feature) ?? []), key]);
    for (const entry of entries) {
      const micros = microsOf(entry.amount);
      features.set(feature, (features.get(feature) ?? 0n) + micros);
      days.set(dayOfSheet(key), (days.get(dayOfSheet(key)) ?? 0n) + micros);
      total += micros;
      if (entry.key !== null) keyed.set(`${feature}\n${entry.key}`, entry);
    }
  }
  const index = {
    sheets: Table.of(sheets),
    features: Table.of(features),
    days: Table.of(days),
    total,
    keyed: Table.of(keyed),
    tallies: Table.of<Tally>(),
  };
  indexes.set(costs, index);
  return index;
}

/** `<day>/<feature>` or `<day>/<feature>~<part>`. */
function featureOfSheet(key: string): string {
  return key.slice('YYYY-MM-DD/'.length).split('~')[0]!;
}

function dayOfSheet(key: string): string {
  return key.slice(0, 'YYYY-MM-DD'.length);
}

/** A sheet of this size is closed, in bytes of JSON; the next entry begins another. */
const sheetBytesMax = 64 * 1024;

/** The sheets with one entry more, on the day of the entry. */
export function addCostEntry(costs: Table<CostSheet>, featureId: string, entry: CostEntry): Table<CostSheet> {
  const index = indexOf(costs);
  const feature = keyOf(featureId);
  const day = entry.at.slice(0, 10);
  const known = index.sheets.get(feature) ?? [];
  const key = openSheet(costs, known, `${day}/${feature}`);
  const changed = costs.with(key, { entries: [...(costs.get(key)?.entries ?? []), entry] });
  const micros = microsOf(entry.amount);
  indexes.set(changed, {
    sheets: known.includes(key)
      ? index.sheets
      : index.sheets.with(feature, [...known, key].sort(compareNatural)),
    features: index.features.with(feature, (index.features.get(feature) ?? 0n) + micros),
    days: index.days.with(day, (index.days.get(day) ?? 0n) + micros),
    total: index.total + micros,
    keyed: entry.key === null ? index.keyed : index.keyed.with(`${feature}\n${entry.key}`, entry),
    tallies: withEntry(withEntry(index.tallies, feature, [day, entry]), ofSession, [day, entry]),
  });
  return changed;
}

/** The key of the session's own tally; no feature has it. */
const ofSession = '';

function withEntry(tallies: Table<Tally>, key: string, spent: Spent): Table<Tally> {
  const tally = tallies.get(key);
  return tally ? tallies.with(key, withSpent(tally, spent)) : tallies;
}

/** Fewer entries are added up as soon as a tally of them is found; there may be ever so many features. */
const worthKeeping = 50;

/** The sums of one feature, or of the whole session. */
export function tallyFor({ costs }: Contents, featureId?: string): Tally {
  if (costs.size === 0) return noCosts;
  const index = indexOf(costs);
  const key = featureId === undefined ? ofSession : keyOf(featureId);
  const known = index.tallies.get(key);
  if (known) return known;
  const sheets =
    featureId === undefined ? [...costs.entries()].map(([name]) => name) : (index.sheets.get(key) ?? []);
  const spent = sheets.flatMap((name) =>
    (costs.get(name)?.entries ?? []).map((entry): Spent => [dayOfSheet(name), entry]),
  );
  if (spent.length === 0) return noCosts;
  const tally = tallyOf(spent);
  if (spent.length >= worthKeeping) index.tallies = index.tallies.with(key, tally);
  return tally;
}

const noCosts = tallyOf([]);

/** What each feature with entries has cost, by its key; removed ones, too. */
export function costByFeature({ costs }: Contents): [feature: string, amount: number][] {
  if (costs.size === 0) return [];
  return [...indexOf(costs).features.entries()].map(([key, micros]) => [key, amountOf(micros)]);
}

function openSheet(costs: Table<CostSheet>, known: readonly string[], first: string): string {
  const parts = known.filter((key) => key === first || key.startsWith(`${first}~`)).length;
  const last = parts <= 1 ? first : `${first}~${parts}`;
  const sheet = costs.get(last);
  // Only a long sheet is worth measuring.
  if (!sheet || sheet.entries.length < 100) return last;
  return JSON.stringify(sheet, null, 2).length < sheetBytesMax ? last : `${first}~${parts + 1}`;
}

/** The entry of a feature that was reported under `key`. */
export function entryWithKey({ costs }: Contents, featureId: string, key: string): CostEntry | undefined {
  return indexOf(costs).keyed.get(`${keyOf(featureId)}\n${key}`);
}

/** The cost entries of one feature, oldest first. */
export function costsOf({ costs }: Contents, featureId: string): CostEntry[] {
  if (costs.size === 0) return [];
  return (indexOf(costs).sheets.get(keyOf(featureId)) ?? []).flatMap((key) => costs.get(key)?.entries ?? []);
}

/** All that one feature has cost. */
export function totalOf({ costs }: Contents, featureId: string): number {
  return costs.size === 0 ? 0 : amountOf(indexOf(costs).features.get(keyOf(featureId)) ?? 0n);
}

/** All that a session has cost on one UTC day. */
export function costOfDay({ costs }: Contents, day: string): number {
  return costs.size === 0 ? 0 : amountOf(indexOf(costs).days.get(day) ?? 0n);
}

/** All money of a session: the sheets of removed features stay, so nothing is lost with them, and what had been spent
 *  before a document was imported is counted in. */
export function totalCost(session: Session, { costs }: Contents): number {
  const spent = costs.size === 0 ? 0n : indexOf(costs).total;
  return amountOf(microsOf(openingOf(session).total_cost) + spent);
}

/** What went into features that are there no more: a part of the total, which `removed_cost` of the session records. */
export function removedCost({ costs, features }: Contents): number {
  if (costs.size === 0) return 0;
  let micros = 0n;
  for (const [key, spent] of indexOf(costs).features.entries()) if (!features.has(key)) micros += spent;
  return amountOf(micros);
}

/** The session after features of these ids have left it, or come back to it: their money goes with them.
 *  @param sign 1 where they leave, -1 where they come. */
export function withRemovedCost(
  session: Session,
  contents: Contents,
  ids: readonly string[],
  sign: 1 | -1,
): Session {
  if (contents.costs.size === 0) return session;
  const spent = sumAmounts(ids.map((id) => totalOf(contents, id)));
  if (spent === 0) return session;
  return { ...session, removed_cost: sumAmounts([session.removed_cost, sign * spent]) };
}

/** What an imported document had counted beyond its own entries. */
export function openingOf({ data }: Session): { total_cost: number; total_episodes: number } {
  const opening = new Map(Object.entries(data)).get('opening');
  const { total_cost, total_episodes } = (opening ?? {}) as {
    total_cost?: unknown;
    total_episodes?: unknown;
  };
  return { total_cost: numberOr0(total_cost), total_episodes: numberOr0(total_episodes) };
}

function numberOr0(value: unknown): number {
  return typeof value === 'number' ? value : 0;
}

export function sumOf(entries: readonly { amount: number }[]): number {
  return entries.length === 0 ? 0 : sumAmounts(entries.map((entry) => entry.amount));
}

export function stepCost(
  entries: readonly { step: string | null; amount: number }[],
  step: Pick<Step, 'name'>,
): number {
  return sumOf(entries.filter((entry) => entry.step === step.name));
}

/** Counts anew what went into features that are there no more: it follows from those that are. */
export function settleRemovedCost(state: State, key: string): State {
  const session = state.sessions.get(key);
  if (!session) return state;
  const removed_cost = removedCost(contentsOf(state, session.id));
  return removed_cost === session.removed_cost ? state : putSession(state, { ...session, removed_cost });
}
