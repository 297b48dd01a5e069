import type { Operation } from './operation.ts';
import { applyCheckpointCreate, applyCheckpointDelete } from './operations/checkpoint.ts';
import { applyFeatureAdd, applyPlanLoad } from './operations/feature-add.ts';
import { applyFeatureArchive } from './operations/feature-archive.ts';
import { applyFeatureClaim } from './operations/feature-claim.ts';
import { applyFeatureComplete } from './operations/feature-complete.ts';
import { applyFeatureFail } from './operations/feature-fail.ts';
import { applyFeatureRelease } from './operations/feature-release.ts';
import { applyFeatureRemove } from './operations/feature-remove.ts';
import { applyFeatureRetry } from './operations/feature-retry.ts';
import { applyFeatureUpdate } from './operations/feature-update.ts';
import { applyNoteAdd } from './operations/note-add.ts';
import { applySessionEnd } from './operations/session-end.ts';
import { applySessionStart } from './operations/session-start.ts';
import { applySessionUpdate } from './operations/session-update.ts';
import { applyStateRestore } from './operations/state-restore.ts';
import { applyStepAdvance } from './operations/step-advance.ts';
import { applyStoreInit } from './operations/store-init.ts';
import type { Reads, State } from './state.ts';

/** What an operation names and does not carry: the state of an earlier commit. The store loads it beforehand. */
export interface Material {
  /** @throws NotLoaded's like: whatever makes the caller load `commit` and apply again. */
  stateAt(commit: string): State;
}

/** Returns the state after `operation`, or throws the coded refusal. Pure: no clock, no Git, no randomness. */
export function apply(state: State, operation: Operation, material: Material): State {
  switch (operation.type) {
    case 'store.init':
      return applyStoreInit(state, operation);
    case 'session.start':
      return applySessionStart(state, operation);
    case 'session.update':
      return applySessionUpdate(state, operation);
    case 'session.complete':
    case 'session.fail':
    case 'session.archive':
      return applySessionEnd(state, operation);
    case 'feature.add':
      return applyFeatureAdd(state, operation);
    case 'plan.load':
      return applyPlanLoad(state, operation);
    case 'feature.update':
      return applyFeatureUpdate(state, operation);
    case 'feature.remove':
      return applyFeatureRemove(state, operation);
    case 'feature.claim':
      return applyFeatureClaim(state, operation);
    case 'feature.release':
      return applyFeatureRelease(state, operation);
    case 'feature.complete':
      return applyFeatureComplete(state, operation);
    case 'feature.fail':
      return applyFeatureFail(state, operation);
    case 'feature.retry':
      return applyFeatureRetry(state, operation);
    case 'feature.archive':
      return applyFeatureArchive(state, operation);
    case 'step.start':
    case 'step.done':
    case 'step.fail':
    case 'step.skip':
      return applyStepAdvance(state, operation);
    case 'note.add':
      return applyNoteAdd(state, operation);
    case 'checkpoint.create':
      return applyCheckpointCreate(state, operation);
    case 'checkpoint.delete':
      return applyCheckpointDelete(state, operation);
    case 'state.restore':
      return applyStateRestore(state, operation, material.stateAt(operation.args.commit));
    default:
      return operation satisfies never;
  }
}

/** What must be loaded before `operation` can be applied. */
export function reads(operation: Operation): Reads {
  return { contents: operation.session === null ? [] : [operation.session] };
}
