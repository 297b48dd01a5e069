import { stepCost } from '../core/costs.ts';
import { type Checkpoint, type CostEntry, type Feature, Step } from '../core/entities.ts';
import { CheckpointName, StepName } from '../core/ids.ts';
import { type JsonObject, Text } from '../core/json.ts';
import { Amount, amountOf, microsOf } from '../core/money.ts';
import { newSteps } from '../core/rules.ts';
import type { Instant } from '../core/time.ts';
import { recall, remember, rememberAbsent, type Shape } from './keeping.ts';
import { checked, firstOf, type Node, own, pathTo, readTime, readWord, withData } from './reading.ts';

/** Phases of production's episodes: the steps of a feature, with what each of them cost. */

const format = 'production';
const phaseShape: Shape = { passing: ['end_time'] };

const phaseWords = new Map<string, Step['status']>([
  ['pending', 'pending'],
  ['active', 'active'],
  ['complete', 'completed'],
  ['failed', 'failed'],
  ['skipped', 'skipped'],
]);
const wordOf = new Map([...phaseWords].map(([word, status]) => [status, word]));

/** The phases of an episode by name, in the order of the document. */
export type Phases = ReadonlyMap<string, Node>;

/** Names in the order in which they are worked through: the session's steps, each followed by the phases that only
 *  this episode has behind it. */
export function namesInOrder(steps: readonly string[], phases: Phases): string[] {
  const names = [...steps];
  let before: string | null = null;
  for (const name of phases.keys()) {
    if (!names.includes(name)) names.splice(before === null ? 0 : names.indexOf(before) + 1, 0, name);
    before = name;
  }
  return names;
}

/** @param entries what the episode cost so far. */
export function importPhase(
  { id, path }: { id: string; path: string },
  name: string,
  phase: Node | undefined,
  entries: readonly CostEntry[],
): Step {
  const [created] = newSteps([checked(StepName, name, phase?.path ?? path)]);
  if (!phase) return { ...created!, data: rememberAbsent(format, writtenPhase(id, created!, entries)) };
  const status = readWord(phase, 'status', phaseWords, 'a phase');
  const error = Text.safeParse(own(phase.value, 'error'));
  const step: Step = {
    ...created!,
    status,
    started_at: readTime(phase, 'start_time'),
    completed_at: status === 'completed' ? readTime(phase, 'end_time') : null,
    checkpoint: checkpointName(id, own(phase.value, 'checkpoint')),
    error: error.success ? error.data : null,
    failures: status === 'failed' ? 1 : 0,
  };
  const memory = remember(format, phaseShape, phase, writtenPhase(id, step, entries), momentOf(step));
  return withData(Step, step, memory.data, phase);
}

/** What a phase cost, as one entry on the day on which it ended. More than six places are rounded. */
export function importCost(name: string, phase: Node, updatedAt: Instant): CostEntry[] {
  const given = own(phase.value, 'cost') ?? 0;
  const path = pathTo(phase.path, 'cost');
  const amount = checked(Amount, typeof given === 'number' ? amountOf(microsOf(given)) : given, path);
  if (amount === 0) return [];
  const at = firstOf(readTime(phase, 'end_time'), readTime(phase, 'start_time')) ?? updatedAt;
  const step = checked(StepName, name, phase.path);
  return [{ at, amount, tokens: null, step, operation: 'import', worker: null, key: null }];
}

/** The checkpoint that a phase names. It is one of the branch, which holds the episode as it was imported. */
export function importCheckpoint(feature: Feature, index: number): Checkpoint[] {
  const step = feature.steps[index]!;
  if (step.checkpoint === null) return [];
  return [
    {
      name: step.checkpoint,
      commit: null,
      feature: feature.id,
      step: step.name,
      next_step: feature.steps[index + 1]?.name ?? null,
      created_at: step.completed_at ?? feature.updated_at,
      automatic: true,
      data: null,
      heads: {},
    },
  ];
}

/** `research_complete.json` of episode E is our checkpoint `E.research_complete`. Other names of files are kept as they
 *  are. */
function checkpointName(episode: string, file: unknown): CheckpointName | null {
  if (typeof file !== 'string' || !file.endsWith('.json')) return null;
  const name = CheckpointName.safeParse(`${episode}.${file.slice(0, -'.json'.length)}`);
  return name.success ? name.data : null;
}

function checkpointFile(episode: string, name: string): string {
  return `${name.startsWith(`${episode}.`) ? name.slice(episode.length + 1) : name}.json`;
}

/** The phases of an episode as the document has them. */
export function productionPhases(feature: Feature, entries: readonly CostEntry[]): JsonObject {
  const phases = feature.steps.flatMap((step): [string, JsonObject][] => {
    const written = writtenPhase(feature.id, step, entries);
    const recalled = recall(format, phaseShape, written, step.data, momentOf(step));
    return recalled ? [[step.name, recalled]] : [];
  });
  return Object.fromEntries(phases);
}

function writtenPhase(episode: string, step: Step, entries: readonly CostEntry[]): JsonObject {
  const { status, started_at, completed_at, checkpoint, error } = step;
  return {
    status: wordOf.get(status)!,
    cost: stepCost(entries, step),
    start_time: started_at,
    end_time: status === 'completed' ? completed_at : null,
    checkpoint: checkpoint === null ? null : checkpointFile(episode, checkpoint),
    ...(error === null ? {} : { error }),
  };
}

function momentOf({ status, started_at }: Step): JsonObject {
  return { status, started_at };
}
