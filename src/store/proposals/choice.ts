import * as z from 'zod';
import { pauseEndOf } from '../../core/backoff.ts';
import { budgetExceeded, neverStopped, stopsOn } from '../../core/budgets.ts';
import type { Feature, Session } from '../../core/entities.ts';
import { FeatureId, keyOf } from '../../core/ids.ts';
import { matcherOf } from '../../core/match.ts';
import { claimedFeatures, compareClaimOrder, firstReady, heldBy, isReady } from '../../core/select.ts';
import type { Contents } from '../../core/state.ts';
import { Duration, leaseEndOf, millisecondsOf, parseDuration } from '../../core/time.ts';
import { GitStateError } from '../../errors.ts';
import type { View } from '../proposal.ts';
import { parseToken } from '../token.ts';
import { isOver, judge } from './judgement.ts';
import { nothingReady } from './nothing-ready.ts';

/** What a request says about the feature that it does not name. */
export const choiceFields = {
  /** Only these may be taken. */
  only: z.array(FeatureId).optional(),
  /** These may not be taken. */
  except: z.array(FeatureId).optional(),
  /** Conditions on the one that is taken, such as `priority=P0,P1`. */
  match: z.array(z.string().max(1000)).optional(),
  /** Pause after a first failure; see `pauseEndOf`. None where it is left out. */
  backoff: Duration.optional(),
};
const choice = z.object(choiceFields).extend({ token: z.string().optional() });
type Choice = z.infer<typeof choice>;

/** The feature that a claim without an id is about: the worker's own, else the first ready one that is asked for, else
 *  one whose claim is over. @throws WORKER_BUSY, NOTHING_READY, BUDGET_EXCEEDED */
export function choose(
  view: View,
  session: Session,
  contents: Contents,
  asked: Choice,
  worker: string,
): Feature {
  const own = ownOf(view, session, contents, asked, worker);
  if (own) return own;
  const isWanted = wantedBy(asked);
  const isPausing = pausesOf(view, asked);
  const isStopped = stopsOn(session, contents, view.at);
  const accept = (feature: Feature) => isWanted(feature) && isPausing(feature) === null;
  const found =
    firstReady(contents, isStopped, accept) ??
    firstAbandoned(view, session, contents, (feature) => accept(feature) && !isStopped(feature));
  if (found) return found;
  // Only money stands in the way.
  const unpaid = firstReady(contents, neverStopped, accept);
  if (unpaid) throw budgetExceeded(session, contents, unpaid, view.at);
  const matches = matcherOf(asked.match);
  throw nothingReady(contents, isStopped, {
    matches,
    pausing: [...contents.features.values()].flatMap((feature) => {
      const endMs = isReady(contents, feature, isStopped) && isWanted(feature) ? isPausing(feature) : null;
      return endMs === null ? [] : [{ id: feature.id, until: leaseEndOf(endMs) }];
    }),
    doubt: doubtOf(view, session, contents, matches),
  });
}

/** The feature that the worker or the token holds already. @throws WORKER_BUSY where two could have one name */
function ownOf(
  view: View,
  session: Session,
  contents: Contents,
  asked: Choice,
  worker: string,
): Feature | null {
  const token = asked.token === undefined ? null : parseToken(asked.token);
  if (token !== null) return claimedFeatures(contents).find(({ claim }) => claim?.id === token) ?? null;
  const own = heldBy(contents, worker);
  if (!own || isOver(view, session, own)) return own;
  throw new GitStateError('WORKER_BUSY', `worker '${worker}' holds feature '${own.id}'`, {
    hint: `finish it, or give it back with \`git state release ${own.id}\``,
    details: { feature: own.id },
  });
}

function wantedBy({ only, except, match }: Choice): (feature: Feature) => boolean {
  const allowed = only && new Set(only.map(keyOf));
  const refused = new Set(except?.map(keyOf));
  const matches = matcherOf(match);
  return (feature) => {
    const key = keyOf(feature.id);
    return (allowed?.has(key) ?? true) && !refused.has(key) && matches(feature);
  };
}

/** The end of a feature's pause after a failure; null where it has none, or it is over. A failure that lies in the
 *  future was written by a clock that is wrong. */
function pausesOf({ nowMs, driftMs }: View, { backoff }: Choice): (feature: Feature) => number | null {
  const backoffMs = parseDuration(backoff ?? '0ms')!;
  return (feature) => {
    const endMs = pauseEndOf(feature, backoffMs);
    if (endMs === null || endMs <= nowMs) return null;
    return millisecondsOf(feature.ended_claim!.at) - nowMs > driftMs ? null : endMs;
  };
}

/** The first feature in progress whose claim is over, or that never had one. */
function firstAbandoned(
  view: View,
  session: Session,
  contents: Contents,
  accept: (feature: Feature) => boolean,
): Feature | null {
  const busy = [...contents.features.values()].filter(
    (feature) => feature.status === 'in_progress' && accept(feature),
  );
  for (const feature of busy.sort(compareClaimOrder)) {
    if (feature.claim === null || isOver(view, session, feature)) return feature;
  }
  return null;
}

/** What keeps features from being taken over, where that is a clock. */
function doubtOf(
  view: View,
  session: Session,
  contents: Contents,
  matches: (feature: Feature) => boolean,
): string | null {
  for (const feature of claimedFeatures(contents)) {
    const doubt = matches(feature) ? judge(view, session, feature).doubt : null;
    if (doubt !== null) return doubt;
  }
  return null;
}
