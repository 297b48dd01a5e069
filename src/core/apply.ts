import { schemaVersion } from './entities.ts';
import type { Operation } from './operation.ts';
import { applyArtifactPut } from './operations/artifact-put.ts';
import { applyCheckpointCreate, applyCheckpointDelete } from './operations/checkpoint.ts';
import { applyCost } from './operations/cost.ts';
import { applyFeatureAdd, applyPlanLoad } from './operations/feature-add.ts';
import { applyFeatureArchive } from './operations/feature-archive.ts';
import { applyFeatureClaim } from './operations/feature-claim.ts';
import { applyFeatureComplete } from './operations/feature-complete.ts';
import { applyFeatureFail } from './operations/feature-fail.ts';
import { applyFeatureRelease } from './operations/feature-release.ts';
import { applyFeatureRemove } from './operations/feature-remove.ts';
import { applyFeatureRenew } from './operations/feature-renew.ts';
import { applyFeatureRetry } from './operations/feature-retry.ts';
import { applyFeatureUpdate } from './operations/feature-update.ts';
import { applyNoteAdd } from './operations/note-add.ts';
import { applyPresetPut } from './operations/preset-put.ts';
import { applyQualitySet } from './operations/quality-set.ts';
import { applySessionEnd } from './operations/session-end.ts';
import { applySessionRecover } from './operations/session-recover.ts';
import { applySessionStart } from './operations/session-start.ts';
import { applySessionUpdate } from './operations/session-update.ts';
import { applyStateRepair } from './operations/state-repair.ts';
import { applyStateRestore } from './operations/state-restore.ts';
import { applyStateUndo } from './operations/state-undo.ts';
import { applyStepAdvance } from './operations/step-advance.ts';
import { applyStoreCleanup, applyStoreReset } from './operations/store-cleanup.ts';
import { applyStoreImport } from './operations/store-import.ts';
import { applyStoreInit } from './operations/store-init.ts';
import { applyStoreMigrate } from './operations/store-migrate.ts';
import { applyStoreSeal } from './operations/store-seal.ts';
import type { Reads, State } from './state.ts';

/** What an operation names and does not carry: the state of an earlier commit. The store loads it beforehand. */
export interface Material {
  /** @throws NotLoaded's like: whatever makes the caller load `commit` and apply again. */
  stateAt(commit: string): State;
  /** The schema of the commit that carries the operation; the newest by default. */
  readonly schema?: number;
}

/** Returns the state after `operation`, or throws the coded refusal. Pure: no clock, no Git, no randomness. */
export function apply(state: State, operation: Operation, material: Material): State {
  switch (operation.type) {
    case 'store.init':
      return applyStoreInit(state, operation, material.schema ?? schemaVersion);
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
    case 'feature.renew':
      return applyFeatureRenew(state, operation);
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
    case 'session.recover':
      return applySessionRecover(state, operation);
    case 'cost.add':
    case 'cost.set':
      return applyCost(state, operation);
    case 'quality.set':
      return applyQualitySet(state, operation);
    case 'artifact.put':
      return applyArtifactPut(state, operation);
    case 'preset.put':
      return applyPresetPut(state, operation);
    case 'store.cleanup':
      return applyStoreCleanup(state, operation);
    case 'store.reset':
      return applyStoreReset(state);
    case 'store.import':
      return applyStoreImport(state, operation);
    case 'note.add':
      return applyNoteAdd(state, operation);
    case 'checkpoint.create':
      return applyCheckpointCreate(state, operation);
    case 'checkpoint.delete':
      return applyCheckpointDelete(state, operation);
    case 'state.restore':
      return applyStateRestore(state, operation, material.stateAt(operation.args.commit));
    case 'state.undo': {
      const { commit, parent } = operation.args;
      return applyStateUndo(state, operation, material.stateAt(parent), material.stateAt(commit));
    }
    case 'state.repair':
      return applyStateRepair(operation, material.stateAt(operation.args.commit));
    case 'store.migrate':
      return applyStoreMigrate(state, operation);
    case 'store.seal':
      return applyStoreSeal(state);
    default:
      return operation satisfies never;
  }
}

/** What must be loaded before `operation` can be applied. */
export function reads(operation: Operation): Reads {
  const isOfStore = operation.session === null;
  if (isOfStore && ['store.cleanup', 'state.undo', 'store.migrate'].includes(operation.type))
    return { contents: 'all' };
  if (operation.type === 'store.import') {
    const { sessions, removed = [] } = operation.args;
    const merged = sessions.filter(({ merge }) => merge).map(({ session }) => session.id);
    return { contents: [...merged, ...removed] };
  }
  return { contents: operation.session === null ? [] : [operation.session] };
}
