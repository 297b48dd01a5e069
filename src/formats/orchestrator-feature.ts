import { Feature, type FeatureStatus, Priority, type Session, type Step } from '../core/entities.ts';
import { FeatureId, StepName, WorkerId } from '../core/ids.ts';
import { type JsonObject, Text } from '../core/json.ts';
import { newFeature } from '../core/operations/feature-add.ts';
import { newSteps } from '../core/rules.ts';
import { currentStep, stepsCompleted } from '../core/select.ts';
import { expiredClaim, type ImportContext } from './imported.ts';
import { recall, remember, type Shape } from './keeping.ts';
import {
  checked,
  firstOf,
  type Node,
  own,
  read,
  readList,
  readTime,
  readWord,
  requireDistinct,
  withData,
  withTimes,
} from './reading.ts';

/** Features of the orchestrator's documents. */

const format = 'orchestrator';
/** What these managers leave behind on a feature that is finished holds until it is taken up again. */
const featureShape: Shape = { passing: ['current_step', 'worker_id', 'completed_at'] };

const featureWords = new Map<string, FeatureStatus>([
  ['pending', 'pending'],
  ['in_progress', 'in_progress'],
  ['completed', 'completed'],
  ['failed', 'failed'],
]);

export function importFeature(id: string, given: Node, session: Session, context: ImportContext): Feature {
  const node = withTimes(given, ['started_at', 'completed_at']);
  const status = readWord(node, 'status', featureWords, 'a feature');
  const worker = read(node, 'worker_id', WorkerId);
  const started_at = readTime(node, 'started_at');
  const held = status === 'in_progress' && worker !== null;
  const priority = own(node.value, 'priority') === '' ? null : read(node, 'priority', Priority);
  const error = read(node, 'error', Text);
  const created_at = firstOf(started_at, session.started_at)!;
  const feature: Feature = {
    ...newFeature(session, { id: checked(FeatureId, id, node.path) }, created_at),
    name: read(node, 'name', Text) ?? id,
    status,
    priority,
    phase: read(node, 'phase', Feature.shape.phase.unwrap()),
    dependencies: readList(node, 'dependencies', FeatureId),
    steps: importSteps(node, session, status, error),
    worker_id: held ? worker : null,
    claim: held ? expiredClaim(context, id, session.updated_at) : null,
    claim_count: held ? 1 : 0,
    retry_count: read(node, 'retry_count', Feature.shape.retry_count) ?? 0,
    error,
    summary: read(node, 'summary', Text),
    started_at,
    // Whoever depends on a completed feature looks at this time.
    completed_at: status === 'completed' ? (readTime(node, 'completed_at') ?? session.updated_at) : null,
    completed_by: status === 'completed' ? worker : null,
    failed_by: status === 'failed' ? worker : null,
    updated_at: session.updated_at,
  };
  const memory = remember(format, featureShape, node, writtenFeature(feature), momentOf(feature));
  return withData(Feature, feature, memory.data, node);
}

/** The session's steps, then those that only this feature has. One that lies before another that was reached, and
 *  was not completed itself, has been passed over. */
function importSteps(node: Node, session: Session, status: FeatureStatus, error: string | null): Step[] {
  const completed = new Set(readList(node, 'steps_completed', StepName));
  const current = read(node, 'current_step', StepName);
  const names = [...new Set([...session.steps, ...completed, ...(current === null ? [] : [current])])];
  requireDistinct(
    names.map((name) => [name, node.path]),
    'step',
  );
  const reached = names.findLastIndex((name) => completed.has(name) || name === current);
  return newSteps(names).map((step, index): Step => {
    const isCurrent = step.name === current;
    if (isCurrent && status === 'in_progress') return { ...step, status: 'active' };
    if (completed.has(step.name)) return { ...step, status: 'completed' };
    if (isCurrent && status === 'failed') return { ...step, status: 'failed', error, failures: 1 };
    const over = status === 'completed' || (index < reached && !isCurrent);
    return over ? { ...step, status: 'skipped' } : step;
  });
}

/** A feature as the document has it. */
export function orchestratorFeature(feature: Feature): JsonObject {
  const written = writtenFeature(feature);
  return recall(format, featureShape, written, feature.data, momentOf(feature)) ?? written;
}

function writtenFeature(feature: Feature): JsonObject {
  return {
    name: feature.name,
    status: endedWord(feature),
    priority: feature.priority,
    phase: feature.phase,
    dependencies: feature.dependencies,
    steps_completed: stepsCompleted(feature),
    current_step: currentStep(feature),
    worker_id: feature.worker_id,
    started_at: feature.started_at,
    completed_at:
      feature.status === 'archived' || feature.status === 'completed' ? feature.completed_at : null,
    retry_count: feature.retry_count,
    error: feature.error,
    summary: feature.summary,
  };
}

function momentOf({ status, updated_at }: Feature): JsonObject {
  return { status, updated_at };
}

/** The format has no word for what was put away. */
export function endedWord({ status, completed_at }: { status: string; completed_at: string | null }): string {
  if (status !== 'archived') return status;
  return completed_at === null ? 'failed' : 'completed';
}
