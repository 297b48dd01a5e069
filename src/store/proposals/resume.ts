import * as z from 'zod';
import type { Checkpoint, CodeHead, Feature, Session } from '../../core/entities.ts';
import { checkpointByPrefix, featureByPrefix } from '../../core/prefix.ts';
import { invalidTransition } from '../../core/rules.ts';
import { checkpointsOf, recordedHead } from '../../core/select.ts';
import { contentsOf, type State } from '../../core/state.ts';
import { GitStateError } from '../../errors.ts';
import { type Decision, proposal, type View } from '../proposal.ts';
import { evidenceOf, judge, stillClaimed } from './judgement.ts';
import { readableSessionOf, scope } from './scope.ts';

const Name = z.string().min(1).max(280);

const request = z.strictObject({
  ...scope,
  /** A checkpoint: its name, or the beginning of it. */
  checkpoint: Name.optional(),
  /** A feature: its id, or the beginning of it. */
  feature: Name.optional(),
  /** That of the environment or of the worktree's claim file, where neither of the others names one. */
  surrounding: Name.optional(),
});
export type ResumeRequest = z.infer<typeof request>;

/** What is to be taken up again. */
export interface Resumption {
  session: Session;
  checkpoint: Checkpoint | null;
  feature: Feature | null;
  /** Where the code of the feature stood; null where nothing is recorded. */
  head: CodeHead | null;
}

/** The feature that is meant is the one named, else the checkpoint's own, else that of the surroundings. Without a
 *  checkpoint it is the newest one that knows of the feature.
 *  @throws SESSION_NOT_FOUND, AMBIGUOUS_SESSION, CHECKPOINT_NOT_FOUND, FEATURE_NOT_FOUND, INVALID_INPUT (several
 *  match, or the checkpoint is another feature's) */
export function resumptionOf(state: State, asked: ResumeRequest): Resumption {
  const session = readableSessionOf(state, asked.session);
  const named =
    asked.checkpoint === undefined ? null : checkpointByPrefix(state, session.id, asked.checkpoint);
  const text = asked.feature ?? named?.feature ?? asked.surrounding;
  const feature = text === undefined ? null : featureByPrefix(state, session.id, text);
  if (feature && named?.feature && named.feature !== feature.id) {
    throw new GitStateError(
      'INVALID_INPUT',
      `checkpoint '${named.name}' is one of feature '${named.feature}', not of '${feature.id}'`,
      {
        hint: `leave --feature out, or see those of the feature: git state checkpoint list --feature ${feature.id}`,
      },
    );
  }
  const contents = contentsOf(state, session.id);
  const checkpoint = named ?? (feature ? (checkpointsOf(contents, feature).at(-1) ?? null) : null);
  const head = feature ? recordedHead(contents, feature, named) : null;
  return { session, checkpoint, feature, head };
}

/** A feature is taken up where it stands: nothing that was finished since is taken back, and a claim that is over is
 *  ended. Without a feature nothing is written.
 *  @throws INVALID_TRANSITION (finished), ALREADY_CLAIMED (a live claim), COMMIT_NOT_FOUND (its code is gone) */
export const resume = proposal('resume', request, (asked, view): Decision => {
  const { session, feature, head } = resumptionOf(view.state, asked);
  if (!feature) return { unchanged: true, session: session.id };
  if (feature.status === 'completed' || feature.status === 'archived') throw finished(feature);
  const over = feature.claim ? evidenceAgainst(view, session, feature) : null;
  if (head && view.ref(head.oid) === null) throw codeGone(feature, head);
  if (!over) return { unchanged: true, session: session.id, feature: feature.id };
  return {
    type: 'feature.release',
    session: session.id,
    actor: asked.worker,
    args: { feature: feature.id, over },
  };
});

/** @throws ALREADY_CLAIMED while the claim is live */
function evidenceAgainst(view: View, session: Session, feature: Feature) {
  const judged = judge(view, session, feature);
  const { state, doubt } = judged;
  if (state !== 'live' && doubt === null) return evidenceOf(view, feature, judged, state);
  throw stillClaimed(
    feature,
    judged,
    'nothing has to be resumed while its holder works; see `git state status`',
  );
}

function finished({ id, status }: Feature): GitStateError {
  return invalidTransition(
    `cannot resume feature '${id}': it is ${status}`,
    status,
    ['pending', 'in_progress', 'failed'],
    `to do it again: git state retry ${id}`,
  );
}

function codeGone({ id }: Feature, { branch, oid }: CodeHead): GitStateError {
  return new GitStateError(
    'COMMIT_NOT_FOUND',
    `the code of feature '${id}' is not in this repository: commit ${oid} of branch '${branch}'`,
    {
      hint: 'fetch it from where it was pushed to, then resume again',
      details: { feature: id, branch, oid },
    },
  );
}
