import { z } from 'zod';
import { CheckpointCreate, CheckpointDelete } from './operations/checkpoint.ts';
import { FeatureAdd, PlanLoad } from './operations/feature-add.ts';
import { FeatureArchive } from './operations/feature-archive.ts';
import { FeatureClaim } from './operations/feature-claim.ts';
import { FeatureComplete } from './operations/feature-complete.ts';
import { FeatureFail } from './operations/feature-fail.ts';
import { FeatureRelease } from './operations/feature-release.ts';
import { FeatureRemove } from './operations/feature-remove.ts';
import { FeatureRetry } from './operations/feature-retry.ts';
import { FeatureUpdate } from './operations/feature-update.ts';
import { NoteAdd } from './operations/note-add.ts';
import { SessionArchive, SessionComplete, SessionFail } from './operations/session-end.ts';
import { SessionStart } from './operations/session-start.ts';
import { SessionUpdate } from './operations/session-update.ts';
import { StateRestore } from './operations/state-restore.ts';
import { StepDone, StepFail, StepSkip, StepStart } from './operations/step-advance.ts';
import { StoreInit } from './operations/store-init.ts';

/** Every validated mutation. One operation is one commit, and the commit carries it whole. */
export const Operation = z.discriminatedUnion('type', [
  StoreInit,
  SessionStart,
  SessionUpdate,
  SessionComplete,
  SessionFail,
  SessionArchive,
  FeatureAdd,
  PlanLoad,
  FeatureUpdate,
  FeatureRemove,
  FeatureClaim,
  FeatureRelease,
  FeatureComplete,
  FeatureFail,
  FeatureRetry,
  FeatureArchive,
  StepStart,
  StepDone,
  StepFail,
  StepSkip,
  NoteAdd,
  CheckpointCreate,
  CheckpointDelete,
  StateRestore,
]);
export type Operation = z.infer<typeof Operation>;
export type OperationType = Operation['type'];
export type OperationOf<T extends OperationType> = Extract<Operation, { type: T }>;

export const operationTypes = Operation.options.map((option) => option.shape.type.value) as OperationType[];
