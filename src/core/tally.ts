import type { CostEntry } from './entities.ts';
import { amountOf, microsOf } from './money.ts';
import { Table } from './table.ts';

/** Sums of cost entries, which follow a new entry without going through the others again. */
export interface Tally {
  /** Millionths. */
  readonly total: bigint;
  readonly tokens: Tokens;
  readonly step: Table<bigint>;
  readonly operation: Table<bigint>;
  readonly worker: Table<bigint>;
  readonly day: Table<bigint>;
}

export type Tokens = Readonly<Record<'in' | 'out' | 'cached', number>>;

/** A cost entry with the UTC day of its sheet. */
export type Spent = readonly [day: string, entry: CostEntry];

/** The names by which a tally is broken down; what has none goes under the empty name. */
const namesOf = ([day, { step, operation, worker }]: Spent) => ({
  step: step ?? '',
  operation: operation as string,
  worker: worker ?? '',
  day,
});

/** What went into one step. */
export function stepIn({ step }: Tally, name: string): number {
  return amountOf(step.get(name) ?? 0n);
}

export function tallyOf(spent: Iterable<Spent>): Tally {
  const sums = { step: new Map(), operation: new Map(), worker: new Map(), day: new Map() };
  let total = 0n;
  let tokens: Tokens = { in: 0, out: 0, cached: 0 };
  for (const one of spent) {
    const micros = microsOf(one[1].amount);
    total += micros;
    tokens = withTokens(tokens, one[1]);
    for (const [by, name] of Object.entries(namesOf(one)) as [keyof typeof sums, string][]) {
      sums[by].set(name, (sums[by].get(name) ?? 0n) + micros);
    }
  }
  const { step, operation, worker, day } = sums;
  return {
    total,
    tokens,
    step: Table.of<bigint>(step),
    operation: Table.of<bigint>(operation),
    worker: Table.of<bigint>(worker),
    day: Table.of<bigint>(day),
  };
}

/** The tally with one entry more. */
export function withSpent(tally: Tally, spent: Spent): Tally {
  const micros = microsOf(spent[1].amount);
  const names = namesOf(spent);
  const sum = (by: keyof typeof names) =>
    tally[by].with(names[by], (tally[by].get(names[by]) ?? 0n) + micros);
  return {
    total: tally.total + micros,
    tokens: withTokens(tally.tokens, spent[1]),
    step: sum('step'),
    operation: sum('operation'),
    worker: sum('worker'),
    day: sum('day'),
  };
}

function withTokens(sum: Tokens, { tokens }: CostEntry): Tokens {
  if (!tokens) return sum;
  return { in: sum.in + tokens.in, out: sum.out + tokens.out, cached: sum.cached + tokens.cached };
}
