import type * as z from 'zod';
import { ArtifactPut } from './operations/artifact-put.ts';
import { CheckpointCreate, CheckpointDelete } from './operations/checkpoint.ts';
import { CostAdd, CostSet } from './operations/cost.ts';
import type { OperationIn } from './operations/define.ts';
import { FeatureAdd, PlanLoad } from './operations/feature-add.ts';
import { FeatureArchive } from './operations/feature-archive.ts';
import { FeatureClaim } from './operations/feature-claim.ts';
import { FeatureComplete } from './operations/feature-complete.ts';
import { FeatureFail } from './operations/feature-fail.ts';
import { FeatureRelease } from './operations/feature-release.ts';
import { FeatureRemove } from './operations/feature-remove.ts';
import { FeatureRenew } from './operations/feature-renew.ts';
import { FeatureRetry } from './operations/feature-retry.ts';
import { FeatureUpdate } from './operations/feature-update.ts';
import { NoteAdd } from './operations/note-add.ts';
import { PresetPut } from './operations/preset-put.ts';
import { QualitySet } from './operations/quality-set.ts';
import { SessionArchive, SessionComplete, SessionFail } from './operations/session-end.ts';
import { SessionRecover } from './operations/session-recover.ts';
import { SessionStart } from './operations/session-start.ts';
import { SessionUpdate } from './operations/session-update.ts';
import { StateRepair } from './operations/state-repair.ts';
import { StateRestore } from './operations/state-restore.ts';
import { StateUndo } from './operations/state-undo.ts';
import { StepDone, StepFail, StepSkip, StepStart } from './operations/step-advance.ts';
import { StoreCleanup, StoreReset } from './operations/store-cleanup.ts';
import { StoreImport } from './operations/store-import.ts';
import { StoreInit } from './operations/store-init.ts';
import { StoreMigrate } from './operations/store-migrate.ts';
import { StoreSeal } from './operations/store-seal.ts';

/** Every validated mutation. One operation is one commit, and the commit carries it whole. */
const declared = [
  StoreInit,
  SessionStart,
  SessionUpdate,
  SessionComplete,
  SessionFail,
  SessionArchive,
  SessionRecover,
  FeatureAdd,
  PlanLoad,
  FeatureUpdate,
  FeatureRemove,
  FeatureClaim,
  FeatureRenew,
  FeatureRelease,
  FeatureComplete,
  FeatureFail,
  FeatureRetry,
  FeatureArchive,
  StepStart,
  StepDone,
  StepFail,
  StepSkip,
  CostAdd,
  CostSet,
  QualitySet,
  ArtifactPut,
  NoteAdd,
  CheckpointCreate,
  CheckpointDelete,
  StateRestore,
  StateUndo,
  StateRepair,
  PresetPut,
  StoreCleanup,
  StoreReset,
  StoreImport,
  StoreMigrate,
  StoreSeal,
] as const;

export type Operation = OperationIn<(typeof declared)[number]>;
export type OperationType = Operation['type'];
export type OperationOf<T extends OperationType> = Extract<Operation, { type: T }>;

export const operationTypes: readonly OperationType[] = declared.map(({ type }) => type);

interface Unchecked {
  /** One of `operationTypes`. */
  type: string;
  [field: string]: unknown;
}

function schemaOf({ type }: Unchecked): z.ZodType<Operation> {
  const found = declared.find((one) => one.type === type);
  if (!found) throw new TypeError(`no type of operation: '${type}'`);
  return found.schema;
}

/** Checks what is to be an operation. */
export const Operation = {
  parse: (value: Unchecked): Operation => schemaOf(value).parse(value),
  safeParse: (value: Unchecked) => schemaOf(value).safeParse(value),
};
