import { tallyFor, totalCost, totalOf } from './costs.ts';
import type { Feature, Session, Step } from './entities.ts';
import { sumAmounts } from './money.ts';
import { mean, type Quality, qualityOf, roundTo } from './quality.ts';
import { wasCompleted } from './select.ts';
import type { Contents } from './state.ts';
import { stepIn } from './tally.ts';
import { type Instant, millisecondsOf } from './time.ts';

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
  const features = [...contents.features.values()];
  const count = (status: Feature['status']) => features.filter((feature) => feature.status === status).length;
  const finished = features.filter(({ status }) => ['completed', 'failed', 'archived'].includes(status));
  const done = finished.filter(wasCompleted);
  const minutes = meanMinutes(features);
  return {
    total_tasks: features.length,
    completed: count('completed'),
    in_progress: count('in_progress'),
    failed: count('failed'),
    average_time_minutes: Math.round(minutes),
    success_rate: rate(done.length, finished.length),
    avg_production_time: roundTo(1, minutes),
    total_cost: totalCost(session, contents),
    avg_cost: averageCost(contents, done),
    by_step: byStep(session, contents, features),
    quality: qualityOf(features),
  };
}

function rate(part: number, whole: number): number {
  return whole === 0 ? 0 : roundTo(2, part / whole);
}

/** Mean of the times that are known, summed as whole seconds so that their order cannot matter; 0 if none. */
function meanMinutes(spans: readonly { started_at: Instant | null; completed_at: Instant | null }[]): number {
  const times = spans.flatMap(({ started_at, completed_at }) =>
    started_at && completed_at ? [millisecondsOf(completed_at) - millisecondsOf(started_at)] : [],
  );
  return times.length === 0 ? 0 : mean(times) / 60_000;
}

function averageCost(contents: Contents, done: readonly Feature[]): number {
  if (done.length === 0) return 0;
  const amounts = done.map(({ id }) => totalOf(contents, id));
  return roundTo(2, sumAmounts(amounts) / done.length);
}

/** Every step in the order of the session, then those that only features have. */
function byStep(
  session: Session,
  contents: Contents,
  features: readonly Feature[],
): Record<string, StepMetrics> {
  const steps = new Map<string, Step[]>();
  for (const feature of features) {
    for (const step of feature.steps) {
      const known = steps.get(step.name);
      if (known) known.push(step);
      else steps.set(step.name, [step]);
    }
  }
  const tally = tallyFor(contents);
  const names = new Set([...session.steps, ...steps.keys()]);
  return Object.fromEntries(
    [...names].map((name) => [name, stepMetrics(steps.get(name) ?? [], stepIn(tally, name))]),
  );
}

function stepMetrics(steps: readonly Step[], cost: number): StepMetrics {
  const completed = steps.filter(({ status }) => status === 'completed');
  const failures = steps.reduce((sum, { status, failures: n }) => sum + (status === 'skipped' ? 0 : n), 0);
  return {
    avg_time: roundTo(1, meanMinutes(completed)),
    success_rate: rate(completed.length, completed.length + failures),
    cost,
  };
}
