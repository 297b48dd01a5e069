import type { Operation } from './operation.ts';
import { describeArtifactPut } from './operations/artifact-put.ts';
import { describeCheckpointCreate, describeCheckpointDelete } from './operations/checkpoint.ts';
import { describeCost } from './operations/cost.ts';
import { describeFeatureAdd, describePlanLoad } from './operations/feature-add.ts';
import { describeFeatureArchive } from './operations/feature-archive.ts';
import { describeFeatureClaim } from './operations/feature-claim.ts';
import { describeFeatureComplete } from './operations/feature-complete.ts';
import { describeFeatureFail } from './operations/feature-fail.ts';
import { describeFeatureRelease } from './operations/feature-release.ts';
import { describeFeatureRemove } from './operations/feature-remove.ts';
import { describeFeatureRenew } from './operations/feature-renew.ts';
import { describeFeatureRetry } from './operations/feature-retry.ts';
import { describeFeatureUpdate } from './operations/feature-update.ts';
import { describeNoteAdd } from './operations/note-add.ts';
import { describePresetPut } from './operations/preset-put.ts';
import { describeQualitySet } from './operations/quality-set.ts';
import { describeSessionEnd } from './operations/session-end.ts';
import { describeSessionRecover } from './operations/session-recover.ts';
import { describeSessionStart } from './operations/session-start.ts';
import { describeSessionUpdate } from './operations/session-update.ts';
import { describeStateRepair } from './operations/state-repair.ts';
import { describeStateRestore } from './operations/state-restore.ts';
import { describeStateUndo } from './operations/state-undo.ts';
import { describeStepAdvance } from './operations/step-advance.ts';
import { describeStoreCleanup, describeStoreReset } from './operations/store-cleanup.ts';
import { describeStoreImport } from './operations/store-import.ts';
import { describeStoreInit } from './operations/store-init.ts';
import { describeStoreMigrate } from './operations/store-migrate.ts';
import { describeStoreSeal } from './operations/store-seal.ts';

const subjectLengthMax = 72;

/** The subject line of an operation's commit: imperative, one line, at most 72 characters. */
export function describe(operation: Operation): string {
  const characters = [...escapeControls(subjectOf(operation))];
  if (characters.length <= subjectLengthMax) return characters.join('');
  return `${characters.slice(0, subjectLengthMax - 1).join('')}…`;
}

// A fixed list: Unicode's own classes grow, and a message must read back to the same bytes everywhere.
const controls =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu;
const shortEscapes = new Map([
  ['\b', '\\b'],
  ['\t', '\\t'],
  ['\n', '\\n'],
  ['\f', '\\f'],
  ['\r', '\\r'],
]);

/** Characters that could end a line, hide text or reverse it, written as JSON escapes. */
export function escapeControls(text: string): string {
  return text.replace(controls, (character) => shortEscapes.get(character) ?? hexEscapes(character));
}

function hexEscapes(character: string): string {
  const units = Array.from({ length: character.length }, (_, index) => character.charCodeAt(index));
  return units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('');
}

function subjectOf(operation: Operation): string {
  switch (operation.type) {
    case 'store.init':
      return describeStoreInit();
    case 'session.start':
      return describeSessionStart(operation);
    case 'session.update':
      return describeSessionUpdate(operation);
    case 'session.complete':
    case 'session.fail':
    case 'session.archive':
      return describeSessionEnd(operation);
    case 'feature.add':
      return describeFeatureAdd(operation);
    case 'plan.load':
      return describePlanLoad(operation);
    case 'feature.update':
      return describeFeatureUpdate(operation);
    case 'feature.remove':
      return describeFeatureRemove(operation);
    case 'feature.claim':
      return describeFeatureClaim(operation);
    case 'feature.renew':
      return describeFeatureRenew(operation);
    case 'feature.release':
      return describeFeatureRelease(operation);
    case 'feature.complete':
      return describeFeatureComplete(operation);
    case 'feature.fail':
      return describeFeatureFail(operation);
    case 'feature.retry':
      return describeFeatureRetry(operation);
    case 'feature.archive':
      return describeFeatureArchive(operation);
    case 'step.start':
    case 'step.done':
    case 'step.fail':
    case 'step.skip':
      return describeStepAdvance(operation);
    case 'session.recover':
      return describeSessionRecover(operation);
    case 'cost.add':
    case 'cost.set':
      return describeCost(operation);
    case 'quality.set':
      return describeQualitySet(operation);
    case 'artifact.put':
      return describeArtifactPut(operation);
    case 'preset.put':
      return describePresetPut(operation);
    case 'store.cleanup':
      return describeStoreCleanup(operation);
    case 'store.reset':
      return describeStoreReset();
    case 'store.import':
      return describeStoreImport(operation);
    case 'note.add':
      return describeNoteAdd(operation);
    case 'checkpoint.create':
      return describeCheckpointCreate(operation);
    case 'checkpoint.delete':
      return describeCheckpointDelete(operation);
    case 'state.restore':
      return describeStateRestore(operation);
    case 'state.undo':
      return describeStateUndo(operation);
    case 'state.repair':
      return describeStateRepair(operation);
    case 'store.migrate':
      return describeStoreMigrate(operation);
    case 'store.seal':
      return describeStoreSeal(operation);
    default:
      return operation satisfies never;
  }
}
