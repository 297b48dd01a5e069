import { type Session, Worker } from '../core/entities.ts';
import { compareNatural, keyOf, WorkerId } from '../core/ids.ts';
import type { JsonObject } from '../core/json.ts';
import { updatedAt } from '../core/select.ts';
import { type Contents, featuresInOrder } from '../core/state.ts';
import type { Instant } from '../core/time.ts';
import { contentsOfImport, type ImportedSession, type Warning } from './imported.ts';
import { recall, remember, rememberAbsent, type Shape } from './keeping.ts';
import {
  checked,
  type Node,
  objectsIn,
  own,
  pathTo,
  readWord,
  requireDistinct,
  withData,
} from './reading.ts';

/** Workers of the orchestrator's documents. */

const format = 'orchestrator';
const workerShape: Shape = { passing: ['status', 'current_feature'] };

const workerWords = new Map([
  ['idle', 'idle'],
  ['busy', 'busy'],
]);

/** Every worker of the document and of its features. Whether one is busy follows from the features. */
export function importWorkers(
  document: Node,
  imported: ImportedSession,
): { workers: Worker[]; warnings: Warning[] } {
  const { session, features } = imported;
  const named = objectsIn(document, 'workers');
  const seen = features.flatMap(({ id, worker_id, completed_by, failed_by, started_at }) => {
    const worker = worker_id ?? completed_by ?? failed_by;
    const path = pathTo(pathTo('$.features', id), 'worker_id');
    return worker === null ? [] : [{ worker, path, at: started_at ?? session.started_at }];
  });
  const others = new Map(seen.map(({ worker, path }) => [worker as string, path]));
  for (const [id] of named) others.delete(id);
  requireDistinct([...named.map(([id, { path }]) => [id, path] as const), ...others], 'worker');

  const firstSeen = new Map<string, Instant>();
  for (const { worker, at } of seen) {
    if (at < (firstSeen.get(worker) ?? '~')) firstSeen.set(worker, at);
  }
  const workerOf = (id: string, path: string): Worker => ({
    id: checked(WorkerId, id, path),
    first_seen_at: firstSeen.get(id) ?? session.started_at,
    data: {},
  });
  const plain = [
    ...named.map(([id, { path }]) => workerOf(id, path)),
    ...[...others].map(([id, path]) => workerOf(id, path)),
  ];
  const contents = contentsOfImport({ ...imported, workers: plain });
  const written = writtenWorkers(contents);
  const moment = workerMoment(session, contents);
  const nodes = new Map(named);
  const warnings: Warning[] = [];
  const workers = plain.map((worker) => {
    const node = nodes.get(worker.id);
    const ours = written.get(worker.id)!;
    if (!node) return Worker.parse({ ...worker, data: rememberAbsent(format, ours) });
    warnings.push(...checkWorker(node, ours));
    return withData(Worker, worker, remember(format, workerShape, node, ours, moment).data, node);
  });
  return { workers, warnings };
}

/** @throws INVALID_INPUT for a status that is no word of the format. */
function checkWorker(node: Node, written: JsonObject): Warning[] {
  if (Object.hasOwn(node.value, 'status')) readWord(node, 'status', workerWords, 'a worker');
  return Object.entries(written).flatMap(([key, computed]) => {
    const stored = own(node.value, key);
    return stored === undefined || stored === computed
      ? []
      : [{ path: pathTo(node.path, key), stored, computed }];
  });
}

/** The workers as the document has them. */
export function orchestratorWorkers(session: Session, contents: Contents): JsonObject {
  const moment = workerMoment(session, contents);
  const workers = [...writtenWorkers(contents)].flatMap(([id, written]): [string, JsonObject][] => {
    const data = contents.workers.get(keyOf(id))?.data ?? {};
    const recalled = recall(format, workerShape, written, data, moment);
    return recalled ? [[id, recalled]] : [];
  });
  return Object.fromEntries(workers);
}

/** An imported worker may hold several features; the first of them in order is the one that is named. */
function writtenWorkers(contents: Contents): Map<string, JsonObject> {
  const held = new Map<string, string>();
  for (const { id, worker_id } of featuresInOrder(contents).reverse()) if (worker_id) held.set(worker_id, id);
  const ids = [...contents.workers.values()].map(({ id }) => id).sort(compareNatural);
  return new Map(
    ids.map((id) => [id, { status: held.has(id) ? 'busy' : 'idle', current_feature: held.get(id) ?? null }]),
  );
}

/** A worker has no time of its own; each change of a feature may be its doing. */
function workerMoment(session: Session, contents: Contents): JsonObject {
  return { updated_at: updatedAt(session, contents) };
}
