import { type IsStopped, neverStopped } from '../core/budgets.ts';
import { tallyFor } from '../core/costs.ts';
import { featureStatuses, type Session } from '../core/entities.ts';
import { groupPairs } from '../core/group.ts';
import { metricsOf } from '../core/metrics.ts';
import { contentsBySession, progressOf, workersOf } from '../core/select.ts';
import { type Contents, contentsOf, requireSession, type State } from '../core/state.ts';
import { type Instant, millisecondsOf } from '../core/time.ts';

/** Metrics in the text format of Prometheus (exposition format 0.0.4). Times are seconds. */

const families = {
  gitstate_features: ['gauge', 'Features by status.'],
  gitstate_features_ready: ['gauge', 'Features that can be claimed now.'],
  gitstate_features_blocked: ['gauge', 'Pending features that cannot be claimed now.'],
  gitstate_workers: ['gauge', 'Workers by status.'],
  gitstate_retries: ['gauge', 'Failed attempts at the features there are.'],
  gitstate_cost_total: ['counter', 'Money spent.'],
  gitstate_step_cost_total: ['counter', 'Money spent, by step.'],
  gitstate_tokens_total: ['counter', 'Tokens used, by kind.'],
  gitstate_feature_seconds_avg: ['gauge', 'Mean time from start to completion of a feature.'],
  gitstate_step_seconds_avg: ['gauge', 'Mean time from start to completion of a step.'],
  gitstate_success_ratio: ['gauge', 'Completed features among the finished ones.'],
  gitstate_step_success_ratio: ['gauge', 'Completed attempts at a step among all that ended.'],
  gitstate_quality_score_avg: ['gauge', 'Mean quality score, by name.'],
} as const;

type Sample = readonly [family: keyof typeof families, labels: Record<string, string>, value: number];

/** The metrics of one session, or of all sessions that are not archived.
 *  @param input.isStopped says whether the budget of a session keeps a feature from being claimed.
 *  @throws SESSION_NOT_FOUND */
export function exportPrometheus(input: {
  state: State;
  session?: string;
  isStopped?: (session: Session, contents: Contents) => IsStopped;
}): string {
  const { state, session, isStopped = () => neverStopped } = input;
  const chosen =
    session === undefined
      ? contentsBySession(state).filter((one) => one.session.status !== 'archived')
      : [{ session: requireSession(state, session), contents: contentsOf(state, session) }];
  const lines = chosen.flatMap((one) =>
    samplesOf(one.session, one.contents, isStopped(one.session, one.contents)).map(
      ([family, labels, value]) =>
        [family, `${family}${labelsText({ session: one.session.id, ...labels })} ${value}`] as const,
    ),
  );
  const byFamily = groupPairs(lines);
  return Object.entries(families)
    .filter(([name]) => byFamily.has(name as Sample[0]))
    .map(([name, [type, help]]) => {
      const samples = byFamily.get(name as Sample[0])!;
      return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...samples, ''].join('\n');
    })
    .join('');
}

function samplesOf(session: Session, contents: Contents, isStopped: IsStopped): Sample[] {
  const progress = progressOf(contents, isStopped);
  const metrics = metricsOf(session, contents);
  const { trending: _, ...averages } = metrics.quality;
  const features = [...contents.features.values()];
  const workers = workersOf(contents);
  const completed = features.flatMap(({ steps }) => steps.filter(({ status }) => status === 'completed'));
  const spans = groupPairs(completed.map((step) => [step.name as string, step] as const));
  const steps = Object.entries(metrics.by_step);
  return [
    ...featureStatuses.map((status): Sample => ['gitstate_features', { status }, progress[status]]),
    ['gitstate_features_ready', {}, progress.ready],
    ['gitstate_features_blocked', {}, progress.blocked],
    ...(['busy', 'idle'] as const).map(
      (status): Sample => [
        'gitstate_workers',
        { status },
        workers.filter((worker) => worker.status === status).length,
      ],
    ),
    ['gitstate_retries', {}, features.reduce((sum, { retry_count }) => sum + retry_count, 0)],
    ['gitstate_cost_total', {}, metrics.total_cost],
    ...steps.map(([step, { cost }]): Sample => ['gitstate_step_cost_total', { step }, cost]),
    ...tokenSamples(contents),
    ...meanSeconds(features).map((seconds): Sample => ['gitstate_feature_seconds_avg', {}, seconds]),
    ...[...spans].flatMap(([step, times]) =>
      meanSeconds(times).map((seconds): Sample => ['gitstate_step_seconds_avg', { step }, seconds]),
    ),
    ['gitstate_success_ratio', {}, metrics.success_rate],
    ...steps.map(
      ([step, { success_rate }]): Sample => ['gitstate_step_success_ratio', { step }, success_rate],
    ),
    ...Object.entries(averages).map(
      ([name, mean]): Sample => [
        'gitstate_quality_score_avg',
        { score: name.slice('avg_'.length) },
        Number(mean),
      ],
    ),
  ];
}

function tokenSamples(contents: Contents): Sample[] {
  const { tokens } = tallyFor(contents);
  return (['in', 'out', 'cached'] as const).map((kind) => ['gitstate_tokens_total', { kind }, tokens[kind]]);
}

/** Nothing where no time is known. */
function meanSeconds(
  spans: readonly { started_at: Instant | null; completed_at: Instant | null }[],
): number[] {
  const timesMs = spans.flatMap(({ started_at, completed_at }) =>
    started_at && completed_at ? [millisecondsOf(completed_at) - millisecondsOf(started_at)] : [],
  );
  return timesMs.length === 0
    ? []
    : [timesMs.reduce((sum, timeMs) => sum + timeMs, 0) / timesMs.length / 1000];
}

function labelsText(labels: Record<string, string>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return `{${pairs.join(',')}}`;
}

/** In a label's value these three have to be escaped; everything else is UTF-8 as it is. */
function escaped(value: string): string {
  return value.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n');
}
