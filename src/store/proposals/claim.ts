import * as z from 'zod';
import type { Feature, Holder, Session } from '../../core/entities.ts';
import type { WorkerId } from '../../core/ids.ts';
import { heldBy } from '../../core/select.ts';
import { type Contents, contentsOf, requireActiveSession, requireFeature } from '../../core/state.ts';
import { Duration, leaseEndOf } from '../../core/time.ts';
import { type Decision, proposal, type View } from '../proposal.ts';
import { claimIdOf, parseToken } from '../token.ts';
import { choiceFields, choose } from './choice.ts';
import { codeFor } from './claim-code.ts';
import { evidenceOf, judge, stillClaimed } from './judgement.ts';
import { leaseMs, renew } from './renewal.ts';
import { featureScope, sessionOf } from './scope.ts';

const request = z.strictObject({
  ...featureScope,
  lease: Duration.optional(),
  /** Whether a worktree is wanted; its branch and path are recorded with the claim. */
  worktree: z.boolean().optional(),
  ...choiceFields,
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

/** The evidence that allows to take a claim over. @throws ALREADY_CLAIMED while it is live, or its lease is judged by a
 *  doubtful clock, and nothing forces it. */
function takeoverOf(view: View, session: Session, feature: Feature, { force }: ClaimRequest) {
  const judged = judge(view, session, feature);
  const { state, doubt } = judged;
  if (state !== 'live' && doubt === null) return evidenceOf(view, feature, judged, state);
  if (force) return evidenceOf(view, feature, judged, 'forced');
  throw stillClaimed(
    feature,
    judged,
    'take another one: `git state claim` without an id gives the next that is ready',
  );
}
