import { GitStateError } from '../../errors.ts';
import type { OptionSpec } from '../command.ts';
import { amount, count, duration, jsonObject, number, orNone, stepAmounts } from '../options.ts';

export interface SessionFlags {
  name?: string;
  config?: Record<string, unknown>;
  maxRetries?: number;
  lease?: string;
  autoCheckpoints?: boolean;
  qualityMin?: Record<string, number | null>;
  budgetStep?: Record<string, number | null>;
  budgetFeature?: number | null;
  budgetDay?: number | null;
}

/** What `session start` settles and `session update` changes. */
export const sessionOptions: readonly OptionSpec[] = [
  { flags: '--name TEXT', description: 'what people call it' },
  { flags: '--config JSON', description: 'settings of your own, an object or @FILE', parse: jsonObject },
  { flags: '--max-retries N', description: 'failed attempts after which a feature is failed', parse: count },
  {
    flags: '--lease DUR',
    description: 'length of a claim unless one is given, such as 15m',
    parse: duration,
  },
  { flags: '--auto-checkpoints', description: 'make a checkpoint whenever a step completes' },
  { flags: '--no-auto-checkpoints', description: 'make none' },
  {
    flags: '--budget-step STEP=AMT',
    description: "limit of a step; 'none' lifts it; may be given several times",
    parse: stepAmounts,
  },
  {
    flags: '--budget-feature AMT',
    description: "limit of each feature; 'none' lifts it",
    parse: orNone(amount),
  },
  {
    flags: '--quality-min NAME=SCORE',
    description: "least score of a completed feature; 'none' lifts it; may be given several times",
    parse: leastScores,
  },
  { flags: '--budget-day AMT', description: "limit of a day (UTC); 'none' lifts it", parse: orNone(amount) },
];

/** `NAME=SCORE` or `NAME=none`, gathered over every use of the option. */
function leastScores(value: string, previous: unknown): Record<string, number | null> {
  const split = value.lastIndexOf('=');
  if (split <= 0) {
    throw new GitStateError('INVALID_INPUT', `'${value}' is not of the form NAME=SCORE`, {
      hint: 'a score looks like accuracy=9.2',
    });
  }
  const read = orNone(number);
  return {
    ...(previous as Record<string, number | null> | undefined),
    [value.slice(0, split)]: read(value.slice(split + 1)),
  };
}

/** The given ones of `flags`, as the store takes them. */
export function sessionFields(flags: SessionFlags): SessionFlags {
  const { name, config, maxRetries, lease, autoCheckpoints, qualityMin } = flags;
  const { budgetStep, budgetFeature, budgetDay } = flags;
  const rules = { maxRetries, lease, autoCheckpoints, qualityMin };
  const fields = { name, config, ...rules, budgetStep, budgetFeature, budgetDay };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
