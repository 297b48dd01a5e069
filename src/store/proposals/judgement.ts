import type { Feature, Session } from '../../core/entities.ts';
import { holderDetails } from '../../core/rules.ts';
import { claimedFeatures } from '../../core/select.ts';
import { contentsOf } from '../../core/state.ts';
import { leaseEndOf, millisecondsOf } from '../../core/time.ts';
import { GitStateError } from '../../errors.ts';
import { clocksDiffer } from '../clocks.ts';
import { type Judgement, judgeClaim } from '../lease.ts';
import type { View } from '../proposal.ts';

export interface Judged extends Judgement {
  /** Why the end of the lease is not believed: it is another host's, and the clocks differ. Null where it is. */
  doubt: string | null;
}

/** Judges the claim of a feature by its lease as it is now. */
export function judge(view: View, session: Session, feature: Feature): Judged {
  const { env, nowMs, driftMs } = view;
  const judged = judgeClaim(feature, view.lease(session.id, feature), { env, nowMs, driftMs });
  const foreign = judged.state === 'expired' && feature.claim!.host !== env.identity.host;
  return { ...judged, doubt: foreign ? doubtOf(view, session) : null };
}

/** Whether a claim is over, so that its feature may be taken by somebody else. */
export function isOver(view: View, session: Session, feature: Feature): boolean {
  const { state, doubt } = judge(view, session, feature);
  return state !== 'live' && doubt === null;
}

/** What was judged of a claim that ends: leases lie outside the state, so it travels with the operation. */
export function evidenceOf<R extends string>(
  view: View,
  feature: Feature,
  { lease, end }: Judged,
  reason: R,
) {
  return {
    reason,
    worker: feature.worker_id!,
    claim: feature.claim!.id,
    lease: (lease?.oid ?? null) as never,
    lease_end: end,
    now: leaseEndOf(view.nowMs),
  };
}

/** The refusal where a claim is live, or its lease is judged by a doubtful clock. */
export function stillClaimed(feature: Feature, { end, doubt }: Judged, hint: string): GitStateError {
  return new GitStateError(
    'ALREADY_CLAIMED',
    `feature '${feature.id}' is claimed by '${feature.worker_id}' until ${end}`,
    { hint: doubt ?? hint, details: { ...holderDetails(feature), expires_at: end } },
  );
}

/** Commits are no younger than now, unless the clock that made them or our own is wrong. */
function doubtOf(view: View, session: Session): string | null {
  const { nowMs, driftMs } = view;
  const leases = claimedFeatures(contentsOf(view.state, session.id)).map(
    (feature) => view.lease(session.id, feature)?.madeMs ?? 0,
  );
  const newestMs = Math.max(millisecondsOf(view.at), ...leases);
  if (newestMs - nowMs <= driftMs) return null;
  return `${clocksDiffer(nowMs, newestMs)}: until the one that is wrong is set, leases of other hosts cannot be judged here`;
}
