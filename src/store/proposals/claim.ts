import { z } from 'zod';
import { budgetExceeded, type IsStopped, neverStopped, stopsOn } from '../../core/budgets.ts';
import type { Feature, Holder, Session } from '../../core/entities.ts';
import { FeatureId, keyOf, type WorkerId } from '../../core/ids.ts';
import { holderDetails, invalidTransition, requireRight } from '../../core/rules.ts';
import {
  blockedFeatures,
  claimedFeatures,
  compareClaimOrder,
  firstReady,
  heldBy,
  isAllComplete,
  progressOf,
} from '../../core/select.ts';
import { type Contents, contentsOf, requireActiveSession, requireFeature } from '../../core/state.ts';
import { Duration, leaseEndOf, parseDuration } from '../../core/time.ts';
import { GitStateError } from '../../errors.ts';
import { type Judgement, judgeClaim, type Lease } from '../lease.ts';
import { firstLease } from '../moves.ts';
import { type Decision, proposal, type View } from '../proposal.ts';
import { claimIdOf, parseToken } from '../token.ts';
import { codeFor } from './claim-code.ts';
import { featureOf, featureScope, isDerivedFrom, rightOf, sessionOf } from './scope.ts';

const request = z.strictObject({
  ...featureScope,
  lease: Duration.optional(),
  /** Whether a worktree is wanted; its branch and path are recorded with the claim. */
  worktree: z.boolean().optional(),
  /** Only these may be taken where none is named. */
  only: z.array(FeatureId).optional(),
  /** These may not be taken where none is named. */
  except: z.array(FeatureId).optional(),
  /** Made by the runner: the claim is over when its process is. */
  runner: z.boolean().optional(),
});
type ClaimRequest = z.infer<typeof request>;

/** A worker takes the feature named, or the next that is ready, or one whose claim is over.
 *  @throws NOTHING_READY, ALREADY_CLAIMED, WORKER_BUSY and what `applyFeatureClaim` refuses. */
export const featureClaim = proposal('claim', request, (asked, view): Decision => {
  const session = sessionOf(view.state, asked.session);
  requireActiveSession(view.state, session.id);
  const contents = contentsOf(view.state, session.id);
  const worker = asked.worker ?? freeName(view, contents);
  const feature = asked.feature
    ? requireFeature(view.state, session.id, asked.feature)
    : choose(view, session, contents, asked, worker);
  if (feature.claim && asked.token !== undefined && feature.claim.id === parseToken(asked.token)) {
    return renew(view, session, feature, asked.lease);
  }
  const takeover = feature.claim ? takeoverOf(view, session, feature, asked) : undefined;
  return {
    type: 'feature.claim',
    session: session.id,
    actor: worker,
    args: {
      feature: feature.id,
      worker,
      claim: claimIdOf(view.tokenSecretPart),
      lease_end: leaseEndOf(view.nowMs + leaseMs(session, asked.lease)),
      holder: holderOf(view, asked),
      ...(asked.runner ? { runner: true as const } : {}),
      takeover,
      ...(asked.worktree ? codeFor(view, session, feature) : {}),
    },
  };
});

function leaseMs(session: Session, lease: string | undefined): number {
  return parseDuration(lease ?? session.default_lease)!;
}

/** Only the runner's process lives as long as its claim; of other claims only the host is worth knowing. */
function holderOf({ env }: View, { runner }: ClaimRequest): Holder {
  const { host, boot, pidns, pid, started } = env.identity;
  return runner
    ? { host, boot, pidns, pid, started }
    : { host, boot: null, pidns: null, pid: null, started: null };
}

/** The derived name, or the first of its numbered followers that holds nothing. */
function freeName({ derivedWorker }: View, contents: Contents): WorkerId {
  for (let count = 1; ; count += 1) {
    const name = count === 1 ? derivedWorker : `${derivedWorker}-${count}`;
    if (!heldBy(contents, name)) return name as WorkerId;
  }
}

function choose(
  view: View,
  session: Session,
  contents: Contents,
  asked: ClaimRequest,
  worker: string,
): Feature {
  const token = asked.token === undefined ? null : parseToken(asked.token);
  const own =
    token === null
      ? heldBy(contents, worker)
      : claimedFeatures(contents).find(({ claim }) => claim?.id === token);
  if (own) {
    if (token !== null || judge(view, session, own).state !== 'live') return own;
    throw new GitStateError('WORKER_BUSY', `worker '${worker}' holds feature '${own.id}'`, {
      hint: `finish it, or give it back with \`git state release ${own.id}\``,
      details: { feature: own.id },
    });
  }
  const allowed = asked.only && new Set(asked.only.map(keyOf));
  const refused = new Set(asked.except?.map(keyOf));
  const accept = ({ id }: Feature) => (allowed?.has(keyOf(id)) ?? true) && !refused.has(keyOf(id));
  const isStopped = stopsOn(session, contents, view.at);
  const found =
    firstReady(contents, isStopped, accept) ??
    firstAbandoned(view, session, contents, (feature) => accept(feature) && !isStopped(feature));
  if (found) return found;
  // Only money stands in the way.
  const unpaid = firstReady(contents, neverStopped, accept);
  if (unpaid) throw budgetExceeded(session, contents, unpaid, view.at);
  throw nothingReady(contents, isStopped);
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
    if (feature.claim === null || judge(view, session, feature).state !== 'live') return feature;
  }
  return null;
}

/** Says whether all is done, or what waits for what. */
export function nothingReady(contents: Contents, isStopped: IsStopped): GitStateError {
  const progress = progressOf(contents, isStopped);
  const all_complete = isAllComplete(progress);
  const { blocked, in_progress, failed } = progress;
  const message = all_complete
    ? progress.total === 0
      ? 'nothing is ready: there are no features yet'
      : 'nothing is ready: all is complete'
    : `nothing is ready: ${in_progress} in progress, ${blocked} blocked, ${failed} failed`;
  return new GitStateError('NOTHING_READY', message, {
    hint: all_complete
      ? 'add features with `git state add` or `git state plan load`'
      : in_progress > 0
        ? 'wait for one with `git state claim --wait`, or see `git state status`'
        : 'see what blocks what with `git state status`; failed features wait for `git state retry`',
    details: { all_complete, blocked: blockedFeatures(contents), in_progress: underWay(contents) },
  });
}

/** Who works on what; a runner's claim ends by itself. */
function underWay(contents: Contents): { id: string; worker: string | null; runner: boolean }[] {
  return claimedFeatures(contents).map(({ id, worker_id, claim }) => ({
    id,
    worker: worker_id,
    runner: claim?.runner ?? false,
  }));
}

export function judge(view: View, session: Session, feature: Feature): Judgement {
  const { env, nowMs, driftMs } = view;
  return judgeClaim(feature, view.lease(session.id, feature), { env, nowMs, driftMs });
}

/** The evidence that allows to take a claim over. @throws ALREADY_CLAIMED while it is live and nothing forces it. */
function takeoverOf(view: View, session: Session, feature: Feature, { force }: ClaimRequest) {
  const { state, lease, end } = judge(view, session, feature);
  if (state === 'live' && !force) {
    throw new GitStateError(
      'ALREADY_CLAIMED',
      `feature '${feature.id}' is claimed by '${feature.worker_id}' until ${end}`,
      {
        hint: 'take another one: `git state claim` without an id gives the next that is ready',
        details: { ...holderDetails(feature), expires_at: end },
      },
    );
  }
  return {
    reason: state === 'live' ? ('forced' as const) : state,
    worker: feature.worker_id!,
    claim: feature.claim!.id,
    lease: (lease?.oid ?? null) as never,
    lease_end: end,
    now: leaseEndOf(view.nowMs),
  };
}

const renewal = z.strictObject({
  ...featureScope,
  lease: Duration.optional(),
  /** The process group that works under the lease. */
  child: z.strictObject({ pid: z.int(), started: z.string().nullable() }).nullable().optional(),
});

/** The lease of a held claim is renewed: no commit, only the lease's ref moves.
 *  @throws STALE_TOKEN, NOT_HOLDER, INVALID_TRANSITION where the feature is not claimed. */
export const heartbeat = proposal('heartbeat', renewal, (asked, view): Decision => {
  const session = sessionOf(view.state, asked.session);
  const feature = featureOf(view, session, asked);
  requireHeld(view, feature, asked);
  return renew(view, session, feature, asked.lease, asked.child);
});

/** @throws STALE_TOKEN, NOT_HOLDER, INVALID_TRANSITION */
export function requireHeld(view: View, feature: Feature, asked: z.infer<typeof renewal>): void {
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

function renew(
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
