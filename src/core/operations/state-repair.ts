import * as z from 'zod';
import { CheckpointName, keyOf, Oid, SessionId } from '../ids.ts';
import { Text } from '../json.ts';
import { backToPending, endClaim } from '../rules.ts';
import { contentsBySession } from '../select.ts';
import { findCheckpoint, putCheckpoint, requireStore, type State } from '../state.ts';
import { Table } from '../table.ts';
import type { Instant } from '../time.ts';
import { type OperationIn, storeOperation } from './define.ts';

/** The store goes on from the newest state that can be read, after its branch was damaged. */
export const StateRepair = storeOperation('state.repair', () => ({
  /** Where the branch stood; null where that could not be told. It is kept beside the branch. */
  damaged: Oid.nullable(),
  /** Where the state comes from, and the tree that stands there. */
  commit: Oid,
  tree: Oid,
  /** What was wrong. */
  fault: Text,
  /** How many operations at most came after `commit` and are not taken over. */
  lost: z.int().min(0),
  /** Checkpoints whose files this commit writes again, with the commits that they name. */
  checkpoints: z.array(z.strictObject({ session: SessionId, name: CheckpointName, commit: Oid })),
}));
export type StateRepair = OperationIn<typeof StateRepair>;

/** Returns the state of `source`. Where operations were lost, claims end, and every claim counter rises beyond what the
 *  lost ones can have reached: no token is ever given out twice. */
export function applyStateRepair({ args, at }: StateRepair, source: State): State {
  requireStore(source);
  const fenced = args.lost === 0 ? source : withoutClaims(source, args.lost, at);
  return args.checkpoints.reduce((state, { session, name, commit }) => {
    const checkpoint = findCheckpoint(state, session, name);
    return checkpoint ? putCheckpoint(state, session, { ...checkpoint, commit }) : state;
  }, fenced);
}

function withoutClaims(state: State, lost: number, at: Instant): State {
  let { sessions, contents } = state;
  for (const { session, contents: own } of contentsBySession(state)) {
    const key = keyOf(session.id);
    const features = [...own.features.entries()].map(([id, feature]) => {
      const free = feature.claim ? backToPending(endClaim(feature, 'state.repair', at)) : feature;
      return [id, { ...free, claim_count: feature.claim_count + lost, updated_at: at }] as const;
    });
    const counts = Object.entries(session.claim_counts).map(([id, count]) => [id, count + lost]);
    sessions = sessions.with(key, { ...session, claim_counts: Object.fromEntries(counts) });
    contents = contents.with(key, { ...own, features: Table.of(features) });
  }
  return { ...state, sessions, contents };
}

export function describeStateRepair({ args }: StateRepair): string {
  return `repair to ${args.commit.slice(0, 12)}`;
}
