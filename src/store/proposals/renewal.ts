import * as z from 'zod';
import type { Feature, Session } from '../../core/entities.ts';
import { holderDetails, invalidTransition, requireRight } from '../../core/rules.ts';
import { Duration, leaseEndOf, parseDuration } from '../../core/time.ts';
import { GitStateError } from '../../errors.ts';
import type { Lease } from '../lease.ts';
import { firstLease } from '../moves.ts';
import { type Decision, proposal, type View } from '../proposal.ts';
import { featureOf, featureScope, isDerivedFrom, rightOf, sessionOf } from './scope.ts';

const request = z.strictObject({
  ...featureScope,
  lease: Duration.optional(),
  /** The process group that works under the lease. */
  child: z.strictObject({ pid: z.int(), started: z.string().nullable() }).nullable().optional(),
});

/** The lease of a held claim is renewed: no commit, only the lease's ref moves.
 *  @throws STALE_TOKEN, NOT_HOLDER, INVALID_TRANSITION where the feature is not claimed. */
export const heartbeat = proposal('heartbeat', request, (asked, view): Decision => {
  const session = sessionOf(view.state, asked.session);
  const feature = featureOf(view, session, asked);
  requireHeld(view, feature, asked);
  return renew(view, session, feature, asked.lease, asked.child);
});

/** @throws STALE_TOKEN, NOT_HOLDER, INVALID_TRANSITION */
function requireHeld(view: View, feature: Feature, asked: z.infer<typeof request>): void {
  requireRight(feature, rightOf(view, feature, asked));
  if (feature.claim === null) {
    throw invalidTransition(
      `feature '${feature.id}' is not claimed: it is ${feature.status}`,
      feature.status,
      ['in_progress'],
    );
  }
  const anonymous = asked.token === undefined && asked.worker === undefined;
  if (anonymous && !isDerivedFrom(view.derivedWorker, feature.worker_id)) {
    throw new GitStateError('NOT_HOLDER', `feature '${feature.id}' is claimed by '${feature.worker_id}'`, {
      hint: 'give its token with --token or GITSTATE_TOKEN',
      details: holderDetails(feature),
    });
  }
}

/** Moves the lease of a claim on from now. */
export function renew(
  view: View,
  session: Session,
  feature: Feature,
  lease: string | undefined,
  child?: Lease['child'],
): Decision {
  const from = view.lease(session.id, feature);
  const to: Lease = {
    ...firstLease(feature),
    expires_at: leaseEndOf(view.nowMs + leaseMs(session, lease)),
    child: child === undefined ? (from?.child ?? null) : child,
  };
  const renewal = { session: session.id, feature, from, to };
  if (!view.renewsOnBranch) return { unchanged: true, session: session.id, feature: feature.id, renewal };
  const worker = feature.worker_id!;
  const args = { feature: feature.id, worker, claim: feature.claim!.id, lease_end: to.expires_at };
  return { type: 'feature.renew', session: session.id, actor: worker, args, renewal };
}

export function leaseMs(session: Session, lease: string | undefined): number {
  return parseDuration(lease ?? session.default_lease)!;
}
