import type { Proposal } from '../proposal.ts';
import { checkpointCreate, checkpointDelete } from './checkpoint.ts';
import { featureClaim } from './claim.ts';
import { importSessions } from './documents.ts';
import { artifactPut, costAdd, costSet, qualitySet } from './facts.ts';
import {
  featureAdd,
  featureArchive,
  featureComplete,
  featureFail,
  featureRelease,
  featureRemove,
  featureRetry,
  featureUpdate,
  planLoad,
} from './feature.ts';
import { cleanupFeatures, cleanupSessions, presetPut, sessionRecover, storeReset } from './recovery.ts';
import { heartbeat } from './renewal.ts';
import { resume } from './resume.ts';
import { sessionArchive, sessionComplete, sessionFail, sessionStart, sessionUpdate } from './session.ts';
import { stepDone, stepFail, stepSkip, stepStart } from './step.ts';
import { noteAdd, stateRestore, storeInit, storeMigrate } from './store.ts';
import { stateUndo } from './undo.ts';

const all = [
  artifactPut,
  checkpointCreate,
  checkpointDelete,
  cleanupFeatures,
  cleanupSessions,
  costAdd,
  costSet,
  featureAdd,
  featureArchive,
  featureClaim,
  featureComplete,
  featureFail,
  featureRelease,
  featureRemove,
  featureRetry,
  featureUpdate,
  heartbeat,
  importSessions,
  noteAdd,
  planLoad,
  presetPut,
  qualitySet,
  resume,
  sessionArchive,
  sessionComplete,
  sessionFail,
  sessionRecover,
  sessionStart,
  sessionUpdate,
  stateRestore,
  stateUndo,
  stepDone,
  stepFail,
  stepSkip,
  stepStart,
  storeInit,
  storeMigrate,
  storeReset,
] as unknown as readonly Proposal<unknown>[];

/** Proposals by the names under which their requests travel between processes. One that shares its name with another is
 *  left out: each process decides it by itself. */
export const proposals: ReadonlyMap<string, Proposal<unknown>> = new Map(
  all.map((proposal) => [proposal.name, proposal]),
);
