import type { JsonObject, JsonValue } from '../core/json.ts';
import { contentsOf, findSession, requireFeature, requireSession } from '../core/state.ts';
import { parseInstant } from '../core/time.ts';
import { GitStateError, isGitStateError } from '../errors.ts';
import {
  calculateSessionMetrics,
  exportParallelDev,
  parallelDevSession,
  parallelDevTask,
  parallelDevVersion,
} from '../formats/parallel-dev.ts';
import type { Store } from '../store/open.ts';
import { ensureStore, type Settings, sessionNotFound, withStore } from './connection.ts';
import { remember, saveDocument } from './parallel-dev-save.ts';

export { calculateSessionMetrics };

/** The interface of parallel-dev's state manager. Results are its own objects; errors are GitStateErrors. */

/** A document of version 2.0. */
export interface StateDocument {
  version: string;
  sessions: SessionDocument[];
  [field: string]: unknown;
}

export interface SessionDocument {
  id: string;
  status: string;
  started_at: string;
  updated_at: string;
  options: Record<string, unknown>;
  tasks: Record<string, TaskDocument>;
  metrics: ReturnType<typeof calculateSessionMetrics>;
  [field: string]: unknown;
}

export interface TaskDocument {
  status: string;
  [field: string]: unknown;
}

const preset = 'parallel-dev';
const changeAttemptsMax = 40;
let settings: Settings = {};

/** Sets where the store is and in whose name the functions act, for all calls from now on. */
export function configure(options: Settings): void {
  settings = { ...options };
}

/** The whole state; an empty one where there is no store. Damaged state is refused, never taken for an empty one.
 *  @throws CORRUPT_STATE */
export function loadState(): Promise<StateDocument> {
  return withStore(settings, async (store) => {
    const found = await store.state();
    const document = found ? exportParallelDev({ state: found.state }) : emptyDocument();
    remember(document);
    return document as unknown as StateDocument;
  });
}

function emptyDocument(): JsonObject {
  return { version: parallelDevVersion, sessions: [] };
}

/** Writes what differs from the state as it was loaded, all or none; a document that was not loaded here deletes
 *  nothing. @throws CONFLICT where others have changed the same session or task since. */
export function saveState(state: StateDocument): Promise<void> {
  return withStore(settings, async (store) => {
    await ensureStore(store);
    await saveDocument(store, { document: state as unknown as JsonObject, worker: settings.worker });
  });
}

/** Starts a session. Its id is the UTC day with a number: `2024-06-17-001`. */
export function createSession(options: Record<string, unknown> = {}): Promise<SessionDocument> {
  return withStore(settings, async (store) => {
    await ensureStore(store);
    const { id } = await store.sessionStart({ preset, config: options });
    return sessionIn(store, id);
  });
}

/** Merges `updates` into a session: each given field is replaced whole. Its id, metrics and time of update are not the
 *  caller's to set. @throws SESSION_NOT_FOUND */
export function updateSession(sessionId: string, updates: Record<string, unknown>): Promise<SessionDocument> {
  return withStore(settings, async (store) => {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await mergeInto(store, sessionId, updates);
        return await sessionIn(store, sessionId);
      } catch (error) {
        if (!isGitStateError(error, 'CONFLICT') || attempt >= changeAttemptsMax) throw error;
      }
    }
  });
}

async function mergeInto(store: Store, id: string, updates: Record<string, unknown>): Promise<void> {
  const found = await store.state();
  if (!found || !findSession(found.state, id)) throw sessionNotFound(id);
  const document = exportParallelDev({ state: found.state, archived: true });
  remember(document);
  const session = (document.sessions as JsonObject[]).find((one) => one.id === id)!;
  const { id: _id, metrics: _metrics, updated_at: _updated, ...fields } = defined(updates);
  Object.assign(session, fields);
  await saveDocument(store, { document, worker: settings.worker });
}

function defined(fields: Record<string, unknown>): JsonObject {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as JsonObject;
}

export async function getActiveSessions(): Promise<SessionDocument[]> {
  return (await loadState()).sessions.filter(({ status }) => status === 'active');
}

/** Sets a task's status and any other of its fields; a task that is not there is made. The first `in_progress` sets
 *  `started_at`, each `completed` sets `completed_at`. @throws SESSION_NOT_FOUND, INVALID_INPUT, NOT_HOLDER */
export function updateTaskProgress(
  sessionId: string,
  taskId: string,
  progress: Record<string, unknown>,
): Promise<TaskDocument> {
  return withStore(settings, async (store) => {
    await requireSessionIn(store, sessionId);
    const where = { session: sessionId, feature: taskId };
    const change = changeOf(defined(progress));
    const update = async () => {
      if (Object.keys(change).length > 0) await store.update({ ...where, ...change });
      const { state } = (await store.state())!;
      return parallelDevTask(requireFeature(state, sessionId, taskId)) as unknown as TaskDocument;
    };
    try {
      return await update();
    } catch (error) {
      if (!isGitStateError(error, 'FEATURE_NOT_FOUND')) throw error;
    }
    await addTask(store, where);
    return update();
  });
}

async function addTask(store: Store, where: { session: string; feature: string }): Promise<void> {
  try {
    await store.add(where);
  } catch (error) {
    // Somebody else was first; a name in other letters is refused by the update.
    if (!isGitStateError(error, 'ALREADY_EXISTS')) throw error;
  }
}

const taskStatuses = ['pending', 'in_progress', 'completed', 'failed'];

/** The fields of a task, as an update of its feature takes them; those that it does not know are kept beside them. */
function changeOf(progress: JsonObject) {
  const { status, branch, worktree, pr_number, metrics, phases, started_at, completed_at, ...others } =
    progress;
  const fields = {
    status: status === undefined || status === null ? undefined : wordOf(status),
    branchName: branch as string | undefined,
    worktree: worktree as string | undefined,
    prNumber: pr_number as number | undefined,
    metrics: metrics as JsonObject | undefined,
    startedAt: timeOf('started_at', started_at),
    completedAt: timeOf('completed_at', completed_at),
    addData: phases === undefined ? undefined : { phases },
    keep: Object.keys(others).length === 0 ? undefined : { format: 'parallel-dev', fields: others },
  };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

function wordOf(status: JsonValue): string {
  if (typeof status === 'string' && taskStatuses.includes(status)) return status;
  throw new GitStateError('INVALID_INPUT', `${JSON.stringify(status)} is no status of a task`, {
    hint: `known words: ${taskStatuses.join(', ')}`,
    details: { path: ['status'] },
  });
}

function timeOf(key: string, value: JsonValue | undefined): string | null | undefined {
  if (value === undefined || value === null) return value;
  const time = typeof value === 'string' ? parseInstant(value) : null;
  if (time !== null) return time;
  throw new GitStateError('INVALID_INPUT', `${key}: ${JSON.stringify(value)} is no time with a time zone`, {
    hint: "write it as in '2025-12-26T14:30:22Z'",
    details: { path: [key] },
  });
}

/** Makes a session active again, whatever its status, and releases its claims that are over.
 *  @throws SESSION_NOT_FOUND */
export function recoverSession(sessionId: string): Promise<SessionDocument> {
  return withStore(settings, async (store) => {
    await requireSessionIn(store, sessionId);
    await store.recover({ session: sessionId });
    return sessionIn(store, sessionId);
  });
}

/** Drops sessions that are not active and were last updated `days` ago or before; history keeps them. */
export function cleanupOldSessions(days = 7): Promise<void> {
  return withStore(settings, async (store) => {
    if ((await store.tip()) === null) return;
    await store.cleanup({ olderThan: `${Math.round(days * 86_400)}s` });
  });
}

async function requireSessionIn(store: Store, id: string): Promise<void> {
  const found = await store.state();
  if (!found || !findSession(found.state, id)) throw sessionNotFound(id);
}

async function sessionIn(store: Store, id: string): Promise<SessionDocument> {
  const { state } = (await store.state())!;
  const session = requireSession(state, id);
  return parallelDevSession(session, contentsOf(state, id)) as unknown as SessionDocument;
}
