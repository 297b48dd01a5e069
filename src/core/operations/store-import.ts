import * as z from 'zod';
import { GitStateError } from '../../errors.ts';
import { addCostEntry, settleRemovedCost } from '../costs.ts';
import { Checkpoint, CostEntry, Feature, Session, type StoreInfo, Worker } from '../entities.ts';
import { FeatureId, keyOf, SessionId } from '../ids.ts';
import { JsonRecord, Text } from '../json.ts';
import {
  contentsOf,
  dropFeature,
  emptyContents,
  findFeature,
  putContents,
  putFeature,
  putSession,
  requireFeature,
  requireSession,
  requireStore,
  type State,
} from '../state.ts';
import { Table } from '../table.ts';
import { type OperationIn, operationScope } from './define.ts';
import { requireNoClaims } from './session-end.ts';

/** A session as another program's document gave it. */
export const ImportedSession = z.strictObject({
  session: Session,
  features: z.array(Feature),
  workers: z.array(Worker),
  checkpoints: z.array(Checkpoint),
  costs: z.array(z.strictObject({ feature: FeatureId, day: z.string(), entries: z.array(CostEntry) })),
  /** Log lines of the document; they stand here alone, and come first when the session is exported. */
  logs: z.array(JsonRecord),
  /** The session is there already: what is listed here replaces what stands there, and these features go. */
  merge: z.strictObject({ removed: z.array(FeatureId) }).optional(),
});
export type ImportedSession = z.infer<typeof ImportedSession>;

/** Sessions of another program's document come in, as they are: import changes no time and refuses no circle. */
export const StoreImport = operationScope(
  'store.import',
  () => SessionId.nullable(),
  () => ({
    format: Text,
    sessions: z.array(ImportedSession),
    /** Sessions that the document no longer has. */
    removed: z.array(SessionId).optional(),
  }),
);
export type StoreImport = OperationIn<typeof StoreImport>;

/** @throws ALREADY_EXISTS for a session id in use, or retired. */
export function applyStoreImport(state: State, { args }: StoreImport): State {
  const store = requireStore(state);
  const kept = (args.removed ?? []).reduce(dropSession, state);
  return args.sessions.reduce(
    (next, imported) =>
      imported.merge
        ? mergeSession(next, imported, imported.merge.removed)
        : addSession(next, store, imported),
    kept,
  );
}

function addSession(state: State, store: StoreInfo, imported: ImportedSession): State {
  const { session, features, workers, checkpoints, costs } = imported;
  const taken =
    state.sessions.get(keyOf(session.id))?.id ?? store.retired.find((id) => keyOf(id) === keyOf(session.id));
  if (taken !== undefined) {
    throw new GitStateError('ALREADY_EXISTS', `session '${taken}' exists already`, {
      hint: 'import it under another id: --session ID',
      details: { session: taken },
    });
  }
  let sheets = emptyContents.costs;
  for (const { feature, entries } of costs)
    for (const entry of entries) sheets = addCostEntry(sheets, feature, entry);
  const next = putContents(putSession(state, session), session.id, {
    features: Table.of(features.map((feature) => [keyOf(feature.id), feature])),
    workers: Table.of(workers.map((worker) => [keyOf(worker.id), worker])),
    checkpoints: Table.of(checkpoints.map((checkpoint) => [keyOf(checkpoint.name), checkpoint])),
    costs: sheets,
  });
  return settleRemovedCost(next, keyOf(session.id));
}

/** @throws SESSION_NOT_FOUND, INVALID_TRANSITION while somebody holds a feature of the session. */
function dropSession(state: State, id: SessionId): State {
  requireNoClaims(requireSession(state, id), contentsOf(state, id));
  const store = requireStore(state);
  return {
    ...state,
    store: { ...store, retired: [...store.retired, id] },
    sessions: state.sessions.without(keyOf(id)),
    contents: state.contents.without(keyOf(id)),
  };
}

/** Only what is listed changes; a claim counter never falls.
 *  @throws INVALID_TRANSITION where the session would end while features are claimed. */
function mergeSession(
  state: State,
  { session, features }: ImportedSession,
  removed: readonly FeatureId[],
): State {
  const before = requireSession(state, session.id);
  const counts = new Map(Object.entries({ ...session.claim_counts, ...before.claim_counts }));
  for (const id of removed) {
    const { claim_count } = requireFeature(state, session.id, id);
    if (claim_count > 0) counts.set(keyOf(id), claim_count);
  }
  let next = putSession(state, { ...session, claim_counts: Object.fromEntries(counts) });
  for (const feature of features) {
    const present = findFeature(next, session.id, feature.id);
    const claim_count = Math.max(feature.claim_count, present?.claim_count ?? 0);
    next = putFeature(next, session.id, { ...feature, claim_count });
  }
  for (const id of removed) next = dropFeature(next, session.id, id);
  const ends = session.status !== before.status && session.status !== 'active';
  if (ends) requireNoClaims(session, contentsOf(next, session.id));
  return settleRemovedCost(next, keyOf(session.id));
}

export function describeStoreImport({ args }: StoreImport): string {
  const [first] = args.sessions;
  const what =
    args.sessions.length === 1 && first ? `session ${first.session.id}` : `${args.sessions.length} sessions`;
  return `import ${what} from ${args.format}`;
}
