import { GitStateError } from '../../errors.ts';
import { returnedCheckpoints } from '../checkpoints.ts';
import { removedCost, withRemovedCost } from '../costs.ts';
import type { Feature, Session } from '../entities.ts';
import { FeatureId, keyOf, Oid } from '../ids.ts';
import { equalJson, recordOf, Text } from '../json.ts';
import { backToPending, endClaim } from '../rules.ts';
import {
  type Contents,
  contentsOf,
  emptyContents,
  findFeature,
  findSession,
  putContents,
  putFeature,
  putSession,
  requireSession,
  requireStore,
  type State,
} from '../state.ts';
import { Table } from '../table.ts';
import type { Instant } from '../time.ts';
import { type OperationIn, sessionOperation } from './define.ts';

/** A session, or one feature of it, gets back the content it had at an earlier commit. History is not rewound. */
export const StateRestore = sessionOperation('state.restore', () => ({
  /** Where the content comes from, and the tree that stands there. */
  commit: Oid,
  tree: Oid,
  /** What the user named: a checkpoint, a commit, a date. */
  point: Text,
  feature: FeatureId.optional(),
  /** For a session that is there no more: the commits that had written its checkpoints, by `<session>/<name>`. */
  written: recordOf(Text, Oid).optional(),
}));
export type StateRestore = OperationIn<typeof StateRestore>;

/** Returns `state` with session.json and features as they are in `source`. Facts made since stay: costs,
 *  checkpoints, artifacts and workers. Features in progress wait at the step they were at, under no claim; claim
 *  counters never fall, so that every token from before is stale. The session is active again.
 *  @throws SESSION_NOT_FOUND, FEATURE_NOT_FOUND where `source` has none. */
export function applyStateRestore(
  state: State,
  { session: id, args, at }: StateRestore,
  source: State,
): State {
  requireStore(state);
  const then = findSession(source, id);
  if (!then) {
    throw new GitStateError('SESSION_NOT_FOUND', `session '${id}' did not exist at '${args.point}'`, {
      details: { session: id, commit: args.commit },
    });
  }
  if (args.feature !== undefined) return restoreFeature(state, id, args.feature, source, args.point, at);
  const now = findSession(state, id);
  const past = contentsOf(source, id);
  // A session that is there no more comes back whole: the facts of before went with it.
  const contents = now ? contentsOf(state, id) : withoutFeatures(id, past, args.written ?? {});
  const gone = [...contents.features.entries()].filter(([key]) => !past.features.has(key));
  const counts = countsOfRemoved(
    then,
    now,
    gone.map(([, feature]) => feature),
  );
  const features = restoredFeatures(contents, past, counts, at);
  const session: Session = {
    ...active(then, at),
    removed_cost: removedCost({ ...contents, features }),
    claim_counts: Object.fromEntries(counts),
  };
  const sameFeatures = now !== undefined && features.changedSince(contents.features).length === 0;
  if (sameFeatures && sameButTime(now, session)) return state;
  return putContents(putSession(state, session), id, { ...contents, features });
}

function withoutFeatures(id: string, past: Contents, written: Readonly<Record<string, string>>): Contents {
  return {
    ...past,
    features: emptyContents.features,
    checkpoints: returnedCheckpoints(id, past.checkpoints, written),
  };
}

function active(session: Session, at: Instant): Session {
  return { ...session, status: 'active', completed_at: null, updated_at: at };
}

/** The claim counters of features that are there no more: those known then, now, and of what the restore removes. */
function countsOfRemoved(then: Session, now: Session | undefined, gone: Iterable<Feature>) {
  const counts = new Map<string, number>();
  const note = (key: string, count: number) => counts.set(key, Math.max(count, counts.get(key) ?? 0));
  for (const session of [then, now]) {
    for (const [key, count] of Object.entries(session?.claim_counts ?? {})) note(key, count);
  }
  for (const { id, claim_count } of gone) if (claim_count > 0) note(keyOf(id), claim_count);
  return counts;
}

function restoredFeatures(
  now: Contents,
  then: Contents,
  counts: ReadonlyMap<string, number>,
  at: Instant,
): Table<Feature> {
  const entries: [string, Feature][] = [];
  for (const [key, feature] of then.features.entries()) {
    const present = now.features.get(key);
    const restored = asItWas(feature, present, counts.get(key) ?? 0, at);
    entries.push([key, present && sameButTime(present, restored) ? present : restored]);
  }
  return Table.of(entries);
}

/** The feature as it was, without its claim; the counter of its tokens never falls. */
function asItWas(feature: Feature, present: Feature | undefined, countMin: number, at: Instant): Feature {
  const claim_count = Math.max(feature.claim_count, present?.claim_count ?? 0, countMin);
  const waiting =
    feature.status === 'in_progress' ? backToPending(endClaim(feature, 'state.restore', at)) : feature;
  const ended_claim = present?.claim
    ? { id: present.claim.id, by: 'state.restore', at }
    : (present?.ended_claim ?? waiting.ended_claim);
  // Code made since is not gone: the next attempt goes on there, and the worktree can still be found and pruned.
  const branch = waiting.branch ?? present?.branch ?? null;
  const worktree = waiting.worktree ?? present?.worktree ?? null;
  return { ...waiting, claim_count, ended_claim, branch, worktree, updated_at: at };
}

/** Whether nothing but the time of the last change, and how the last claim ended, tells `a` from `b`. */
function sameButTime<T extends Feature | Session>(a: T, b: T): boolean {
  const ended_claim = null;
  return equalJson({ ...a, updated_at: null, ended_claim }, { ...b, updated_at: null, ended_claim });
}

function restoreFeature(
  state: State,
  id: string,
  featureId: string,
  source: State,
  point: string,
  at: Instant,
): State {
  const session = requireSession(state, id);
  const then = findFeature(source, id, featureId);
  if (!then) {
    throw new GitStateError('FEATURE_NOT_FOUND', `feature '${featureId}' did not exist at '${point}'`, {
      details: { feature: featureId, session: id },
    });
  }
  const present = contentsOf(state, id).features.get(keyOf(featureId));
  if (present && present.id !== featureId) {
    throw new GitStateError(
      'ALREADY_EXISTS',
      `feature '${present.id}' has taken the place of '${featureId}'`,
      {
        details: { feature: present.id },
      },
    );
  }
  const counted = new Map(Object.entries(session.claim_counts)).get(keyOf(featureId)) ?? 0;
  const restored = asItWas(then, present, counted, at);
  const settled = present ? session : withRemovedCost(session, contentsOf(state, id), [featureId], -1);
  const awake = settled.status === 'active' ? settled : active(settled, at);
  const woken = awake === session ? state : putSession(state, awake);
  return present && sameButTime(present, restored) ? woken : putFeature(woken, id, restored);
}

export function describeStateRestore({ session, args }: StateRestore): string {
  const what = args.feature === undefined ? `session ${session}` : args.feature;
  return `restore ${what} to ${args.point}`;
}
