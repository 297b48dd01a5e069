import { costsOf, sumOf } from '../core/costs.ts';
import {
  type Checkpoint,
  type CostEntry,
  Feature,
  type FeatureStatus,
  type Session,
} from '../core/entities.ts';
import { FeatureId } from '../core/ids.ts';
import { type JsonObject, Text } from '../core/json.ts';
import { newFeature } from '../core/operations/feature-add.ts';
import { currentStep, nextStep } from '../core/select.ts';
import type { Contents } from '../core/state.ts';
import type { Instant } from '../core/time.ts';
import type { Warning } from './imported.ts';
import { objectAt, recall, remember, type Shape } from './keeping.ts';
import {
  importCheckpoint,
  importCost,
  importPhase,
  namesInOrder,
  type Phases,
  productionPhases,
} from './production-phase.ts';
import {
  checked,
  firstOf,
  isObject,
  type Node,
  objectsIn,
  own,
  pathTo,
  read,
  readTime,
  readWord,
  refused,
  requireDistinct,
  withData,
  withTimes,
} from './reading.ts';

/** Episodes of production's documents. An episode is a feature, and its phases are the steps. */

const format = 'production';
/** In which of the two maps the document had the episode, where its status belongs to the other one. */
const mapKey = `${format}.map`;

const episodeShape: Shape = {
  derived: ['total_cost'],
  nested: { quality_scores: {} },
  children: ['phases'],
  passing: ['status'],
};

export const episodeMaps = ['active_episodes', 'completed_episodes'] as const;
export type EpisodeMap = (typeof episodeMaps)[number];

const episodeWords = new Map<string, FeatureStatus>([
  ['initialized', 'pending'],
  ['complete', 'completed'],
  ['failed', 'failed'],
  ['archived', 'archived'],
]);

export interface ImportedEpisode {
  feature: Feature;
  checkpoints: Checkpoint[];
  /** What the phases cost, one entry each. */
  entries: CostEntry[];
  warnings: Warning[];
}

export function importEpisode(id: string, given: Node, map: EpisodeMap, session: Session): ImportedEpisode {
  const node = withTimes(given, ['created_at', 'updated_at']);
  const phases: Phases = new Map(
    objectsIn(node, 'phases').map(([name, phase]) => [name, withTimes(phase, ['start_time', 'end_time'])]),
  );
  const updated_at = readTime(node, 'updated_at') ?? session.updated_at;
  const entries = [...phases].flatMap(([name, phase]) => importCost(name, phase, updated_at));
  const feature = readEpisode(checked(FeatureId, id, node.path), node, phases, entries, session);
  const memory = remember(format, episodeShape, node, writtenEpisode(feature, entries), momentOf(feature));
  const place: JsonObject =
    map === mapOf(feature.status) ? {} : { [mapKey]: { map, moment: momentOf(feature) } };
  return {
    feature: withData(Feature, feature, { ...memory.data, ...place }, node),
    checkpoints: feature.steps.flatMap((_, index) => importCheckpoint(feature, index)),
    entries,
    warnings: memory.warnings,
  };
}

function readEpisode(
  id: FeatureId,
  node: Node,
  phases: Phases,
  entries: readonly CostEntry[],
  session: Session,
): Feature {
  const names = namesInOrder(session.steps, phases);
  const absent = names.filter((name) => !phases.has(name)).map((name) => [name, node.path] as const);
  requireDistinct([...absent, ...[...phases].map(([name, { path }]) => [name, path] as const)], 'phase');
  const words = new Map([...names.map((name) => [name, 'in_progress'] as const), ...episodeWords]);
  const status = readWord(node, 'status', words, 'an episode');
  const times = phaseTimes(phases);
  const updated_at = readTime(node, 'updated_at') ?? session.updated_at;
  const created_at = firstOf(readTime(node, 'created_at'), times.first) ?? updated_at;
  const number = own(node.value, 'episode_number');
  const error = Text.safeParse(own(node.value, 'error'));
  const steps = names.map((name) => importPhase({ id, path: node.path }, name, phases.get(name), entries));
  const done = status === 'completed' || (status === 'archived' && wasFinished(steps));
  const scores = readScores(node);
  return {
    ...newFeature(session, { id }, created_at),
    name: read(node, 'topic', Text) ?? id,
    status,
    steps,
    error: error.success ? error.data : null,
    started_at: times.first ?? (status === 'pending' ? null : created_at),
    completed_at: done ? (times.last ?? updated_at) : null,
    archived_at: status === 'archived' ? updated_at : null,
    updated_at,
    quality_scores: scores,
    scored_at: Object.keys(scores).length > 0 ? updated_at : null,
    data: typeof number === 'number' ? { episode_number: number } : {},
  };
}

/** What was put away may have been finished before, or given up. */
function wasFinished(steps: Feature['steps']): boolean {
  const finished = steps.filter(({ status }) => status === 'completed' || status === 'skipped');
  return finished.length === steps.length && steps.some(({ status }) => status === 'completed');
}

function phaseTimes(phases: Phases): { first: Instant | undefined; last: Instant | undefined } {
  const times = (key: string) => [...phases.values()].flatMap((phase) => readTime(phase, key) ?? []).sort();
  return { first: times('start_time').at(0), last: times('end_time').at(-1) };
}

/** Scores are numbers; anything else under their name is kept beside them. */
function readScores(node: Node): Feature['quality_scores'] {
  const scores = own(node.value, 'quality_scores') ?? {};
  const path = pathTo(node.path, 'quality_scores');
  if (!isObject(scores)) throw refused(path, 'is no JSON object');
  const numbers = Object.entries(scores).filter(([, score]) => typeof score === 'number');
  return checked(Feature.shape.quality_scores, Object.fromEntries(numbers), path);
}

/** Which map of the document an episode stands in. */
export function episodeMapOf(feature: Feature): EpisodeMap {
  const place = objectAt(feature.data, mapKey);
  const map = episodeMaps.find((name) => name === own(place, 'map'));
  const unchanged = sameMoment(objectAt(place, 'moment'), momentOf(feature));
  return map !== undefined && unchanged ? map : mapOf(feature.status);
}

function mapOf(status: FeatureStatus): EpisodeMap {
  return status === 'completed' || status === 'archived' ? 'completed_episodes' : 'active_episodes';
}

function momentOf({ status, updated_at }: Feature): JsonObject {
  return { status, updated_at };
}

function sameMoment(a: JsonObject, b: JsonObject): boolean {
  return own(a, 'status') === own(b, 'status') && own(a, 'updated_at') === own(b, 'updated_at');
}

/** An episode as the document has it. */
export function productionEpisode(contents: Contents, feature: Feature): JsonObject {
  const written = writtenEpisode(feature, costsOf(contents, feature.id));
  return recall(format, episodeShape, written, feature.data, momentOf(feature)) ?? written;
}

function writtenEpisode(feature: Feature, entries: readonly CostEntry[]): JsonObject {
  return {
    episode_number: episodeNumber(feature),
    topic: feature.name,
    session_id: feature.id,
    status: episodeWord(feature),
    phases: productionPhases(feature, entries),
    total_cost: sumOf(entries),
    quality_scores: feature.quality_scores,
    created_at: feature.created_at,
    updated_at: feature.updated_at,
    ...(feature.error === null ? {} : { error: feature.error }),
  };
}

/** As given, else as the id has it: `ep_001_20250903_143022`. */
function episodeNumber({ id, data }: Feature): number | null {
  const given = own(data, 'episode_number');
  if (typeof given === 'number') return given;
  const named = /^ep_(\d{1,9})_/.exec(id)?.[1];
  return named === undefined ? null : Number(named);
}

/** `initialized`, the name of the present step, or how it ended. */
function episodeWord(feature: Feature): string {
  switch (feature.status) {
    case 'completed':
      return 'complete';
    case 'failed':
    case 'archived':
      return feature.status;
    case 'pending':
      if (feature.started_at === null) return 'initialized';
      break;
    case 'in_progress':
      break;
    default:
      return feature.status satisfies never;
  }
  return currentStep(feature) ?? nextStep(feature) ?? feature.steps.at(-1)?.name ?? 'initialized';
}
