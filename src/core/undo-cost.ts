import { addCostEntry, entryWithKey } from './costs.ts';
import type { Change } from './diff.ts';
import type { CostEntry, CostSheet } from './entities.ts';
import { unsigned } from './json.ts';
import { emptyContents } from './state.ts';
import type { Table } from './table.ts';

type Costs = Table<CostSheet>;

/** The sheets with an entry of the opposite amount for each that the operation added: money that was counted stays on
 *  record. The entry stands on the day of the one it answers, so that no other day's budget grows by it; its key says
 *  what was undone, and that it was. */
export function addMirrored(
  now: Costs,
  { before, after }: { before: Costs; after: Costs },
  session: string,
  operation: string,
  clashes: Change[],
): Costs {
  let costs = now;
  for (const sheet of after.changedSince(before)) {
    const added = after.get(sheet)?.entries.slice(before.get(sheet)?.entries.length ?? 0) ?? [];
    const feature = sheet.slice('YYYY-MM-DD/'.length).split('~')[0]!;
    for (const [index, entry] of added.entries()) {
      const key = `undo:${operation}${index === 0 ? '' : `:${index}`}`;
      const known = entryWithKey({ ...emptyContents, costs }, feature, key);
      if (known) clashes.push({ entity: 'cost', session, id: sheet, path: '', from: null, to: known });
      else costs = addCostEntry(costs, feature, { ...mirrored(entry), key });
    }
  }
  return costs;
}

function mirrored({ amount, tokens, ...entry }: CostEntry): CostEntry {
  const opposite = (count: number) => unsigned(-count);
  const counts = tokens && {
    in: opposite(tokens.in),
    out: opposite(tokens.out),
    cached: opposite(tokens.cached),
  };
  return { ...entry, amount: opposite(amount), tokens: counts };
}
