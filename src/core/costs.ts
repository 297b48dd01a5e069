import type { CostEntry, CostSheet, Session, Step } from './entities.ts';
import { groupPairs } from './group.ts';
import { compareNatural, keyOf } from './ids.ts';
import { sumAmounts } from './money.ts';
import type { Contents } from './state.ts';
import type { Table } from './table.ts';

/** Money, as it follows from the cost sheets. */

/** Entries by feature, for each version of the sheets that was asked about: a list of many features asks for each. */
const indexes = new WeakMap<Table<CostSheet>, ReadonlyMap<string, CostEntry[]>>();

/** All cost entries by the key of their feature, oldest first. Those of removed features are among them. */
export function costsByFeature({ costs }: Contents): ReadonlyMap<string, CostEntry[]> {
  const known = indexes.get(costs);
  if (known) return known;
  const sheets = [...costs.entries()].sort(([a], [b]) => compareNatural(a, b));
  const index = groupPairs(
    sheets.flatMap(([key, { entries }]) => entries.map((entry) => [featureOfSheet(key), entry] as const)),
  );
  indexes.set(costs, index);
  return index;
}

/** `<day>/<feature>` or `<day>/<feature>~<part>`. */
function featureOfSheet(key: string): string {
  return key.slice('YYYY-MM-DD/'.length).split('~')[0]!;
}

/** The cost entries of one feature, oldest first. */
export function costsOf(contents: Contents, featureId: string): CostEntry[] {
  return costsByFeature(contents).get(keyOf(featureId)) ?? [];
}

/** All money of a session. The cost sheets of a removed feature stay, so nothing is lost with it. */
export function totalCost(session: Session, contents: Contents): number {
  const amounts = [session.removed_cost];
  for (const sheet of contents.costs.values()) for (const entry of sheet.entries) amounts.push(entry.amount);
  return sumAmounts(amounts);
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
