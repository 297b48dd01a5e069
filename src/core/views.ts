import type { Checkpoint, Feature, Session } from './entities.ts';
import { amountOf, microsOf } from './money.ts';
import {
  type Blocker,
  blockersOf,
  costsOf,
  currentStep,
  isReady,
  metricsOf,
  progressOf,
  stepCost,
  stepsCompleted,
  sumOf,
  updatedAt,
} from './select.ts';
import type { Contents } from './state.ts';
import type { LeaseEnd } from './time.ts';

/** The objects that commands print: the stored entity with everything that is derived from it. */

/** Lease ends as renewed, by the key of the feature; they lie outside the state. */
export type Renewals = ReadonlyMap<string, LeaseEnd>;

export interface FeatureView extends Omit<Feature, 'claim' | 'claim_count' | 'ended_claim' | 'steps'> {
  steps: (Omit<Feature['steps'][number], 'data'> & { cost: number })[];
  current_step: string | null;
  steps_completed: string[];
  claim: { expires_at: LeaseEnd; host: string; pid: number | null; runner: boolean } | null;
  total_cost: number;
  costs: ReturnType<typeof costsOf>;
  ready: boolean;
  blocked_by: Blocker[];
}

/** The feature as every command prints it. */
export function featureView(
  contents: Contents,
  feature: Feature,
  renewals: Renewals = new Map(),
): FeatureView {
  const { claim, claim_count: _count, ended_claim: _ended, steps, ...stored } = feature;
  const costs = costsOf(contents, feature.id);
  return {
    ...stored,
    steps: steps.map(({ data: _data, ...step }) => ({ ...step, cost: stepCost(costs, step) })),
    current_step: currentStep(feature),
    steps_completed: stepsCompleted(feature),
    claim: claim && {
      expires_at: renewals.get(feature.id) ?? claim.expires_at,
      host: claim.host,
      pid: claim.pid,
      runner: claim.runner,
    },
    total_cost: sumOf(costs),
    costs,
    ready: isReady(contents, feature),
    blocked_by: feature.completed_at === null ? blockersOf(contents, feature) : [],
  };
}

export type SessionView = Omit<Session, 'claim_counts' | 'removed_cost'> & {
  progress: ReturnType<typeof progressOf>;
  metrics: ReturnType<typeof metricsOf>;
};

/** The session as every command prints it. */
export function sessionView(session: Session, contents: Contents): SessionView {
  const { claim_counts: _counts, removed_cost: _removed, ...stored } = session;
  return {
    ...stored,
    updated_at: updatedAt(session, contents),
    progress: progressOf(contents),
    metrics: metricsOf(session, contents),
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

/** Money and tokens of a session. */
export function costsView(session: Session, contents: Contents) {
  let micros = microsOf(session.removed_cost);
  const tokens = { in: 0, out: 0, cached: 0 };
  for (const sheet of contents.costs.values()) {
    for (const entry of sheet.entries) {
      micros += microsOf(entry.amount);
      tokens.in += entry.tokens?.in ?? 0;
      tokens.out += entry.tokens?.out ?? 0;
      tokens.cached += entry.tokens?.cached ?? 0;
    }
  }
  return { total: amountOf(micros), tokens, warnings: [] as string[] };
}
