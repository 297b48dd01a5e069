import fc, { type Arbitrary } from 'fast-check';
import { describe, expect, test } from 'vitest';
import { idFault } from '../../src/core/ids.ts';
import { type JsonObject, type JsonValue, sortKeys } from '../../src/core/json.ts';
import { exportOrchestrator, importOrchestrator } from '../../src/formats/orchestrator.ts';
import { exportParallelDev, importParallelDev } from '../../src/formats/parallel-dev.ts';
import { exportProduction, importProduction } from '../../src/formats/production.ts';
import { json, jsonRecord, text } from '../support/arbitraries.ts';
import { orchestratorExample, parallelDevExample, productionExample } from './seeds.ts';
import { context, settled, stateWith, without } from './support.ts';

/** What goes in comes out: every field but the computed ones, whatever gitstate knows of it. */

const oddKey = fc.constantFrom(
  'constructor',
  'toString',
  'hasOwnProperty',
  '',
  '0',
  '10',
  'a/b',
  '~1',
  'd.e',
  '"q"',
  'é',
  '#',
);
const id = fc
  .oneof(
    fc.string({ unit: fc.constantFrom(...'abAB01._-'), minLength: 1, maxLength: 6 }),
    fc.constantFrom('constructor', 'toString', '001', '10', '9', 'valueOf'),
  )
  .filter((word) => idFault(word) === null);

const time = fc
  .record({
    second: fc.integer({ min: 0, max: 4_000_000_000 }),
    notation: fc.constantFrom('Z', '.000Z', '+00:00', '.25Z'),
  })
  .map(({ second, notation }) => new Date(second * 1000).toISOString().replace('.000Z', notation));

const maybe = <T>(value: Arbitrary<T>) => fc.option(value, { nil: null });

/** Fields that are known, any of them absent but those named, and fields that are not. */
function object(
  known: Record<string, Arbitrary<unknown>>,
  required: readonly string[] = [],
): Arbitrary<JsonObject> {
  const unknown = fc.dictionary(fc.oneof(oddKey, text), json, { maxKeys: 3 });
  return fc.tuple(fc.record(known, { requiredKeys: [...required] }), unknown).map(([fields, extra]) => {
    const free = Object.entries(extra).filter(([key]) => key !== '__proto__' && !Object.hasOwn(known, key));
    return Object.fromEntries([...free, ...Object.entries(fields)]) as JsonObject;
  });
}

function mapOf<T>(value: Arbitrary<T>, maxKeys = 4): Arbitrary<Record<string, T>> {
  return fc
    .uniqueArray(fc.tuple(id, value), { maxLength: maxKeys, selector: ([key]) => key.toLowerCase() })
    .map((entries) => Object.fromEntries(entries));
}

const figures = (...names: string[]) =>
  object(Object.fromEntries(names.map((name) => [name, maybe(fc.integer({ min: 0, max: 30 }))])));

interface Format {
  document: Arbitrary<JsonObject>;
  through: (document: JsonValue) => JsonObject;
  /** Computed fields. */
  derived: string[];
}

const task = object(
  {
    status: fc.constantFrom('pending', 'in_progress', 'completed', 'failed'),
    branch: maybe(text),
    worktree: maybe(text),
    pr_number: maybe(fc.nat()),
    phases: json,
    metrics: maybe(jsonRecord),
    started_at: maybe(time),
    completed_at: maybe(time),
  },
  ['status'],
);
const parallelDevMetrics = ['total_tasks', 'completed', 'in_progress', 'failed', 'average_time_minutes'];
const parallelDevSession = object(
  {
    id,
    status: fc.constantFrom('active', 'completed', 'failed'),
    started_at: maybe(time),
    updated_at: maybe(time),
    recovered_at: maybe(time),
    options: maybe(jsonRecord),
    tasks: maybe(mapOf(task)),
    metrics: maybe(figures(...parallelDevMetrics)),
  },
  ['id', 'status'],
);
const parallelDev: Format = {
  document: object(
    {
      version: fc.constantFrom('2.0', '2.7', '1.0', 2, null),
      sessions: fc.uniqueArray(parallelDevSession, {
        minLength: 1,
        maxLength: 4,
        selector: (session) => String(session.id).toLowerCase(),
      }),
    },
    ['sessions'],
  ),
  through: (document) => exportParallelDev({ state: stateWith(importParallelDev(document, context())) }),
  derived: parallelDevMetrics.map((name) => `sessions.*.metrics.${name}`),
};

const stepName = fc.oneof(
  fc.constantFrom('specify', 'clarify', 'plan', 'implement'),
  fc.constantFrom('deploy', 'constructor'),
);
const feature = object(
  {
    name: maybe(text),
    status: fc.constantFrom('pending', 'in_progress', 'completed', 'failed'),
    priority: maybe(fc.constantFrom('P0', 'P1', 'urgent', '')),
    phase: maybe(fc.oneof(fc.integer(), fc.constantFrom(1.5, -2))),
    dependencies: maybe(fc.array(id, { maxLength: 3 })),
    steps_completed: maybe(fc.array(stepName, { maxLength: 4 })),
    current_step: maybe(stepName),
    worker_id: maybe(fc.constantFrom('W1', 'W2', 'constructor')),
    started_at: maybe(time),
    completed_at: maybe(time),
    retry_count: maybe(fc.nat({ max: 9 })),
    error: maybe(text),
    summary: maybe(text),
  },
  ['status'],
);
const worker = object({ status: fc.constantFrom('idle', 'busy'), current_feature: maybe(id) });
const progress = ['total_features', 'completed', 'in_progress', 'pending', 'failed'];
const orchestrator: Format = {
  document: object(
    {
      version: fc.constantFrom('1.0.0', '1.9', '0.3', null),
      session_id: fc.constantFrom('speckit-orch-20251226-143022', 'constructor', 'S'),
      started_at: maybe(time),
      updated_at: maybe(time),
      status: fc.constantFrom('running', 'completed', 'failed'),
      config: maybe(jsonRecord),
      progress: maybe(figures(...progress)),
      features: mapOf(feature),
      workers: maybe(
        fc
          .subarray(['W1', 'W2', 'W3', 'constructor'])
          .chain((names) => fc.record(Object.fromEntries(names.map((name) => [name, worker])))),
      ),
      logs: maybe(
        fc.array(object({ timestamp: maybe(fc.oneof(time, text)), level: json, message: json }), {
          maxLength: 3,
        }),
      ),
    },
    ['status', 'features'],
  ),
  through: (document) => {
    const imported = importOrchestrator(document, context());
    const [{ session, logs }] = imported.sessions as [(typeof imported.sessions)[0]];
    return exportOrchestrator({ state: stateWith(imported), session: session.id, logs });
  },
  derived: progress.map((name) => `progress.${name}`),
};

const phaseName = fc.constantFrom('research', 'script', 'audio', 'mastering', 'constructor');
const amount = fc.oneof(
  fc.nat({ max: 5_000_000 }).map((micros) => micros / 1e6),
  fc.constantFrom(0, 0.30000000000000004, 1e-7),
);
const phase = object(
  {
    status: fc.constantFrom('pending', 'active', 'complete', 'failed', 'skipped'),
    cost: maybe(amount),
    start_time: maybe(time),
    end_time: maybe(time),
    checkpoint: maybe(
      fc.oneof(fc.constantFrom('research_complete.json', 'custom.json', 'a/b.json', 'plain', '.json'), json),
    ),
    error: maybe(fc.oneof(text, json)),
  },
  ['status'],
);
const commonStatuses = ['initialized', 'research', 'script', 'audio', 'complete', 'failed', 'archived'];
const episode = fc
  .uniqueArray(phaseName, { maxLength: 4 })
  .chain((names) =>
    object(
      {
        episode_number: maybe(fc.oneof(fc.nat(), text)),
        topic: maybe(text),
        session_id: maybe(fc.oneof(id, text)),
        status: fc.constantFrom(...commonStatuses, ...names),
        phases: maybe(fc.record(Object.fromEntries(names.map((name) => [name, phase])))),
        total_cost: maybe(amount),
        quality_scores: maybe(
          fc.dictionary(
            fc.oneof(oddKey, id),
            fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true, max: 1e6, min: -1e6 }), json),
            { maxKeys: 3 },
          ),
        ),
        created_at: maybe(time),
        updated_at: maybe(time),
        error: maybe(fc.oneof(text, json)),
      },
      ['status'],
    ),
  )
  // A status may name a phase of its own, where the episode has that phase.
  .map((given) =>
    given.phases || commonStatuses.includes(String(given.status)) ? given : { ...given, status: 'research' },
  );
const averages = ['avg_cost_per_episode', 'avg_production_time', 'success_rate'];
const maps = ['active_episodes', 'completed_episodes'];
const production: Format = {
  document: fc
    .uniqueArray(fc.tuple(id, episode, fc.boolean()), {
      maxLength: 4,
      selector: ([key]) => key.toLowerCase(),
    })
    .chain((episodes) => {
      const [active, completed] = [true, false].map((side) =>
        Object.fromEntries(
          episodes.filter(([, , active]) => active === side).map(([key, value]) => [key, value]),
        ),
      );
      return object(
        {
          version: fc.constantFrom('3.0.0', '3.1', '2', null),
          active_episodes: fc.constant(active),
          completed_episodes:
            Object.keys(completed!).length === 0 ? maybe(fc.constant(completed)) : fc.constant(completed),
          total_cost: maybe(amount),
          total_episodes: maybe(fc.nat({ max: 30 })),
          last_updated: maybe(time),
          metrics: maybe(figures(...averages)),
        },
        ['active_episodes', ...(Object.keys(completed!).length === 0 ? [] : ['completed_episodes'])],
      );
    }),
  through: (document) =>
    exportProduction({ state: stateWith(importProduction(document, context())), session: 'production' }),
  derived: [
    'total_cost',
    'total_episodes',
    ...averages.map((name) => `metrics.${name}`),
    ...maps.map((map) => `${map}.*.total_cost`),
  ],
};

const formats = { 'parallel-dev': parallelDev, orchestrator, production };

describe.each(Object.entries(formats))('%s', (_, { document, through, derived }) => {
  test('any document comes back, value for value', { timeout: 120_000 }, () => {
    fc.assert(
      fc.property(document, (given) => {
        const before = JSON.stringify(given);
        const back = JSON.parse(JSON.stringify(through(given))) as JsonValue;
        expect(without(back, derived)).toEqual(without(settled(given), derived));
        expect(JSON.stringify(given)).toBe(before);
      }),
      { numRuns: 200 },
    );
  });

  test('the order of keys does not matter', () => {
    fc.assert(
      fc.property(document, (given) => {
        const back = through(sortKeys(given));
        expect(without(back, derived)).toEqual(without(settled(given), derived));
      }),
      { numRuns: 30 },
    );
  });

  test('what was exported comes back with its computed fields, too', () => {
    fc.assert(
      fc.property(document, (given) => {
        const once = through(given);
        expect(through(once)).toEqual(once);
      }),
      { numRuns: 60 },
    );
  });
});

test.each([
  ['parallel-dev', parallelDevExample, parallelDev],
  ['orchestrator', orchestratorExample, orchestrator],
  ['production', productionExample, production],
])('the example of %s comes back', (_, example, { through, derived }) => {
  expect(without(through(example), derived)).toEqual(without(example, derived));
});
