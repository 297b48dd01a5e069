import { type BudgetState, type BudgetWarning, budgetOf, type IsStopped, maybeWarned } from './budgets.ts';
import { costByFeature, costsOf, tallyFor, totalCost } from './costs.ts';
import type { Checkpoint, Feature, Session, Step } from './entities.ts';
import { compareNatural, keyOf } from './ids.ts';
import { metricsOf } from './metrics.ts';
import { amountOf } from './money.ts';
import {
  type Blocker,
  blockersOf,
  currentStep,
  isReady,
  progressOf,
  stepsCompleted,
  updatedAt,
} from './select.ts';
import type { Contents } from './state.ts';
import type { Table } from './table.ts';
import { stepIn } from './tally.ts';
import type { Instant, LeaseEnd } from './time.ts';

/** The objects that commands print: the stored entity with everything that is derived from it. */

/** Lease ends as renewed, by the key of the feature; they lie outside the state. */
export type Renewals = ReadonlyMap<string, LeaseEnd>;

export interface FeatureView extends Omit<Feature, 'claim' | 'claim_count' | 'ended_claim' | 'steps'> {
  steps: StepView[];
  current_step: string | null;
  steps_completed: string[];
  claim: { expires_at: LeaseEnd; host: string; pid: number | null; runner: boolean } | null;
  total_cost: number;
  costs: ReturnType<typeof costsOf>;
  ready: boolean;
  blocked_by: Blocker[];
}

export type StepView = Omit<Step, 'data'> & { cost: number };

/** The feature as every command prints it. The order of its keys is part of the contract. */
export function featureView(
  contents: Contents,
  feature: Feature,
  isStopped: IsStopped,
  renewals: Renewals = new Map(),
): FeatureView {
  const tally = tallyFor(contents, feature.id);
  return {
    id: feature.id,
    name: feature.name,
    status: feature.status,
    priority: feature.priority,
    phase: feature.phase,
    dependencies: feature.dependencies,
    steps: feature.steps.map((step) => stepView(step, stepIn(tally, step.name))),
    current_step: currentStep(feature),
    steps_completed: stepsCompleted(feature),
    worker_id: feature.worker_id,
    claim: claimView(feature, renewals),
    branch: feature.branch,
    worktree: feature.worktree,
    pr_number: feature.pr_number,
    retry_count: feature.retry_count,
    error: feature.error,
    summary: feature.summary,
    started_at: feature.started_at,
    completed_at: feature.completed_at,
    updated_at: feature.updated_at,
    total_cost: amountOf(tally.total),
    costs: costsOf(contents, feature.id),
    quality_scores: feature.quality_scores,
    metrics: feature.metrics,
    data: feature.data,
    ready: isReady(contents, feature, isStopped),
    blocked_by: feature.completed_at === null ? blockersOf(contents, feature) : [],
    created_at: feature.created_at,
    completed_by: feature.completed_by,
    archived_at: feature.archived_at,
    failed_by: feature.failed_by,
    scored_at: feature.scored_at,
  };
}

function stepView(step: Step, cost: number): StepView {
  const { name, status, started_at, completed_at, checkpoint, error, failures } = step;
  return { name, status, started_at, completed_at, cost, checkpoint, error, failures };
}

function claimView({ id, claim }: Feature, renewals: Renewals): FeatureView['claim'] {
  if (claim === null) return null;
  const { expires_at, host, pid, runner } = claim;
  return { expires_at: renewals.get(id) ?? expires_at, host, pid, runner };
}

export type SessionView = Omit<Session, 'claim_counts' | 'removed_cost'> & {
  progress: ReturnType<typeof progressOf>;
  metrics: ReturnType<typeof metricsOf>;
};

/** The session as every command prints it. The order of its keys is part of the contract. */
export function sessionView(session: Session, contents: Contents, isStopped: IsStopped): SessionView {
  return {
    id: session.id,
    preset: session.preset,
    name: session.name,
    status: session.status,
    config: session.config,
    steps: session.steps,
    budgets: session.budgets,
    max_retries: session.max_retries,
    started_at: session.started_at,
    updated_at: updatedAt(session, contents),
    completed_at: session.completed_at,
    recovered_at: session.recovered_at,
    progress: progressOf(contents, isStopped),
    metrics: metricsOf(session, contents),
    data: session.data,
    default_lease: session.default_lease,
    auto_checkpoints: session.auto_checkpoints,
    quality_min: session.quality_min,
  };
}

export interface CheckpointView {
  name: string;
  tag: string | null;
  commit: string;
  feature: string | null;
  step: string | null;
  next_step: string | null;
  created_at: string;
  automatic: boolean;
  data: unknown;
  heads: Checkpoint['heads'];
  can_resume: boolean;
}

/** Sums of money and tokens. */
export interface CostsView {
  total: number;
  tokens: { in: number; out: number; cached: number };
  by_step: Record<string, number>;
  by_operation: Record<string, number>;
  by_worker: Record<string, number>;
  by_day: Record<string, number>;
  by_feature: Record<string, number>;
  budgets: Session['budgets'];
  warnings: BudgetWarning[];
  stop: boolean;
}

/** Who spent what, when and on what: of a session, or of one feature. */
export function costsView(session: Session, contents: Contents, at: Instant, feature?: Feature): CostsView {
  const tally = tallyFor(contents, feature?.id);
  const byFeature =
    feature === undefined
      ? costByFeature(contents)
      : tally.day.size > 0
        ? [[keyOf(feature.id), amountOf(tally.total)] as const]
        : [];
  const named = (key: string) => contents.features.get(key)?.id ?? key;
  const amounts = (sums: Table<bigint>) =>
    inOrder([...sums.entries()].map(([name, micros]) => [name, amountOf(micros)] as const));
  const { warnings, stop } = limitsOf(session, contents, at, feature);
  return {
    total: feature === undefined ? totalCost(session, contents) : amountOf(tally.total),
    tokens: { ...tally.tokens },
    by_step: amounts(tally.step),
    by_operation: amounts(tally.operation),
    by_worker: amounts(tally.worker),
    by_day: amounts(tally.day),
    by_feature: inOrder(byFeature.map(([key, amount]) => [named(key), amount] as const)),
    budgets: session.budgets,
    warnings,
    stop,
  };
}

function inOrder(amounts: (readonly [name: string, amount: number])[]): Record<string, number> {
  return Object.fromEntries(amounts.sort(([a], [b]) => compareNatural(a, b)));
}

/** The warnings of one feature, or of every feature that has some, and of the day. */
export function limitsOf(session: Session, contents: Contents, at: Instant, feature?: Feature): BudgetState {
  if (feature !== undefined) return budgetOf(session, contents, feature, at);
  const { steps, feature: total, day } = session.budgets;
  if (total === null && day === null && Object.keys(steps).length === 0) return { warnings: [], stop: false };
  const ofFeatures = maybeWarned(session, contents).flatMap((one) =>
    budgetOf(session, contents, one, at).warnings.filter(({ scope }) => scope !== 'day'),
  );
  // The cap of the day is the same for all.
  const [any] = contents.features.values();
  const ofDay = any ? budgetOf(session, contents, any, at).warnings : [];
  const cap = ofDay.find(({ scope }) => scope === 'day');
  const warnings = cap ? [...ofFeatures, cap] : ofFeatures;
  return { warnings, stop: cap !== undefined && cap.percent >= 100 };
}
