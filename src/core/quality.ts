import type { Feature } from './entities.ts';
import { groupPairs } from './group.ts';
import { compareCodePoints, compareNatural } from './ids.ts';

export interface Quality {
  /** `avg_<name>` for every name of a score: the mean over all scored features, two decimals. */
  [average: `avg_${string}`]: number;
  trending: 'improving' | 'steady' | 'declining';
}

/** A change of the mean by less than this is none. */
const steadyWithin = 0.02;

/** Averages by name, and where they are heading: in the order of completion, the mean of the newer half of the scores
 *  against that of the older half. */
export function qualityOf(features: Iterable<Feature>): Quality {
  const scored = [...features].filter((feature) => feature.scored_at !== null).sort(compareFinish);
  const scores = groupPairs(scored.flatMap(({ quality_scores }) => Object.entries(quality_scores)));
  const names = [...scores.keys()].sort(compareCodePoints);
  const averages = names.map((name) => [`avg_${name}`, roundTo(2, mean(scores.get(name)!))]);
  return { ...Object.fromEntries(averages), trending: trendOf([...scores.values()]) };
}

function compareFinish(a: Feature, b: Feature): number {
  const [left, right] = [a.completed_at ?? a.scored_at ?? '', b.completed_at ?? b.scored_at ?? ''];
  return compareCodePoints(left, right) || compareNatural(a.id, b.id);
}

function trendOf(series: number[][]): Quality['trending'] {
  const changes = series.filter(({ length }) => length >= 2).map(changeOf);
  if (changes.length === 0) return 'steady';
  // 1.02 / 1 - 1 is a little more than 0.02 in binary.
  const change = roundTo(9, mean(changes));
  if (Math.abs(change) <= steadyWithin) return 'steady';
  return change > 0 ? 'improving' : 'declining';
}

/** By what part the newer half is above the older one. The middle one of an odd number belongs to the newer half. */
function changeOf(values: number[]): number {
  const half = Math.floor(values.length / 2);
  const older = mean(values.slice(0, half));
  const newer = mean(values.slice(half));
  if (older === 0) return Math.sign(newer);
  return (newer - older) / Math.abs(older);
}

/** The mean of at least one value. */
export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

export function roundTo(places: number, value: number): number {
  const factor = 10 ** places;
  return Math.round(value * factor) / factor;
}
