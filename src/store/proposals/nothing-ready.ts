import type { IsStopped } from '../../core/budgets.ts';
import type { Feature } from '../../core/entities.ts';
import { keyOf } from '../../core/ids.ts';
import { blockedFeatures, claimedFeatures, isAllComplete, progressOf } from '../../core/select.ts';
import type { Contents } from '../../core/state.ts';
import { GitStateError } from '../../errors.ts';

interface Circumstances {
  /** The features that were asked for; all by default. */
  matches?: (feature: Feature) => boolean;
  /** Ready features that wait until a failure is some time ago. */
  pausing?: { id: string; until: string }[];
  /** Why claims that seem to be over cannot be taken over. */
  doubt?: string | null;
}

/** Says whether all is done, or what waits for what, of the features that were asked for. */
export function nothingReady(
  contents: Contents,
  isStopped: IsStopped,
  { matches = () => true, pausing = [], doubt = null }: Circumstances = {},
): GitStateError {
  const wanted = [...contents.features.values()].filter(matches);
  const progress = progressOf(contents, isStopped, matches);
  const all_complete = isAllComplete(progress);
  const { total, blocked, in_progress, failed } = progress;
  const ids = new Set<string>(wanted.map(({ id }) => id));
  const behind = dependenciesOf(contents, wanted);
  const waits = pausing.length > 0 ? `, ${pausing.length} pausing after a failure` : '';
  const message = all_complete
    ? total === 0
      ? `nothing is ready: ${contents.features.size === 0 ? 'there are no features yet' : 'no feature matches'}`
      : 'nothing is ready: all is complete'
    : `nothing is ready: ${in_progress} in progress, ${blocked} blocked, ${failed} failed${waits}`;
  return new GitStateError('NOTHING_READY', message, {
    hint: doubt ?? hintFor(all_complete, in_progress),
    details: {
      all_complete,
      blocked: blockedFeatures(contents).filter(({ id }) => ids.has(id)),
      in_progress: underWay(contents).filter(({ id }) => behind.has(id)),
      ...(pausing.length > 0 ? { pausing } : {}),
    },
  });
}

function hintFor(allComplete: boolean, inProgress: number): string {
  if (allComplete) return 'add features with `git state add` or `git state plan load`';
  return inProgress > 0
    ? 'wait for one with `git state claim --wait`, or see `git state status`'
    : 'see what blocks what with `git state status`; failed features wait for `git state retry`';
}

/** Who works on what; a runner's claim ends by itself. */
function underWay(contents: Contents): { id: string; worker: string | null; runner: boolean }[] {
  return claimedFeatures(contents).map(({ id, worker_id, claim }) => ({
    id,
    worker: worker_id,
    runner: claim?.runner ?? false,
  }));
}

/** The ids of features and of all that they depend on, directly or not. */
function dependenciesOf({ features }: Contents, wanted: Feature[]): Set<string> {
  const ids = new Set<string>(wanted.map(({ id }) => id));
  for (const id of ids) for (const next of features.get(keyOf(id))?.dependencies ?? []) ids.add(next);
  return ids;
}
