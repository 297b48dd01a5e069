import type { Feature, Session } from '../core/entities.ts';
import type { FeatureId, WorkerId } from '../core/ids.ts';
import { equalJson, type JsonObject, type JsonValue } from '../core/json.ts';
import { newFeature } from '../core/operations/feature-add.ts';
import { withStatus } from '../core/operations/feature-update.ts';
import { completedAt } from '../core/operations/session-end.ts';
import type { ImportedSession } from '../core/operations/store-import.ts';
import { requireRight } from '../core/rules.ts';
import { findFeature, findSession, type State } from '../core/state.ts';
import type { Instant } from '../core/time.ts';
import { GitStateError } from '../errors.ts';
import { calculateSessionMetrics, exportParallelDev, importParallelDev } from '../formats/parallel-dev.ts';
import type { Store } from '../store/open.ts';

/** How a document that was loaded and changed goes back into the store: only what the caller changed is written, and
 *  only where nobody else has changed the same meanwhile. */

/** A document in parts that can conflict: itself, its sessions and their tasks. */
type Parts = Map<string, JsonObject>;

const documentPart = '';
const sessionPart = (session: string) => session;
const taskPart = (session: string, task: string) => `${session}/${task}`;

interface Seen {
  /** The document as the caller had it last. */
  given: Parts;
  /** What the store said of it then. */
  stored: Parts;
}

const documents = new WeakMap<object, Seen>();

export function remember(document: JsonObject): void {
  const parts = partsOf(document);
  documents.set(document, { given: parts, stored: parts });
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function objectsOf(value: JsonValue | undefined): [string, JsonObject][] {
  if (!isObject(value)) return [];
  return Object.entries(value).filter((entry): entry is [string, JsonObject] => isObject(entry[1]));
}

function sessionsOf({ sessions }: JsonObject): JsonObject[] {
  return Array.isArray(sessions) ? sessions.filter(isObject) : [];
}

/** A copy in parts, without what is computed. */
function partsOf(given: JsonObject): Parts {
  const document = structuredClone(given);
  const parts: Parts = new Map();
  const { sessions: _sessions, ...rest } = document;
  parts.set(documentPart, rest);
  for (const { tasks, metrics: _metrics, updated_at: _updated, ...session } of sessionsOf(document)) {
    parts.set(sessionPart(String(session.id)), session);
    for (const [id, task] of objectsOf(tasks)) parts.set(taskPart(String(session.id), id), task);
  }
  return parts;
}

export interface Saving {
  document: JsonObject;
  /** In whose name claimed features are written to. */
  worker?: string | undefined;
}

/** Writes what differs from the document as it was loaded, all or none. One that was not loaded is compared with the
 *  store as it is, and deletes nothing. @throws CONFLICT, INVALID_INPUT, NOT_HOLDER, INVALID_TRANSITION */
export async function saveDocument(store: Store, { document, worker }: Saving): Promise<void> {
  const now = await store.state();
  if (now === null) throw new TypeError('the store was not made');
  const current = partsOf(exportParallelDev({ state: now.state, archived: true }));
  const seen = documents.get(document);
  const { given: before, stored } = seen ?? { given: current, stored: current };
  const after = partsOf(document);
  const changed = changedParts(before, after, seen !== undefined);
  if (changed.size === 0) return;
  for (const part of changed) requireUnchanged(part, stored, current);
  const at = store.now() as Instant;
  const context = { at, claimId: () => store.newClaimId() };
  const imported = importParallelDev(
    withFigures(document),
    context as Parameters<typeof importParallelDev>[1],
  ).sessions;
  const plan: Plan = { state: now.state, before, after, changed, at, worker: worker as WorkerId | undefined };
  const sessions = imported.flatMap((one, index) => mergeOf(plan, one, index === imported.length - 1));
  const ids = new Set(imported.map(({ session }) => session.id as string));
  const removed = [...changed].filter((part) => isSession(part) && !ids.has(part));
  const { commit } = await store.importSessions({
    format: 'parallel-dev',
    base: now.commit,
    sessions,
    ...(removed.length > 0 ? { removed } : {}),
  });
  const landed = commit === null ? now.state : (await store.state({ at: `commit:${commit}` }))!.state;
  const written = partsOf(exportParallelDev({ state: landed, archived: true }));
  documents.set(document, { given: after, stored: withParts(stored, changed, written) });
}

/** What is computed is ours to say, so that figures of the caller's are no statement of the document. */
function withFigures(document: JsonObject): JsonObject {
  if (!Array.isArray(document.sessions)) return document;
  const sessions = document.sessions.map((session) =>
    isObject(session) ? { ...session, metrics: { ...calculateSessionMetrics(session) } } : session,
  );
  return { ...document, sessions };
}

function isSession(part: string): boolean {
  return part !== documentPart && !part.includes('/');
}

function changedParts(before: Parts, after: Parts, deletes: boolean): Set<string> {
  const changed = new Set([...after.keys()].filter((part) => !equalJson(before.get(part), after.get(part))));
  // A document of no session has no place for what is said of it as a whole.
  if (![...after.keys()].some(isSession)) changed.delete(documentPart);
  if (deletes) for (const part of before.keys()) if (!after.has(part)) changed.add(part);
  return changed;
}

function requireUnchanged(part: string, stored: Parts, current: Parts): void {
  if (equalJson(stored.get(part) ?? null, current.get(part) ?? null)) return;
  const [session, task] = part.split('/');
  const what = task === undefined ? `session '${session}'` : `task '${task}' of session '${session}'`;
  throw new GitStateError('CONFLICT', `${what} was changed by somebody else since it was loaded`, {
    hint: 'nothing was saved; load the state again and repeat the change',
    details: { conflict: what },
  });
}

function withParts(stored: Parts, changed: Set<string>, written: Parts): Parts {
  const next = new Map(stored);
  for (const part of changed) {
    const now = written.get(part);
    if (now) next.set(part, now);
    else next.delete(part);
  }
  return next;
}

interface Plan {
  state: State;
  before: Parts;
  after: Parts;
  changed: Set<string>;
  at: Instant;
  worker: WorkerId | undefined;
}

/** What a session of the document brings: itself, if it is new; else its changes, if there are any. */
function mergeOf(plan: Plan, given: ImportedSession, last: boolean): ImportedSession[] {
  const { id } = given.session;
  const present = findSession(plan.state, id);
  if (!present) return plan.changed.has(sessionPart(id)) ? [given] : [];
  const itself = plan.changed.has(sessionPart(id)) || (last && plan.changed.has(documentPart));
  const tasks = [...plan.changed].filter((part) => part.startsWith(`${id}/`));
  if (!itself && tasks.length === 0) return [];
  const features = given.features
    .filter((feature) => plan.changed.has(taskPart(id, feature.id)))
    .map((feature) => changedFeature(plan, present, feature));
  const removed = tasks.filter((part) => !plan.after.has(part)).map((part) => part.slice(id.length + 1));
  for (const task of removed) {
    const feature = findFeature(plan.state, id, task);
    if (feature) requireRight(feature, { worker: plan.worker });
  }
  const session = itself ? changedSession(plan, present, given.session) : present;
  return [{ ...given, session, features, costs: [], logs: [], merge: { removed: removed as FeatureId[] } }];
}

/** Entries of `data` that come from the document. */
function withoutOurs(data: JsonObject): JsonObject {
  const foreign = Object.entries(data).filter(
    ([key]) => key !== 'phases' && key !== 'parallel-dev' && !key.startsWith('parallel-dev.'),
  );
  return Object.fromEntries(foreign);
}

function changedSession(plan: Plan, present: Session, given: Session): Session {
  const [before, after] = [plan.before, plan.after].map((parts) => parts.get(sessionPart(present.id)));
  // An archived session stands in the document under another word.
  const status = before?.status === after?.status ? present.status : given.status;
  return {
    ...present,
    status,
    config: given.config,
    started_at: given.started_at,
    recovered_at: given.recovered_at,
    completed_at: completedAt(present, status, plan.at),
    updated_at: plan.at,
    data: { ...withoutOurs(present.data), ...given.data },
  };
}

function changedFeature(plan: Plan, session: Session, given: Feature): Feature {
  const part = taskPart(session.id, given.id);
  const [before, after] = [plan.before.get(part), plan.after.get(part)];
  const known = findFeature(plan.state, session.id, given.id);
  const present = known ?? newFeature(session, { id: given.id }, plan.at);
  requireRight(present, { worker: plan.worker });
  const differs = (key: string) => !equalJson(before?.[key] ?? null, after?.[key] ?? null);
  const moved = differs('status') ? withStatus(present, given.status, plan.at) : present;
  return {
    ...moved,
    branch: given.branch,
    worktree: given.worktree,
    pr_number: given.pr_number,
    metrics: given.metrics,
    // Times follow from the status unless the document gives others.
    started_at: differs('started_at') ? given.started_at : moved.started_at,
    completed_at: differs('completed_at') ? given.completed_at : moved.completed_at,
    updated_at: plan.at,
    data: { ...withoutOurs(present.data), ...given.data },
  };
}
