import { type Feature, type FeatureStatus, Session, type SessionStatus } from '../core/entities.ts';
import { SessionId } from '../core/ids.ts';
import { type JsonObject, JsonRecord, Text } from '../core/json.ts';
import { updatedAt } from '../core/select.ts';
import { type Contents, contentsOf, featuresInOrder, requireSession, type State } from '../core/state.ts';
import { type Instant, parseInstant } from '../core/time.ts';
import { dependencyWarnings } from './dependencies.ts';
import {
  contentsOfImport,
  type ImportContext,
  type Imported,
  type ImportedSession,
  sessionFrom,
  type Warning,
} from './imported.ts';
import { recall, remember, type Shape } from './keeping.ts';
import { endedWord, importFeature, orchestratorFeature } from './orchestrator-feature.ts';
import { importWorkers, orchestratorWorkers } from './orchestrator-worker.ts';
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

/** Documents of the orchestrator, version 1.0.0: one session, its features, workers and log. */

export const orchestratorVersion = '1.0.0';
const format = 'orchestrator';

const documentShape: Shape = {
  derived: ['progress'],
  nested: { progress: { derived: ['total_features', 'completed', 'in_progress', 'pending', 'failed'] } },
  children: ['features', 'workers', 'logs'],
};
const sessionWords = new Map<string, SessionStatus>([
  ['running', 'active'],
  ['completed', 'completed'],
  ['failed', 'failed'],
]);
/** Reads a document; `context.session` renames its session.
 *  @throws INVALID_INPUT with the place of the fault, SCHEMA_TOO_NEW */
export function importOrchestrator(document: unknown, context: ImportContext): Imported {
  const timed = withTimes(documentNode(document), ['started_at', 'updated_at']);
  const node = context.session === undefined ? timed : withField(timed, 'session_id', context.session);
  const versionNote = checkVersion(node, orchestratorVersion);
  if (!isObject(own(node.value, 'features'))) throw refused('$.features', 'is no JSON object');
  const session = readSession(node, context);
  const nodes = objectsIn(node, 'features');
  requireDistinct(
    nodes.map(([id, { path }]) => [id, path]),
    'feature',
  );
  const features = nodes.map(([id, one]) => importFeature(id, one, session, context));
  const plain: ImportedSession = { session, features, workers: [], checkpoints: [], costs: [], logs: [] };
  const crew = importWorkers(node, plain);
  const { logs, warnings: logWarnings } = importLogs(node);
  const imported = { ...plain, workers: crew.workers, logs };
  const written = writtenDocument(session, contentsOfImport(imported), logs);
  const memory = remember(format, documentShape, node, written);
  const warnings = [
    ...(versionNote === null ? [] : [versionWarning(node, versionNote)]),
    ...memory.warnings,
    ...dependencyWarnings(features, '$.features'),
    ...crew.warnings,
    ...logWarnings,
  ];
  return {
    sessions: [{ ...imported, session: withData(Session, session, memory.data, node) }],
    warnings,
  };
}

function versionWarning(node: Node, message: string): Warning {
  const stored = own(node.value, 'version') ?? null;
  return { path: '$.version', stored, computed: orchestratorVersion, message };
}

function readSession(node: Node, context: ImportContext): Session {
  const [started, updated] = [readTime(node, 'started_at'), readTime(node, 'updated_at')];
  const started_at = firstOf(started, updated) ?? context.at;
  const config = readRecord(node, 'config');
  const name = own(config, 'project_name');
  return sessionFrom('orchestrator', {
    id:
      read(node, 'session_id', SessionId) ??
      checked(SessionId, context.session ?? idFrom(started_at), '$.session_id'),
    ...(typeof name === 'string' ? { name: checked(Text, name, '$.config.project_name') } : {}),
    status: readWord(node, 'status', sessionWords, 'a session'),
    config,
    started_at,
    updated_at: updated ?? started_at,
  });
}

/** `speckit-orch-YYYYMMDD-HHMMSS`, as the orchestrator names its sessions. */
function idFrom(at: Instant): string {
  return `speckit-orch-${at.slice(0, 10).replace(/-/g, '')}-${at.slice(11, 19).replace(/:/g, '')}`;
}

/** Entries are kept as they are; their times are written in UTC where they can be read. */
function importLogs(document: Node): { logs: JsonObject[]; warnings: Warning[] } {
  const warnings: Warning[] = [];
  const logs = listIn(document, 'logs').map((given) => {
    const node = { path: given.path, value: checked(JsonRecord, given.value, given.path) };
    const timestamp = own(node.value, 'timestamp');
    const instant = typeof timestamp === 'string' ? parseInstant(timestamp) : null;
    if (instant !== null) return { ...node.value, timestamp: instant };
    if (timestamp !== undefined) {
      const message = 'no time with a time zone; kept as it is';
      warnings.push({ path: pathTo(node.path, 'timestamp'), stored: timestamp, computed: null, message });
    }
    return node.value;
  });
  return { logs, warnings };
}

/** The document of one session.
 *  @param input.logs entries of the log, oldest first: imported ones, then those of the history.
 *  @throws SESSION_NOT_FOUND */
export function exportOrchestrator(input: {
  state: State;
  session: string;
  logs?: readonly JsonObject[];
}): JsonObject {
  const session = requireSession(input.state, input.session);
  const contents = contentsOf(input.state, input.session);
  const written = writtenDocument(session, contents, input.logs ?? []);
  return recall(format, documentShape, written, session.data) ?? written;
}

function writtenDocument(session: Session, contents: Contents, logs: readonly JsonObject[]): JsonObject {
  const features = featuresInOrder(contents);
  const objects = features.map((feature): [string, JsonObject] => [feature.id, orchestratorFeature(feature)]);
  return {
    version: orchestratorVersion,
    session_id: session.id,
    started_at: session.started_at,
    updated_at: updatedAt(session, contents),
    status: session.status === 'active' ? 'running' : endedWord(session),
    config: session.config,
    progress: progressOf(features),
    features: Object.fromEntries(objects),
    workers: orchestratorWorkers(session, contents),
    logs: [...logs],
  };
}

function progressOf(features: readonly Feature[]): JsonObject {
  const words = features.map(endedWord);
  const count = (word: FeatureStatus) => words.filter((one) => one === word).length;
  return {
    total_features: words.length,
    completed: count('completed'),
    in_progress: count('in_progress'),
    pending: count('pending'),
    failed: count('failed'),
  };
}
