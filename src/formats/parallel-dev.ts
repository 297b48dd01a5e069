import { Feature, type FeatureStatus, Session, type SessionStatus } from '../core/entities.ts';
import { compareNatural, FeatureId, SessionId } from '../core/ids.ts';
import { type JsonObject, JsonRecord, type JsonValue, Text } from '../core/json.ts';
import { newFeature } from '../core/operations/feature-add.ts';
import { contentsBySession, updatedAt } from '../core/select.ts';
import { type Contents, contentsOf, featuresInOrder, requireSession, type State } from '../core/state.ts';
import {
  contentsOfImport,
  type ImportContext,
  type Imported,
  type ImportedSession,
  sessionFrom,
  type Warning,
} from './imported.ts';
import { objectAt, recall, remember, type Shape } from './keeping.ts';
import { calculateSessionMetrics } from './parallel-dev-metrics.ts';
import {
  checked,
  checkVersion,
  documentNode,
  firstOf,
  isObject,
  listIn,
  type Node,
  objectsIn,
  own,
  pathTo,
  read,
  readRecord,
  readTime,
  readWord,
  refused,
  requireDistinct,
  withData,
  withField,
  withTimes,
} from './reading.ts';

export { calculateSessionMetrics } from './parallel-dev-metrics.ts';

/** Documents of parallel-dev, version 2.0: sessions and their tasks. A task is a feature. */

export const parallelDevVersion = '2.0';
const format = 'parallel-dev';
/** Fields of the document itself; they stand in the data of its last session. */
const documentFormat = `${format}.document`;
/** Place among the sessions of the document, where it is not the order in which they started. */
const positionKey = `${format}.position`;

const documentShape: Shape = { children: ['sessions'] };
const metricsShape: Shape = {
  derived: ['total_tasks', 'completed', 'in_progress', 'failed', 'average_time_minutes'],
};
const sessionShape: Shape = { derived: ['metrics'], nested: { metrics: metricsShape }, children: ['tasks'] };
const taskShape: Shape = {};

const sessionWords = new Map<string, SessionStatus>([
  ['active', 'active'],
  ['completed', 'completed'],
  ['failed', 'failed'],
]);
const taskWords = new Map<string, FeatureStatus>([
  ['pending', 'pending'],
  ['in_progress', 'in_progress'],
  ['completed', 'completed'],
  ['failed', 'failed'],
]);

/** Reads a document. `context.session` renames its session, where there is but one.
 *  @throws INVALID_INPUT with the place of the fault, SCHEMA_TOO_NEW */
export function importParallelDev(document: unknown, context: ImportContext): Imported {
  const node = documentNode(document);
  const versionNote = checkVersion(node, parallelDevVersion);
  if (!Array.isArray(own(node.value, 'sessions'))) throw refused('$.sessions', 'is no list');
  const nodes = listIn(node, 'sessions');
  if (context.session !== undefined && nodes.length !== 1) {
    throw refused(
      '$.sessions',
      `one session can be renamed, here are ${nodes.length}`,
      'import without --session',
    );
  }
  const parts = nodes.map((session) => importSession(session, context));
  requireDistinct(
    parts.map(({ imported }, index) => [imported.session.id, pathTo(nodes[index]!.path, 'id')]),
    'session',
  );
  const warnings = parts.flatMap((part) => part.warnings);
  if (versionNote !== null) warnings.unshift(versionWarning(node, versionNote));
  const sessions = placed(parts.map(({ imported }) => imported));
  const memory = remember(documentFormat, documentShape, node, documentOf([]));
  if (sessions.length > 0) {
    const last = sessions.length - 1;
    const keeper = sessions[last]!;
    sessions[last] = { ...keeper, session: withData(Session, keeper.session, memory.data, nodes[last]!) };
  } else {
    warnings.push(...lostFields(memory.data));
  }
  return { sessions, warnings };
}

function versionWarning(node: Node, message: string): Warning {
  const stored = own(node.value, 'version') ?? null;
  return { path: '$.version', stored, computed: parallelDevVersion, message };
}

function lostFields(data: JsonObject): Warning[] {
  const message = 'not kept: the document has no session that could keep it';
  return Object.entries(objectAt(data, documentFormat)).map(([key, stored]) => ({
    path: pathTo('$', key),
    stored,
    computed: null,
    message,
  }));
}

function importSession(
  given: Node,
  context: ImportContext,
): { imported: ImportedSession; warnings: Warning[] } {
  const timed = withTimes(given, ['started_at', 'updated_at', 'recovered_at']);
  const node = context.session === undefined ? timed : withField(timed, 'id', context.session);
  const id = read(node, 'id', SessionId);
  if (id === null) throw refused(pathTo(node.path, 'id'), 'is missing');
  const [started, updated] = [readTime(node, 'started_at'), readTime(node, 'updated_at')];
  const started_at = firstOf(started, updated) ?? context.at;
  const session = sessionFrom('parallel-dev', {
    id,
    status: readWord(node, 'status', sessionWords, 'a session'),
    config: readRecord(node, 'options'),
    started_at,
    updated_at: updated ?? started_at,
    recovered_at: readTime(node, 'recovered_at'),
  });
  const tasks = objectsIn(node, 'tasks');
  requireDistinct(
    tasks.map(([task, { path }]) => [task, path]),
    'task',
  );
  const features = tasks.map(([task, taskNode]) => importTask(task, taskNode, session));
  const imported = { session, features, workers: [], checkpoints: [], costs: [], logs: [] };
  const memory = remember(format, sessionShape, node, writtenSession(session, contentsOfImport(imported)));
  const remembered = withData(Session, session, memory.data, node);
  return { imported: { ...imported, session: remembered }, warnings: memory.warnings };
}

function importTask(id: string, given: Node, session: Session): Feature {
  const node = withTimes(given, ['started_at', 'completed_at']);
  const started_at = readTime(node, 'started_at');
  const phases = own(node.value, 'phases') ?? null;
  const created = newFeature(
    session,
    { id: checked(FeatureId, id, node.path) },
    firstOf(started_at, session.started_at)!,
  );
  const feature: Feature = {
    ...created,
    status: readWord(node, 'status', taskWords, 'a task'),
    branch: read(node, 'branch', Text),
    worktree: read(node, 'worktree', Text),
    pr_number: read(node, 'pr_number', Feature.shape.pr_number.unwrap()),
    started_at,
    completed_at: readTime(node, 'completed_at'),
    updated_at: session.updated_at,
    metrics: readRecord(node, 'metrics'),
    data: phases === null ? {} : { phases },
  };
  return withData(Feature, feature, remember(format, taskShape, node, writtenTask(feature)).data, node);
}

/** Notes the order of the document where sorting by start would lose it. */
function placed(sessions: ImportedSession[]): ImportedSession[] {
  const inOrder = [...sessions].sort((a, b) => compareStart(a.session, b.session));
  if (inOrder.every((session, index) => session === sessions[index])) return sessions;
  return sessions.map((imported, position) => ({
    ...imported,
    session: { ...imported.session, data: { ...imported.session.data, [positionKey]: position } },
  }));
}

function compareStart(a: Session, b: Session): number {
  return a.started_at < b.started_at ? -1 : a.started_at > b.started_at ? 1 : compareNatural(a.id, b.id);
}

/** The document of all sessions that are not archived, or of the one that is named.
 *  @param input.archived archived sessions, too. @throws SESSION_NOT_FOUND */
export function exportParallelDev(input: { state: State; session?: string; archived?: boolean }): JsonObject {
  const { state, session, archived = false } = input;
  const all = contentsBySession(state);
  const chosen =
    session === undefined
      ? inDocumentOrder(all.filter(({ session: { status } }) => archived || status !== 'archived'))
      : [{ session: requireSession(state, session), contents: contentsOf(state, session) }];
  const written = documentOf(chosen.map((one) => parallelDevSession(one.session, one.contents)));
  return all.reduce<JsonObject>((document, one) => {
    return recall(documentFormat, documentShape, document, one.session.data) ?? document;
  }, written);
}

function documentOf(sessions: JsonObject[]): JsonObject {
  return { version: parallelDevVersion, sessions };
}

/** Sessions that an import placed take each other's seats; all others keep theirs. */
function inDocumentOrder<T extends { session: Session }>(sessions: T[]): T[] {
  const position = ({ session: { data } }: T): number | null => {
    const value = own(data, positionKey);
    return typeof value === 'number' ? value : null;
  };
  const movable = sessions
    .filter((one) => position(one) !== null)
    .sort((a, b) => position(a)! - position(b)!);
  return sessions.map((one) => (position(one) === null ? one : movable.shift()!));
}

/** A session as the document has it. */
export function parallelDevSession(session: Session, contents: Contents): JsonObject {
  const written = writtenSession(session, contents);
  return recall(format, sessionShape, written, session.data) ?? written;
}

function writtenSession(session: Session, contents: Contents): JsonObject {
  const features = featuresInOrder(contents);
  const tasks = Object.fromEntries(features.map((feature) => [feature.id, parallelDevTask(feature)]));
  return {
    id: session.id,
    status: session.status === 'archived' ? endedWord(session) : session.status,
    started_at: session.started_at,
    updated_at: updatedAt(session, contents),
    options: session.config,
    tasks,
    metrics: { ...calculateSessionMetrics({ tasks }) },
    ...(session.recovered_at === null ? {} : { recovered_at: session.recovered_at }),
  };
}

/** The format has no word for what was put away. */
function endedWord({ completed_at }: { completed_at: string | null }): string {
  return completed_at === null ? 'failed' : 'completed';
}

/** A feature as a task of the document. */
export function parallelDevTask(feature: Feature): JsonObject {
  const written = writtenTask(feature);
  return recall(format, taskShape, written, feature.data) ?? written;
}

function writtenTask(feature: Feature): JsonObject {
  return {
    status: feature.status === 'archived' ? endedWord(feature) : feature.status,
    branch: feature.branch,
    worktree: feature.worktree,
    pr_number: feature.pr_number,
    started_at: feature.started_at,
    completed_at: feature.completed_at,
    phases: phasesOf(feature),
    metrics: feature.metrics,
  };
}

/** Free phases as they were given; the feature's own steps are written over them. */
function phasesOf({ steps, data }: Feature): JsonValue {
  const given = own(data, 'phases') ?? {};
  if (steps.length === 0) return given;
  const phases = new Map(isObject(given) ? Object.entries(given) : []);
  for (const { name, status, started_at, completed_at } of steps) {
    const before = phases.get(name);
    const word = status === 'active' ? 'in_progress' : status;
    phases.set(name, { ...(isObject(before) ? before : {}), status: word, started_at, completed_at });
  }
  return Object.fromEntries(phases);
}

/** Keeps fields that gitstate does not know among the `data` of a session or a feature. */
export function withUnknownFields(data: JsonObject, fields: JsonObject): JsonObject {
  const known = objectAt(data, format);
  return JsonRecord.parse({ ...data, [format]: { ...known, ...fields } });
}
