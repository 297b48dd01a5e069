import type { Checkpoint, Feature } from '../core/entities.ts';
import { compareNatural } from '../core/ids.ts';
import type { JsonObject, JsonValue } from '../core/json.ts';
import type { Contents } from '../core/state.ts';

/** Checkpoints of production's phases. */

/** The newest checkpoint of a phase. */
export function newestCheckpoint(contents: Contents, feature: string, step: string): Checkpoint | undefined {
  return [...contents.checkpoints.values()]
    .filter((checkpoint) => checkpoint.feature === feature && checkpoint.step === step)
    .sort((a, b) => compareTimes(a, b) || compareNatural(a.name, b.name))
    .at(-1);
}

function compareTimes(a: Checkpoint, b: Checkpoint): number {
  return a.created_at < b.created_at ? -1 : a.created_at > b.created_at ? 1 : 0;
}

/** A checkpoint as production's documents have it.
 *  @param headsFound whether the code that it names can still be found. */
export function checkpointContents(
  feature: Feature,
  checkpoint: Checkpoint,
  headsFound: boolean,
): JsonObject {
  const finished = feature.status === 'completed' || feature.status === 'archived';
  return {
    phase: checkpoint.step,
    timestamp: checkpoint.created_at,
    data: checkpoint.data as JsonValue,
    next_phase: checkpoint.next_step,
    can_resume: !finished && headsFound,
  };
}
