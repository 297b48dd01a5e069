import { describe, expect, test } from 'vitest';
import { costsOf, totalCost } from '../../src/core/costs.ts';
import type { JsonObject, JsonValue } from '../../src/core/json.ts';
import { currentStep } from '../../src/core/select.ts';
import { exportProduction, importProduction } from '../../src/formats/production.ts';
import { productionEpisode } from '../../src/formats/production-episode.ts';
import { Scene } from '../support/scene.ts';
import { episodeExample, productionExample } from './seeds.ts';
import { context, now, refusalOf, sceneWith, stateWith } from './support.ts';

const id = 'ep_001_20250903_143022';
const pending = { status: 'pending', cost: 0, start_time: null, end_time: null, checkpoint: null };

function document(active: object = {}, completed: object = {}, more: object = {}): JsonObject {
  return { version: '3.0.0', active_episodes: active, completed_episodes: completed, ...more } as JsonObject;
}
const episode = (change: object): JsonObject => document({ e: { status: 'initialized', ...change } });
const phase = (change: object): JsonObject =>
  episode({ phases: { research: { status: 'pending', ...change } } });

function read(given: JsonValue) {
  const { sessions, warnings } = importProduction(given, context());
  const imported = sessions[0]!;
  return { ...imported, warnings, feature: imported.features[0]! };
}

function roundTrip(given: JsonValue): JsonObject {
  return exportProduction({ state: stateWith(importProduction(given, context())), session: 'production' });
}

function produced(): Scene {
  const scene = Scene.started({
    preset: 'production',
    steps: ['research', 'script', 'audio'],
    auto_checkpoints: true,
  });
  return scene.do('feature.add', { feature: id, name: 'A "topic"', data: { episode_number: 1 } });
}

const spend = (amount: number, step: string | null) => ({
  feature: id,
  amount,
  tokens: null,
  step,
  operation: 'perplexity_query',
});

test('a document that was never imported is as the description has it', () => {
  const scene = produced();
  scene.do('step.start', { feature: id, step: 'research' });
  scene.do('cost.add', spend(1, 'research'));
  scene.do('cost.add', spend(0.05, 'research'));
  scene.do('step.done', { feature: id, step: 'research' });
  scene.do('quality.set', { feature: id, scores: { research_depth: 9.2 } });
  expect(JSON.stringify(exportProduction({ state: scene.state, session: 's' }), null, 2)).toBe(
    JSON.stringify(
      {
        version: '3.0.0',
        active_episodes: {
          [id]: {
            episode_number: 1,
            topic: 'A "topic"',
            session_id: id,
            status: 'script',
            phases: {
              research: {
                status: 'complete',
                cost: 1.05,
                start_time: '2026-03-01T10:04:00Z',
                end_time: '2026-03-01T10:07:00Z',
                checkpoint: 'research_complete.json',
              },
              script: { ...pending, status: 'active', start_time: '2026-03-01T10:07:00Z' },
              audio: pending,
            },
            total_cost: 1.05,
            quality_scores: { research_depth: 9.2 },
            created_at: '2026-03-01T10:03:00Z',
            updated_at: '2026-03-01T10:08:00Z',
          },
        },
        completed_episodes: {},
        total_cost: 1.05,
        total_episodes: 1,
        last_updated: '2026-03-01T10:08:00Z',
        metrics: { avg_cost_per_episode: 0, avg_production_time: 0, success_rate: 0 },
      },
      null,
      2,
    ),
  );
});

test('the words of an episode from its beginning to its end', () => {
  const scene = produced();
  const word = () => productionEpisode(scene.contents(), scene.feature(id)).status;
  const words = [word()];
  for (const step of ['research', 'script', 'audio']) {
    scene.do('step.start', { feature: id, step });
    words.push(word());
    scene.do('step.done', { feature: id, step });
  }
  words.push(word());
  scene.do('feature.complete', { feature: id });
  words.push(word());
  scene.do('feature.archive', { feature: id });
  words.push(word());
  expect(words).toEqual(['initialized', 'research', 'script', 'audio', 'audio', 'complete', 'archived']);
});

test.each(['research', 'script', 'audio'])('a failure in %s', (name) => {
  const scene = produced();
  for (const step of ['research', 'script', 'audio']) {
    if (step === name) break;
    scene.do('step.done', { feature: id, step });
  }
  scene.do('step.start', { feature: id, step: name });
  scene.do('feature.fail', { feature: id, error: 'boom', no_retry: true });
  const written = productionEpisode(scene.contents(), scene.feature(id));
  expect(written).toMatchObject({ status: 'failed', error: 'boom' });
  expect((written.phases as JsonObject)[name]).toMatchObject({
    status: 'failed',
    error: 'boom',
    end_time: null,
  });
  scene.do('feature.retry', { feature: id });
  const again = productionEpisode(scene.contents(), scene.feature(id));
  expect(again).toMatchObject({ status: name });
  expect(again).not.toHaveProperty('error');
});

test('the number of an episode follows from its id where none was given', () => {
  const scene = Scene.started();
  for (const feature of ['ep_042_20250903_143022', 'pilot']) scene.do('feature.add', { feature });
  const { active_episodes } = exportProduction({ state: scene.state, session: 's' });
  expect(active_episodes).toMatchObject({
    ep_042_20250903_143022: { episode_number: 42 },
    pilot: { episode_number: null },
  });
});

test('an episode becomes a feature', () => {
  const { session, feature, features, checkpoints, costs } = read(document({ [id]: episodeExample }));
  expect(session).toMatchObject({
    id: 'production',
    preset: 'production',
    steps: ['research', 'script', 'audio'],
    budgets: { steps: { research: 2, script: 2, audio: 3 }, feature: 7, day: 50 },
    auto_checkpoints: true,
    started_at: '2025-09-03T14:30:22Z',
    updated_at: '2025-09-03T14:43:00Z',
  });
  expect(features).toHaveLength(1);
  expect(feature).toMatchObject({
    id,
    name: 'The Dirty Secret: Even Experts Make It Up',
    status: 'in_progress',
    claim: null,
    started_at: '2025-09-03T14:30:22Z',
    completed_at: null,
    scored_at: '2025-09-03T14:43:00Z',
    data: { episode_number: 1 },
  });
  expect(currentStep(feature)).toBe('audio');
  expect(feature.steps.map((step) => step.checkpoint)).toEqual([
    `${id}.research_complete`,
    `${id}.script_complete`,
    null,
  ]);
  expect(checkpoints).toMatchObject([
    {
      name: `${id}.research_complete`,
      feature: id,
      step: 'research',
      next_step: 'script',
      created_at: '2025-09-03T14:37:45Z',
    },
    {
      name: `${id}.script_complete`,
      feature: id,
      step: 'script',
      next_step: 'audio',
      automatic: true,
      commit: null,
    },
  ]);
  expect(costs).toEqual([
    {
      feature: id,
      day: '2025-09-03',
      entries: [
        { ...entry, at: '2025-09-03T14:37:45Z', amount: 1.05, step: 'research' },
        { ...entry, at: '2025-09-03T14:42:30Z', amount: 0.85, step: 'script' },
      ],
    },
  ]);
});
const entry = { tokens: null, operation: 'import', worker: null, key: null };

describe('status words of an episode', () => {
  test.each([
    ['initialized', 'pending'],
    ['research', 'in_progress'],
    ['script', 'in_progress'],
    ['audio', 'in_progress'],
    ['complete', 'completed'],
    ['failed', 'failed'],
    ['archived', 'archived'],
  ])('%s is %s', (status, ours) => {
    expect(read(episode({ status })).feature.status).toBe(ours);
    expect(roundTrip(episode({ status }))).toEqual(episode({ status }));
    const put = document({}, { e: { status } });
    expect(roundTrip(put)).toEqual(put);
  });

  test('the name of a phase of its own', () => {
    const given = episode({
      status: 'mastering',
      phases: { audio: { status: 'complete' }, mastering: { status: 'active' } },
    });
    expect(read(given).feature.steps.map(({ name, status }) => `${name}:${status}`)).toEqual([
      'research:pending',
      'script:pending',
      'audio:completed',
      'mastering:active',
    ]);
    expect(roundTrip(given)).toEqual(given);
  });

  test('what was archived had been finished, or given up', () => {
    const phases = (status: string) => ({
      status: 'archived',
      phases: {
        research: { status: 'complete', end_time: '2025-09-03T14:37:45Z' },
        script: { status: 'skipped' },
        audio: { status },
      },
    });
    expect(read(episode(phases('complete'))).feature.completed_at).toBe('2025-09-03T14:37:45Z');
    expect(read(episode(phases('pending'))).feature.completed_at).toBeNull();
    expect(read(episode({ status: 'archived' })).feature.completed_at).toBeNull();
  });
});

describe('status words of a phase', () => {
  test.each([
    ['pending', 'pending'],
    ['active', 'active'],
    ['complete', 'completed'],
    ['failed', 'failed'],
    ['skipped', 'skipped'],
  ])('%s is %s', (status, ours) => {
    const given = phase({ status, end_time: '2025-09-03T14:37:45Z' });
    expect(read(given).feature.steps[0]).toMatchObject({
      status: ours,
      failures: status === 'failed' ? 1 : 0,
    });
    expect(roundTrip(given)).toEqual(given);
  });
});

describe('refusals', () => {
  const bad: [string, JsonValue, string][] = [
    ['no object', 'x', '$'],
    ['another document', { version: '1.0.0', features: {} }, '$'],
    [
      'a list of episodes',
      { version: '3.0.0', active_episodes: {}, completed_episodes: [] },
      '$.completed_episodes',
    ],
    ['an episode that is none', document({ e: [] }), '$.active_episodes.e'],
    ['a bad id', document({}, { 'a/b': { status: 'complete' } }), '$.completed_episodes["a/b"]'],
    [
      'one id in both maps',
      document({ e: { status: 'failed' } }, { e: { status: 'failed' } }),
      '$.completed_episodes.e',
    ],
    ['no status', document({ e: {} }), '$.active_episodes.e.status'],
    ['another status', episode({ status: 'running' }), '$.active_episodes.e.status'],
    ['the word completed', episode({ status: 'completed' }), '$.active_episodes.e.status'],
    ['a topic that is no text', episode({ topic: 7 }), '$.active_episodes.e.topic'],
    ['scores that are a list', episode({ quality_scores: [1] }), '$.active_episodes.e.quality_scores'],
    ['no time', episode({ created_at: 'today' }), '$.active_episodes.e.created_at'],
    ['phases that are a list', episode({ phases: [] }), '$.active_episodes.e.phases'],
    [
      'a phase that is none',
      episode({ phases: { research: 'complete' } }),
      '$.active_episodes.e.phases.research',
    ],
    [
      'a bad name of a phase',
      episode({ phases: { 'a b': { status: 'pending' } } }),
      '$.active_episodes.e.phases["a b"]',
    ],
    [
      'phases that differ by case',
      episode({ phases: { Script: { status: 'pending' } } }),
      '$.active_episodes.e.phases.Script',
    ],
    [
      'no status of a phase',
      episode({ phases: { research: {} } }),
      '$.active_episodes.e.phases.research.status',
    ],
    [
      'another status of a phase',
      phase({ status: 'completed' }),
      '$.active_episodes.e.phases.research.status',
    ],
    ['a cost that is text', phase({ cost: '1.05' }), '$.active_episodes.e.phases.research.cost'],
    ['a cost below zero', phase({ cost: -1 }), '$.active_episodes.e.phases.research.cost'],
    ['a cost beyond all bounds', phase({ cost: 2e12 }), '$.active_episodes.e.phases.research.cost'],
    ['no time of a phase', phase({ start_time: 5 }), '$.active_episodes.e.phases.research.start_time'],
    ['a total that is text', document({}, {}, { total_cost: '1' }), '$.total_cost'],
    ['a total beyond all bounds', document({}, {}, { total_cost: -2e12 }), '$.total_cost'],
    ['a count with a fraction', document({}, {}, { total_episodes: 1.5 }), '$.total_episodes'],
  ];
  test.each(bad)('%s', (_, given, path) => {
    expect(refusalOf(() => importProduction(given, context()))).toMatchObject({
      code: 'INVALID_INPUT',
      path,
    });
  });

  test('a newer version', () => {
    expect(refusalOf(() => read(document({}, {}, { version: '4.0' }))).code).toBe('SCHEMA_TOO_NEW');
  });
});

describe('totals', () => {
  test('that differ are warnings, and what they have beyond the episodes counts on', () => {
    const { warnings, session } = read(productionExample);
    expect(warnings).toEqual([
      { path: '$.total_cost', stored: 127.45, computed: 3.8 },
      { path: '$.total_episodes', stored: 25, computed: 3 },
      { path: '$.metrics.avg_cost_per_episode', stored: 5.51, computed: 0 },
      { path: '$.metrics.avg_production_time', stored: 22.3, computed: 0 },
      { path: '$.metrics.success_rate', stored: 0.94, computed: 0 },
    ]);
    expect(session.data.opening).toEqual({ total_cost: 123.65, total_episodes: 22 });
    const scene = sceneWith(importProduction(productionExample, context()));
    expect(exportProduction({ state: scene.state, session: 'production' })).toMatchObject({
      total_cost: 127.45,
      total_episodes: 25,
    });
    scene.do('cost.add', spend(0.15, 'audio'), 'production');
    scene.do('feature.add', { feature: 'ep_026_20260301_100000' }, 'production');
    expect(exportProduction({ state: scene.state, session: 'production' })).toMatchObject({
      total_cost: 127.6,
      total_episodes: 26,
    });
    expect(totalCost(scene.session('production'), scene.contents('production'))).toBe(127.6);
  });

  test('digits that a binary sum left behind are no difference', () => {
    const given = phase({ cost: 0.3 });
    const { warnings, session } = read({ ...given, total_cost: 0.1 + 0.2 });
    expect(warnings).toEqual([]);
    expect(session.data).not.toHaveProperty('opening');
  });

  test('of an episode that differ are warnings', () => {
    const given = document({ [id]: { ...episodeExample, total_cost: 3 } });
    expect(read(given).warnings).toEqual([
      { path: `$.active_episodes.${id}.total_cost`, stored: 3, computed: 1.9 },
    ]);
  });

  test('below the sum of the episodes come back, too', () => {
    const given = { ...document({ [id]: episodeExample }), total_cost: 1, total_episodes: 0 };
    expect(read(given).session.data.opening).toEqual({ total_cost: -0.9, total_episodes: -1 });
    expect(roundTrip(given)).toMatchObject({ total_cost: 1, total_episodes: 0 });
  });

  test('that are absent or null stay so', () => {
    expect(roundTrip(document())).toEqual(document());
    const given = document(
      {},
      {},
      { total_cost: null, total_episodes: null, metrics: { success_rate: null } },
    );
    expect(roundTrip(given)).toEqual(given);
  });

  test('averages of finished episodes', () => {
    const phases = (cost: number, end_time: string) => ({
      status: 'complete',
      phases: { research: { status: 'complete', cost, start_time: '2025-09-03T10:00:00Z', end_time } },
    });
    const given = document(
      {},
      {
        a: phases(1, '2025-09-03T10:10:00Z'),
        b: phases(2, '2025-09-03T10:15:30Z'),
        c: {
          ...phases(2.5, '2025-09-03T10:12:45Z'),
          status: 'archived',
          phases: {
            ...phases(2.5, '2025-09-03T10:12:45Z').phases,
            script: { status: 'skipped' },
            audio: { status: 'skipped' },
          },
        },
        d: { status: 'failed' },
      },
      { metrics: { avg_cost_per_episode: 1.83, avg_production_time: 12.8, success_rate: 0.75 } },
    );
    expect(read(given).warnings).toEqual([]);
    expect(roundTrip(given)).toEqual(given);
  });
});

describe('what a phase cost', () => {
  test('is exact, on its day', () => {
    const scene = sceneWith(
      importProduction(
        phase({
          cost: 0.1,
          start_time: '2025-09-03T23:59:59Z',
          end_time: '2025-09-04T00:00:01Z',
          status: 'complete',
        }),
        context(),
      ),
    );
    const contents = scene.contents('production');
    expect([...contents.costs.entries()].map(([key]) => key)).toEqual(['2025-09-04/e']);
    scene.do('cost.add', { ...spend(0.2, 'research'), feature: 'e' }, 'production');
    const { active_episodes } = exportProduction({ state: scene.state, session: 'production' });
    expect(active_episodes).toMatchObject({ e: { phases: { research: { cost: 0.3 } } } });
    expect(costsOf(scene.contents('production'), 'e')).toHaveLength(2);
  });

  test('has six places; more are kept until something is added', () => {
    const given = phase({ cost: 0.1234565 });
    expect(read(given).costs[0]?.entries[0]?.amount).toBe(0.123456);
    expect(roundTrip(given)).toEqual(given);
    const scene = sceneWith(importProduction(given, context()));
    scene.do('cost.add', { ...spend(1, 'research'), feature: 'e' }, 'production');
    const { active_episodes } = exportProduction({ state: scene.state, session: 'production' });
    expect(active_episodes).toMatchObject({ e: { phases: { research: { cost: 1.123456 } } } });
  });

  test('is no entry where it is nothing', () => {
    for (const cost of [0, null, 1e-9]) {
      expect(read(phase({ cost })).costs).toEqual([]);
      expect(roundTrip(phase({ cost }))).toEqual(phase({ cost }));
    }
  });
});

describe('files of checkpoints', () => {
  test.each([
    ['research_complete.json', 'e.research_complete'],
    ['custom.json', 'e.custom'],
    ['research_complete~2.json', 'e.research_complete~2'],
    ['folder/x.json', null],
    ['research_complete', null],
    ['.json', null],
    [null, null],
  ])('%s is %s', (checkpoint, name) => {
    const { feature, checkpoints } = read(phase({ status: 'complete', checkpoint }));
    expect(feature.steps[0]?.checkpoint).toBe(name);
    expect(checkpoints.map((one) => one.name)).toEqual(name === null ? [] : [name]);
    expect(roundTrip(phase({ status: 'complete', checkpoint }))).toEqual(
      phase({ status: 'complete', checkpoint }),
    );
  });

  test('two phases may name the same one', () => {
    const given = episode({
      phases: {
        research: { status: 'complete', checkpoint: 'x.json' },
        script: { status: 'complete', checkpoint: 'x.json' },
      },
    });
    expect(read(given).checkpoints).toMatchObject([{ name: 'e.x', step: 'research' }]);
    expect(roundTrip(given)).toEqual(given);
  });
});

describe('the order of phases', () => {
  const names = (...phases: string[]) =>
    read(
      episode({ phases: Object.fromEntries(phases.map((name) => [name, { status: 'pending' }])) }),
    ).feature.steps.map((step) => step.name);

  test.each([
    [
      ['script', 'research'],
      ['research', 'script', 'audio'],
    ],
    [
      ['research', 'outline', 'script', 'audio'],
      ['research', 'outline', 'script', 'audio'],
    ],
    [
      ['audio', 'mastering', 'upload'],
      ['research', 'script', 'audio', 'mastering', 'upload'],
    ],
    [
      ['pitch', 'research'],
      ['pitch', 'research', 'script', 'audio'],
    ],
  ])('%j', (given, expected) => {
    expect(names(...given)).toEqual(expected);
  });
});

describe('where an episode stands', () => {
  const finished = document({ e: { status: 'complete' } }, { f: { status: 'failed' } });

  test('comes back', () => {
    expect(roundTrip(finished)).toEqual(finished);
  });

  test('follows from its status once that has changed', () => {
    const scene = sceneWith(importProduction(finished, context()));
    for (const feature of ['e', 'f']) scene.do('feature.retry', { feature }, 'production');
    const active = exportProduction({ state: scene.state, session: 'production' });
    expect(Object.keys(active.active_episodes as object)).toEqual(['e', 'f']);
    for (const feature of ['e', 'f']) scene.do('feature.archive', { feature }, 'production');
    const done = exportProduction({ state: scene.state, session: 'production' });
    expect(Object.keys(done.completed_episodes as object)).toEqual(['e', 'f']);
    expect(done.active_episodes).toEqual({});
  });
});

test('what happens after the import wins', () => {
  const given = document(
    {
      e: {
        status: 'audio',
        topic: null,
        note: { by: 'me' },
        phases: { research: { status: 'active', end_time: '2025-09-03T14:37:45Z', engine: 'x' } },
        quality_scores: { depth: 9, remark: 'good' },
      },
    },
    {},
    { owner: 'me', metrics: { unit: 'USD' } },
  );
  expect(roundTrip(given)).toEqual(given);
  const scene = sceneWith(importProduction(given, context()));
  scene.do('step.done', { feature: 'e', step: 'research' }, 'production');
  scene.do('quality.set', { feature: 'e', scores: { depth: 8 } }, 'production');
  expect(exportProduction({ state: scene.state, session: 'production' })).toEqual({
    ...given,
    active_episodes: {
      e: {
        status: 'script',
        topic: null,
        note: { by: 'me' },
        phases: {
          research: {
            status: 'complete',
            engine: 'x',
            start_time: '2026-03-01T10:03:00Z',
            end_time: '2026-03-01T10:03:00Z',
            checkpoint: 'research_complete.json',
          },
          script: { ...pending, status: 'active', start_time: '2026-03-01T10:03:00Z' },
        },
        quality_scores: { depth: 8, remark: 'good' },
        updated_at: '2026-03-01T10:04:00Z',
      },
    },
    last_updated: '2026-03-01T10:04:00Z',
  });
});

describe('the session', () => {
  test('has its own name where one is given', () => {
    expect(importProduction(document(), context('2026')).sessions[0]?.session.id).toBe('2026');
  });

  test('begins with its first episode', () => {
    expect(read(productionExample).session).toMatchObject({
      started_at: '2025-09-02T09:30:15Z',
      updated_at: '2025-09-03T15:05:30Z',
    });
    expect(read(document()).session).toMatchObject({ started_at: now, updated_at: now });
  });
});
