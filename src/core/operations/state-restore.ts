import { z } from 'zod';
import { GitStateError } from '../../errors.ts';
import type { Feature, Session } from '../entities.ts';
import { FeatureId, keyOf, Oid } from '../ids.ts';
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
  requireStore,
  type State,
} from '../state.ts';
import { Table } from '../table.ts';
import type { Instant } from '../time.ts';
import { sessionOperation } from './define.ts';

/** A session, or one feature of it, gets back the content it had at an earlier commit. History is not rewound. */
export const StateRestore = sessionOperation('state.restore', {
  /** Where the content comes from, and the tree that stands there. */
  commit: Oid,
  tree: Oid,
  /** What the user named: a checkpoint, a commit, a date. */
  point: z.string(),
  feature: FeatureId.optional(),
});
export type StateRestore = z.infer<typeof StateRestore>;

/** Returns `state` with session.json and features as they are in `source`. Facts made since stay: costs,
 *  checkpoints, artifacts and workers. Features in progress wait at the step they were at, under no claim; claim
 *  counters never fall, so that every token from before is stale.
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
  const contents = now ? contentsOf(state, id) : emptyContents;
  const features = restoredFeatures(contents, contentsOf(source, id), then.claim_counts, at);
  const counts = new Map([...Object.entries(then.claim_counts), ...Object.entries(now?.claim_counts ?? {})]);
  for (const feature of contents.features.values()) {
    if (!features.has(keyOf(feature.id)) && feature.claim_count > 0)
      counts.set(keyOf(feature.id), feature.claim_count);
  }
  const session: Session = {
    ...then,
    status: 'active',
    completed_at: null,
    removed_cost: now?.removed_cost ?? then.removed_cost,
    claim_counts: Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1))),
    updated_at: at,
  };
  const sameFeatures = now !== undefined && features.changedSince(contents.features).length === 0;
  if (sameFeatures && sameButTime(now, session)) return state;
  return putContents(putSession(state, session), id, { features });
}

function restoredFeatures(
  now: Contents,
  then: Contents,
  counts: Record<string, number>,
  at: Instant,
): Table<Feature> {
  const lastCounts = new Map(Object.entries(counts));
  const entries: [string, Feature][] = [];
  for (const [key, feature] of then.features.entries()) {
    const present = now.features.get(key);
    const restored = asItWas(
      feature,
      present,
      Math.max(lastCounts.get(key) ?? 0, present?.claim_count ?? 0),
      at,
    );
    entries.push([key, present && sameButTime(present, restored) ? present : restored]);
  }
  return Table.of(entries);
}

/** The feature as it was, without its claim; the token counter of `present` goes on. */
function asItWas(feature: Feature, present: Feature | undefined, countMin: number, at: Instant): Feature {
  const claim_count = Math.max(feature.claim_count, countMin);
  const waiting =
    feature.status === 'in_progress' ? backToPending(endClaim(feature, 'state.restore', at)) : feature;
  const ended_claim = present?.claim
    ? { id: present.claim.id, by: 'state.restore', at }
    : (present?.ended_claim ?? waiting.ended_claim);
  return { ...waiting, claim_count, ended_claim, updated_at: at };
}

/** Whether nothing but the time of the last change tells `a` from `b`. */
function sameButTime<T extends Feature | Session>(a: T, b: T): boolean {
  const skip = (key: string, value: unknown) =>
    key === 'updated_at' || key === 'ended_claim' ? undefined : value;
  return JSON.stringify(a, skip) === JSON.stringify(b, skip);
}

function restoreFeature(
  state: State,
  id: string,
  featureId: string,
  source: State,
  point: string,
  at: Instant,
): State {
  const then = findFeature(source, id, featureId);
  if (!then) {
    throw new GitStateError('FEATURE_NOT_FOUND', `feature '${featureId}' did not exist at '${point}'`, {
      details: { feature: featureId, session: id },
    });
  }
  const present = findFeature(state, id, featureId);
  const counted = findSession(state, id)?.claim_counts ?? {};
  const countMin = Math.max(
    present?.claim_count ?? 0,
    new Map(Object.entries(counted)).get(keyOf(featureId)) ?? 0,
  );
  const restored = asItWas(then, present, countMin, at);
  return present && sameButTime(present, restored) ? state : putFeature(state, id, restored);
}

export function describeStateRestore({ session, args }: StateRestore): string {
  const what = args.feature === undefined ? `session ${session}` : args.feature;
  return `restore ${what} to ${args.point}`;
}
