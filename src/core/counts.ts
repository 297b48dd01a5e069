import type { Feature, Step } from './entities.ts';
import { keyOf } from './ids.ts';
import type { Contents } from './state.ts';
import { type Counts, countAll } from './table.ts';
import { millisecondsOf } from './time.ts';

/** What is counted and summed up over the features of a session, each by itself: it follows a change without a look at
 *  the others, and is kept beside the features where these are kept. */

/** Under which names it stands with the features. */
export const featureCounts = 'counts';

type Part = readonly [name: string, count: number];

/** The share of one feature. Times are milliseconds, of features and steps that have both ends. */
export function* countsOfFeature(feature: Feature): Iterable<Part> {
  yield* countsBeside(feature);
  yield* countsOfSteps(feature.steps);
}

function* countsBeside(feature: Feature): Iterable<Part> {
  const { status, completed_at, completed_by, failed_by } = feature;
  yield [`status ${status}`, 1];
  if (completed_at !== null && status === 'archived') yield ['archived completed', 1];
  yield* spanOf('', feature);
  if (completed_by !== null && completed_at !== null) yield [`completed by ${keyOf(completed_by)}`, 1];
  if (failed_by !== null) yield [`failed by ${keyOf(failed_by)}`, 1];
}

function* countsOfSteps(steps: readonly Step[]): Iterable<Part> {
  for (const step of steps) {
    const { name, status, failures } = step;
    yield [`step ${name}`, 1];
    if (status === 'completed') {
      yield [`completed ${name}`, 1];
      yield* spanOf(` ${name}`, step);
    }
    if (failures !== 0 && status !== 'skipped') yield [`failures ${name}`, failures];
  }
}

function* spanOf(of: string, { started_at, completed_at }: Pick<Step, 'started_at' | 'completed_at'>) {
  if (started_at === null || completed_at === null) return;
  yield [`spans${of}`, 1] as const;
  yield [`ms${of}`, millisecondsOf(completed_at) - millisecondsOf(started_at)] as const;
}

/** The shares of all of them; steps that are shared are looked at once. */
export function countFeatures(features: Iterable<Feature>): Counts {
  const counts = new Map<string, number>();
  const shared = new Map<readonly Step[], number>();
  for (const feature of features) {
    countAll(counts, countsBeside(feature), 1);
    shared.set(feature.steps, (shared.get(feature.steps) ?? 0) + 1);
  }
  for (const [steps, times] of shared) countAll(counts, countsOfSteps(steps), times);
  return counts;
}

/** How often something is there, or its sum; 0 where there is none. */
export function countIn({ features }: Contents): (name: string) => number {
  const counts = features.counts(featureCounts, countFeatures, countsOfFeature);
  return (name) => counts.get(name) ?? 0;
}

/** Names of all steps that features have. */
export function stepNamesIn({ features }: Contents): string[] {
  const counts = features.counts(featureCounts, countFeatures, countsOfFeature);
  return [...counts].flatMap(([name, count]) =>
    name.startsWith('step ') && count > 0 ? [name.slice('step '.length)] : [],
  );
}
