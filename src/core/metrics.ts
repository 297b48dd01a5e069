import { costByFeature, tallyFor, totalCost } from './costs.ts';
import { countIn, stepNamesIn } from './counts.ts';
import type { Session } from './entities.ts';
import { compareNatural } from './ids.ts';
import { sumAmounts } from './money.ts';
import { type Quality, qualityOf, roundTo } from './quality.ts';
import { candidates, wasCompleted } from './select.ts';
import type { Contents } from './state.ts';
import { stepIn } from './tally.ts';

export interface StepMetrics {
  /** Minutes from start to completion, one decimal; 0 if none was completed. */
  avg_time: number;
  /** completed / (completed + failed attempts), two decimals; 0 if there was none. Skipped ones count as neither. */
  success_rate: number;
  cost: number;
}

export interface Metrics {
  total_tasks: number;
  completed: number;
  in_progress: number;
  failed: number;
  /** Whole minutes from start to completion over every feature that has both times; 0 if none. */
  average_time_minutes: number;
  /** completed / (completed + failed), two decimals; 0 if none is finished. */
  success_rate: number;
  /** As `average_time_minutes`, with one decimal. */
  avg_production_time: number;
  total_cost: number;
  /** Mean cost of a completed feature, two decimals; 0 if none is completed. */
  avg_cost: number;
  by_step: Record<string, StepMetrics>;
  quality: Quality;
}

/** Times, rates, money and quality of a session. An archived feature counts as completed if it was. */
export function metricsOf(session: Session, contents: Contents): Metrics {
  const count = countIn(contents);
  const [completed, failed, archived] = [
    count('status completed'),
    count('status failed'),
    count('status archived'),
  ];
  const done = completed + count('archived completed');
  const minutes = meanMinutes(count, '');
  return {
    total_tasks: contents.features.size,
    completed,
    in_progress: count('status in_progress'),
    failed,
    average_time_minutes: Math.round(minutes),
    success_rate: rate(done, completed + failed + archived),
    avg_production_time: roundTo(1, minutes),
    total_cost: totalCost(session, contents),
    avg_cost: averageCost(contents, done),
    by_step: byStep(session, contents),
    quality: qualityOf(candidates(contents, 'scored')),
  };
}

type Count = ReturnType<typeof countIn>;

function rate(part: number, whole: number): number {
  return whole === 0 ? 0 : roundTo(2, part / whole);
}

/** Mean of the times that are known; 0 if none. They are whole seconds, so that their order cannot matter. */
function meanMinutes(count: Count, of: string): number {
  const spans = count(`spans${of}`);
  return spans === 0 ? 0 : count(`ms${of}`) / spans / 60_000;
}

/** Only features with costs are looked at: the others add nothing. */
function averageCost(contents: Contents, done: number): number {
  if (done === 0) return 0;
  const amounts = costByFeature(contents).flatMap(([key, amount]) => {
    const feature = contents.features.get(key);
    return feature && wasCompleted(feature) ? [amount] : [];
  });
  return roundTo(2, sumAmounts(amounts) / done);
}

/** Every step in the order of the session, then those that only features have. */
function byStep(session: Session, contents: Contents): Record<string, StepMetrics> {
  const tally = tallyFor(contents);
  const count = countIn(contents);
  const names = new Set<string>([...session.steps, ...stepNamesIn(contents).sort(compareNatural)]);
  return Object.fromEntries([...names].map((name) => [name, stepMetrics(count, name, stepIn(tally, name))]));
}

function stepMetrics(count: Count, name: string, cost: number): StepMetrics {
  const completed = count(`completed ${name}`);
  return {
    avg_time: roundTo(1, meanMinutes(count, ` ${name}`)),
    success_rate: rate(completed, completed + count(`failures ${name}`)),
    cost,
  };
}
