import * as z from 'zod';
import { CheckpointName, ClaimId, FeatureId, Oid, PresetName, SessionId, StepName, WorkerId } from './ids.ts';
import { Json, JsonRecord, PlainNumber, recordOf, Text } from './json.ts';
import { Amount, SignedAmount } from './money.ts';
import { Duration, Instant, LeaseEnd } from './time.ts';

/** The entities as they stand in the files of the branch. Fields are named as the JSON has them, and the order of
 *  fields here is their order in the file. What can be derived from them is computed and never stored. */

export const featureStatuses = ['pending', 'in_progress', 'completed', 'failed', 'archived'] as const;
export const stepStatuses = ['pending', 'active', 'completed', 'failed', 'skipped'] as const;
export const sessionStatuses = ['active', 'completed', 'failed', 'archived'] as const;

export const FeatureStatus = z.enum(featureStatuses);
export type FeatureStatus = z.infer<typeof FeatureStatus>;
export const SessionStatus = z.enum(sessionStatuses);
export type SessionStatus = z.infer<typeof SessionStatus>;

export const Step = z.strictObject({
  name: StepName,
  status: z.enum(stepStatuses),
  started_at: Instant.nullable(),
  completed_at: Instant.nullable(),
  checkpoint: CheckpointName.nullable(),
  error: Text.nullable(),
  /** Attempts that failed; counts into the step's success rate. */
  failures: z.int().min(0),
  data: JsonRecord,
});
export type Step = z.infer<typeof Step>;

/** The process that holds a claim, as far as it can be told apart from every other one. */
export const Holder = z.strictObject({
  host: Text,
  boot: Text.nullable(),
  pidns: Text.nullable(),
  pid: z.int().min(0).nullable(),
  started: Text.nullable(),
});
export type Holder = z.infer<typeof Holder>;

export const Claim = z.strictObject({
  id: ClaimId,
  expires_at: LeaseEnd,
  ...Holder.shape,
  /** Made by the runner, whose process must live as long as the claim does. */
  runner: z.boolean(),
});
export type Claim = z.infer<typeof Claim>;

/** How the last claim ended, so that a repeated `complete`, `fail` or `release` is recognised. */
export const EndedClaim = z.strictObject({ id: ClaimId, by: z.string().max(40), at: Instant });

export const Priority = Text.min(1).max(64);
/** The number by which features are ordered. */
export const Phase = PlainNumber;

const featureShape = z.strictObject({
  id: FeatureId,
  name: Text,
  status: FeatureStatus,
  priority: Priority.nullable(),
  phase: Phase.nullable(),
  dependencies: z.array(FeatureId),
  steps: z.array(Step),
  worker_id: WorkerId.nullable(),
  claim: Claim.nullable(),
  /** Claims ever made on this id: the rising number that tokens begin with. */
  claim_count: z.int().min(0),
  ended_claim: EndedClaim.nullable(),
  branch: Text.nullable(),
  worktree: Text.nullable(),
  pr_number: z.int().min(0).nullable(),
  retry_count: z.int().min(0),
  error: Text.nullable(),
  summary: Text.nullable(),
  created_at: Instant,
  started_at: Instant.nullable(),
  completed_at: Instant.nullable(),
  completed_by: WorkerId.nullable(),
  failed_by: WorkerId.nullable(),
  archived_at: Instant.nullable(),
  updated_at: Instant,
  quality_scores: recordOf(Text, PlainNumber),
  scored_at: Instant.nullable(),
  metrics: JsonRecord,
  data: JsonRecord,
});

type FeatureFields = z.infer<typeof featureShape>;

export function claimFits({ claim, worker_id, status }: FeatureFields): boolean {
  return (claim === null) === (worker_id === null) && (claim === null || status === 'in_progress');
}

export const Feature = featureShape.refine(
  claimFits,
  'a claim, its worker and the status in_progress belong together',
);
export type Feature = z.infer<typeof Feature>;

export const Budgets = z.strictObject({
  steps: recordOf(StepName, Amount),
  feature: Amount.nullable(),
  day: Amount.nullable(),
});
export type Budgets = z.infer<typeof Budgets>;

/** What a preset settles and a session carries. */
export const sessionRules = {
  steps: z.array(StepName).max(1000),
  budgets: Budgets,
  max_retries: z.int().min(0),
  default_lease: Duration,
  auto_checkpoints: z.boolean(),
  quality_min: recordOf(Text, PlainNumber),
};

export const Session = z.strictObject({
  id: SessionId,
  preset: PresetName.nullable(),
  name: Text,
  status: SessionStatus,
  config: JsonRecord,
  ...sessionRules,
  started_at: Instant,
  updated_at: Instant,
  completed_at: Instant.nullable(),
  recovered_at: Instant.nullable(),
  /** Claim counters of removed features: a feature added again under the same id goes on from there. */
  claim_counts: recordOf(FeatureId, z.int().min(0)),
  removed_cost: SignedAmount,
  data: JsonRecord,
});
export type Session = z.infer<typeof Session>;

export const Worker = z.strictObject({ id: WorkerId, first_seen_at: Instant, data: JsonRecord });
export type Worker = z.infer<typeof Worker>;

export const CodeHead = z.strictObject({ branch: Text, oid: Oid });
export type CodeHead = z.infer<typeof CodeHead>;

export const Checkpoint = z.strictObject({
  name: CheckpointName,
  /** The commit checkpointed where it is an older one; null means the commit that wrote this file. */
  commit: Oid.nullable(),
  feature: FeatureId.nullable(),
  step: StepName.nullable(),
  next_step: StepName.nullable(),
  created_at: Instant,
  /** Made by completing a step; such a one is found on the branch and has no tag. */
  automatic: z.boolean(),
  data: Json,
  heads: recordOf(FeatureId, CodeHead),
});
export type Checkpoint = z.infer<typeof Checkpoint>;

export const Tokens = z.strictObject({ in: z.int().min(0), out: z.int().min(0), cached: z.int().min(0) });

/** As they count: an entry that takes another one back has them below zero. */
const SignedTokens = z.strictObject({ in: z.int(), out: z.int(), cached: z.int() });

export const CostEntry = z.strictObject({
  at: Instant,
  amount: SignedAmount,
  tokens: SignedTokens.nullable(),
  step: StepName.nullable(),
  operation: Text,
  worker: WorkerId.nullable(),
  key: Text.nullable(),
});
export type CostEntry = z.infer<typeof CostEntry>;

/** The costs of one feature on one day; a full file goes on in the next part. */
export const CostSheet = z.strictObject({ entries: z.array(CostEntry) });
export type CostSheet = z.infer<typeof CostSheet>;

const { default_lease: lease, ...presetRules } = sessionRules;

/** Rules for sessions that are still to be started. */
export const Preset = z.strictObject({
  name: PresetName,
  ...presetRules,
  lease,
  session_id: z.enum(['date', 'orchestrator', 'production']),
});
export type Preset = z.infer<typeof Preset>;

/** The schema that is written. */
export const schemaVersion = 1;

export const StoreInfo = z.strictObject({
  /** The schema in which the files stand; an older one until the next write. */
  schema: z.int().min(1),
  /** Random id of this lineage: two stores that meet can be told apart. */
  store: z.string().regex(/^[a-z0-9]{8,64}$/),
  created_at: Instant,
  /** Default preset of new sessions. */
  preset: PresetName.nullable(),
  /** Session ids that were cleaned up; their tags still stand, so they are never used again. */
  retired: z.array(SessionId),
});
export type StoreInfo = z.infer<typeof StoreInfo>;
