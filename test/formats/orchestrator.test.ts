import { describe, expect, test } from 'vitest';
import type { JsonObject, JsonValue } from '../../src/core/json.ts';
import { readyFeatures } from '../../src/core/select.ts';
import { exportOrchestrator, importOrchestrator } from '../../src/formats/orchestrator.ts';
import { orchestratorFeature } from '../../src/formats/orchestrator-feature.ts';
import { claiming, Scene } from '../support/scene.ts';
import { orchestratorExample } from './seeds.ts';
import { context, now, refusalOf, sceneWith, stateWith } from './support.ts';

const steps = ['specify', 'clarify', 'plan', 'tasks', 'analyze', 'implement'];

function document(change: object = {}): JsonObject {
  return { version: '1.0.0', session_id: 's', status: 'running', features: {}, ...change } as JsonObject;
}
const feature = (change: object): JsonObject =>
  document({ features: { f: { status: 'pending', ...change } } });

function read(given: JsonValue) {
  const { sessions, warnings } = importOrchestrator(given, context());
  const imported = sessions[0]!;
  return { ...imported, warnings, feature: imported.features[0]! };
}

function roundTrip(given: JsonValue): JsonObject {
  const imported = importOrchestrator(given, context());
  const { session, logs } = imported.sessions[0]!;
  return exportOrchestrator({ state: stateWith(imported), session: session.id, logs });
}

const withSteps = (statuses: Record<string, string>) =>
  steps.map((name) => `${name}:${statuses[name] ?? 'pending'}`).join(' ');
const stepsOf = (given: JsonValue) =>
  read(given)
    .feature.steps.map(({ name, status }) => `${name}:${status}`)
    .join(' ');

test('a document that was never imported is as the description has it', () => {
  const scene = Scene.started({ preset: 'orchestrator', steps, config: { workers_count: 4 } });
  scene.do('feature.add', { feature: '002', name: 'second', dependencies: [], phase: 2 });
  scene.do('feature.add', { feature: '010', name: 'third "quoted"', dependencies: ['002'], priority: 'P1' });
  scene.do('feature.claim', claiming('002', 'W1'));
  for (const step of ['specify', 'clarify']) scene.do('step.done', { feature: '002', step, worker: 'W1' });
  const logs = [{ timestamp: '2026-03-01T10:05:00Z', level: 'info', message: 'claimed' }];
  const written = exportOrchestrator({ state: scene.state, session: 's', logs });
  expect(JSON.stringify(written, null, 2)).toBe(
    JSON.stringify(
      {
        version: '1.0.0',
        session_id: 's',
        started_at: '2026-03-01T10:02:00Z',
        updated_at: '2026-03-01T10:07:00Z',
        status: 'running',
        config: { workers_count: 4 },
        progress: { total_features: 2, completed: 0, in_progress: 1, pending: 1, failed: 0 },
        features: {
          '002': {
            name: 'second',
            status: 'in_progress',
            priority: null,
            phase: 2,
            dependencies: [],
            steps_completed: ['specify', 'clarify'],
            current_step: 'plan',
            worker_id: 'W1',
            started_at: '2026-03-01T10:05:00Z',
            completed_at: null,
            retry_count: 0,
            error: null,
            summary: null,
          },
          '010': {
            name: 'third "quoted"',
            status: 'pending',
            priority: 'P1',
            phase: null,
            dependencies: ['002'],
            steps_completed: [],
            current_step: null,
            worker_id: null,
            started_at: null,
            completed_at: null,
            retry_count: 0,
            error: null,
            summary: null,
          },
        },
        workers: { W1: { status: 'busy', current_feature: '002' } },
        logs,
      },
      null,
      2,
    ),
  );
});

test('the document becomes one session', () => {
  const { session, features, workers, logs } = read(orchestratorExample);
  expect(session).toMatchObject({
    id: 'speckit-orch-20251226-143022',
    preset: 'orchestrator',
    name: 'Vidiwo',
    status: 'active',
    config: orchestratorExample.config,
    steps,
    started_at: '2025-12-26T14:30:22Z',
    updated_at: '2025-12-26T15:15:45Z',
  });
  expect(features).toHaveLength(1);
  expect(features[0]).toMatchObject({
    id: '001',
    name: 'channel-management',
    status: 'completed',
    priority: 'P0',
    phase: 1,
    completed_at: '2025-12-26T14:45:12Z',
    updated_at: '2025-12-26T15:15:45Z',
    claim: null,
  });
  expect(workers).toMatchObject([{ id: 'W1', first_seen_at: '2025-12-26T14:30:22Z' }]);
  expect(logs).toEqual(orchestratorExample.logs);
});

describe('status words', () => {
  test.each([
    ['running', 'active'],
    ['completed', 'completed'],
    ['failed', 'failed'],
  ])('session %s is %s', (word, status) => {
    expect(read(document({ status: word })).session.status).toBe(status);
    expect(roundTrip(document({ status: word }))).toEqual(document({ status: word }));
  });

  test.each(['pending', 'in_progress', 'completed', 'failed'])('feature %s', (status) => {
    expect(read(feature({ status })).feature.status).toBe(status);
    expect(roundTrip(feature({ status }))).toEqual(feature({ status }));
  });

  test.each(['idle', 'busy'])('worker %s', (status) => {
    const given = document({ workers: { W1: { status, current_feature: null } } });
    expect(roundTrip(given)).toEqual(given);
  });

  test('what was put away is completed or failed', () => {
    const scene = Scene.started();
    for (const id of ['done', 'dropped']) scene.do('feature.add', { feature: id });
    scene.do('feature.update', { feature: 'done', set: { status: 'completed' } });
    for (const id of ['done', 'dropped']) scene.do('feature.archive', { feature: id });
    scene.do('session.archive', {});
    const written = exportOrchestrator({ state: scene.state, session: 's' });
    expect(written).toMatchObject({
      status: 'failed',
      progress: { total_features: 2, completed: 1, in_progress: 0, pending: 0, failed: 1 },
      features: { done: { status: 'completed' }, dropped: { status: 'failed' } },
    });
  });
});

describe('refusals', () => {
  const bad: [string, JsonValue, string][] = [
    ['no object', null, '$'],
    ['no features', { version: '1.0.0' }, '$.features'],
    ['a list of features', document({ features: [] }), '$.features'],
    ['no status', { version: '1.0.0', features: {} }, '$.status'],
    ['another status', document({ status: 'active' }), '$.status'],
    ['a bad session id', document({ session_id: '../x' }), '$.session_id'],
    ['a feature that is none', document({ features: { '001': null } }), '$.features["001"]'],
    ['a bad feature id', document({ features: { 'a b': { status: 'pending' } } }), '$.features["a b"]'],
    ['no status of a feature', document({ features: { f: {} } }), '$.features.f.status'],
    ['another status of a feature', feature({ status: 'blocked' }), '$.features.f.status'],
    ['a name that is no text', feature({ name: 1 }), '$.features.f.name'],
    ['a priority that is no text', feature({ priority: 0 }), '$.features.f.priority'],
    ['a phase that is text', feature({ phase: '1' }), '$.features.f.phase'],
    ['dependencies that are text', feature({ dependencies: 'a' }), '$.features.f.dependencies'],
    ['a dependency that is no id', feature({ dependencies: ['a', '/'] }), '$.features.f.dependencies[1]'],
    ['a step that is no id', feature({ steps_completed: ['pl an'] }), '$.features.f.steps_completed[0]'],
    ['a step that differs by case', feature({ steps_completed: ['Plan'] }), '$.features.f'],
    ['a current step that is no id', feature({ current_step: '' }), '$.features.f.current_step'],
    ['a worker that is no id', feature({ worker_id: '-' }), '$.features.f.worker_id'],
    ['a count below zero', feature({ retry_count: -1 }), '$.features.f.retry_count'],
    ['an error that is no text', feature({ error: {} }), '$.features.f.error'],
    ['no time', feature({ started_at: 'now' }), '$.features.f.started_at'],
    ['a worker that is none', document({ workers: { W1: 'busy' } }), '$.workers.W1'],
    ['a bad worker id', document({ workers: { 'W 1': {} } }), '$.workers["W 1"]'],
    ['another status of a worker', document({ workers: { W1: { status: 'away' } } }), '$.workers.W1.status'],
    ['workers that differ by case', document({ workers: { W1: {}, w1: {} } }), '$.workers.w1'],
    [
      'a worker known in other letters',
      { ...feature({ status: 'in_progress', worker_id: 'w1' }), workers: { W1: {} } },
      '$.features.f.worker_id',
    ],
    ['logs that are no list', document({ logs: {} }), '$.logs'],
    ['an entry of the log that is text', document({ logs: ['started'] }), '$.logs[0]'],
  ];
  test.each(bad)('%s', (_, given, path) => {
    expect(refusalOf(() => importOrchestrator(given, context()))).toMatchObject({
      code: 'INVALID_INPUT',
      path,
    });
  });

  test('a newer version', () => {
    expect(refusalOf(() => read(document({ version: '2.0.0' })))).toMatchObject({
      code: 'SCHEMA_TOO_NEW',
      message: 'the document has version 2.0.0, known is 1.0.0',
    });
  });
});

describe('steps', () => {
  test('completed, active and passed over', () => {
    expect(
      stepsOf(
        feature({ status: 'in_progress', steps_completed: ['specify', 'plan'], current_step: 'tasks' }),
      ),
    ).toBe(withSteps({ specify: 'completed', clarify: 'skipped', plan: 'completed', tasks: 'active' }));
    expect(stepsOf(feature({ status: 'pending' }))).toBe(withSteps({}));
    expect(stepsOf(feature({ status: 'in_progress', current_step: 'specify' }))).toBe(
      withSteps({ specify: 'active' }),
    );
  });

  test('a failed feature fails in its step', () => {
    const given = feature({
      status: 'failed',
      steps_completed: ['specify'],
      current_step: 'clarify',
      error: 'boom',
    });
    expect(stepsOf(given)).toBe(withSteps({ specify: 'completed', clarify: 'failed' }));
    expect(read(given).feature.steps[1]).toMatchObject({ error: 'boom', failures: 1 });
  });

  test('a completed feature has no open step', () => {
    expect(stepsOf(feature({ status: 'completed', steps_completed: ['specify'] }))).toBe(
      withSteps({
        specify: 'completed',
        clarify: 'skipped',
        plan: 'skipped',
        tasks: 'skipped',
        analyze: 'skipped',
        implement: 'skipped',
      }),
    );
  });

  test('steps of its own come last', () => {
    expect(
      stepsOf(feature({ status: 'in_progress', steps_completed: ['deploy'], current_step: 'watch' })),
    ).toBe(`${steps.map((name) => `${name}:skipped`).join(' ')} deploy:completed watch:active`);
  });

  test('the order of completion comes back until the next step is done', () => {
    const given = feature({
      status: 'in_progress',
      steps_completed: ['plan', 'specify', 'plan'],
      current_step: 'tasks',
    });
    const scene = sceneWith(importOrchestrator(given, context()));
    expect(orchestratorFeature(scene.feature('f')).steps_completed).toEqual(['plan', 'specify', 'plan']);
    scene.do('step.done', { feature: 'f', step: 'tasks' });
    expect(orchestratorFeature(scene.feature('f'))).toMatchObject({
      steps_completed: ['specify', 'plan', 'tasks'],
      current_step: 'analyze',
    });
  });
});

describe('work in progress', () => {
  const given = document({
    updated_at: '2025-12-26T15:15:45Z',
    features: {
      f: { status: 'in_progress', worker_id: 'W1', started_at: '2025-12-26T15:00:00Z', current_step: 'plan' },
    },
    workers: { W1: { status: 'busy', current_feature: 'f' }, W2: { status: 'idle', current_feature: null } },
  });

  test('is claimed, and the claim is over', () => {
    const { feature: claimed, workers, warnings } = read(given);
    expect(claimed).toMatchObject({
      worker_id: 'W1',
      claim_count: 1,
      claim: { expires_at: '2025-12-26T15:15:45.000Z', host: 'imported', pid: null, runner: false },
    });
    expect(claimed.claim?.id).toMatch(/^[0-9a-f]{64}$/);
    expect(workers.map(({ id, first_seen_at }) => [id, first_seen_at])).toEqual([
      ['W1', '2025-12-26T15:00:00Z'],
      ['W2', '2025-12-26T15:15:45Z'],
    ]);
    expect(warnings).toEqual([]);
    expect(roundTrip(given)).toEqual(given);
  });

  test('of a document from the future is over, too', () => {
    const { feature: claimed } = read({ ...given, updated_at: '2099-01-01T00:00:00Z' });
    expect(Date.parse(claimed.claim!.expires_at)).toBeLessThan(Date.parse(now));
    expect(claimed.claim!.expires_at).toBe('2026-01-14T12:00:00.000Z');
  });

  test('without a worker has no claim', () => {
    expect(read(feature({ status: 'in_progress' })).feature).toMatchObject({
      worker_id: null,
      claim: null,
      claim_count: 0,
    });
  });

  test('a worker that only a feature names is written once it does something else', () => {
    const bare = feature({ status: 'in_progress', worker_id: 'W1' });
    expect(roundTrip({ ...bare, workers: {} })).toEqual({ ...bare, workers: {} });
    const scene = sceneWith(importOrchestrator({ ...bare, workers: {} }, context()));
    scene.do('feature.release', { feature: 'f', worker: 'W1' });
    expect(exportOrchestrator({ state: scene.state, session: 's' }).workers).toEqual({
      W1: { status: 'idle', current_feature: null },
    });
  });
});

describe('what is left behind on a finished feature', () => {
  const given = document({
    features: {
      done: {
        status: 'completed',
        worker_id: 'W1',
        completed_at: null,
        started_at: null,
        current_step: 'plan',
      },
      broken: { status: 'failed', worker_id: 'W1', completed_at: '2025-12-26T15:00:00Z', current_step: null },
      next: { status: 'pending', dependencies: ['done'] },
      never: { status: 'pending', dependencies: ['broken'] },
    },
    workers: { W1: { status: 'busy', current_feature: '013' } },
  });

  test('comes back', () => {
    expect(roundTrip(given)).toEqual(given);
  });

  test('says who it was, and what can go on', () => {
    const scene = sceneWith(importOrchestrator(given, context()));
    expect(scene.feature('done')).toMatchObject({ worker_id: null, completed_by: 'W1', completed_at: now });
    expect(scene.feature('broken')).toMatchObject({ worker_id: null, failed_by: 'W1', completed_at: null });
    expect(readyFeatures(scene.contents(), () => false).map(({ id }) => id)).toEqual(['next']);
  });

  test('goes when the feature is taken up again', () => {
    const scene = sceneWith(importOrchestrator(given, context()));
    for (const id of ['done', 'broken']) scene.do('feature.retry', { feature: id });
    const written = exportOrchestrator({ state: scene.state, session: 's' });
    for (const id of ['done', 'broken']) {
      expect((written.features as JsonObject)[id]).toMatchObject({
        status: 'pending',
        worker_id: null,
        completed_at: null,
      });
    }
    expect(written.workers).toEqual({ W1: { status: 'idle', current_feature: null } });
  });
});

describe('warnings', () => {
  test('figures and workers that differ from what they should be', () => {
    expect(read(orchestratorExample).warnings).toEqual([
      { path: '$.progress.total_features', stored: 20, computed: 1 },
      { path: '$.progress.completed', stored: 12, computed: 1 },
      { path: '$.progress.in_progress', stored: 3, computed: 0 },
      { path: '$.progress.pending', stored: 5, computed: 0 },
      { path: '$.workers.W1.status', stored: 'busy', computed: 'idle' },
      { path: '$.workers.W1.current_feature', stored: '013', computed: null },
    ]);
  });

  test('unknown dependencies', () => {
    const given = document({ features: { a: { status: 'pending', dependencies: ['x', 'x'] } } });
    expect(read(given).warnings).toEqual(
      [0, 1].map((index) => ({
        path: `$.features.a.dependencies[${index}]`,
        stored: 'x',
        computed: null,
        message: "feature 'a' depends on 'x', which does not exist: it stays blocked",
      })),
    );
    expect(roundTrip(given)).toEqual(given);
  });

  test('circles, each once', () => {
    const needs = (...dependencies: string[]) => ({ status: 'pending', dependencies });
    const given = document({
      features: {
        a: needs('b'),
        b: needs('c'),
        c: needs('a'),
        d: needs('c'),
        self: needs('self'),
        e: needs(),
      },
    });
    expect(read(given).warnings).toEqual([
      {
        path: '$.features.c.dependencies',
        stored: 'a',
        computed: null,
        message: 'dependencies form a circle: a -> b -> c -> a',
      },
      {
        path: '$.features.self.dependencies',
        stored: 'self',
        computed: null,
        message: 'dependencies form a circle: self -> self',
      },
    ]);
    expect(roundTrip(given)).toEqual(given);
  });

  test('a long chain is no circle', () => {
    const features = Object.fromEntries(
      Array.from({ length: 20_000 }, (_, index) => [
        `f${index}`,
        { status: 'pending', dependencies: index === 0 ? [] : [`f${index - 1}`] },
      ]),
    );
    expect(read(document({ features })).warnings).toEqual([]);
  });

  test('an older version, and none', () => {
    expect(read(document({ version: '0.9' })).warnings).toMatchObject([{ path: '$.version', stored: '0.9' }]);
    const { version: _, ...bare } = document();
    expect(read(bare).warnings).toMatchObject([{ path: '$.version', stored: null, computed: '1.0.0' }]);
    expect(read(document({ version: '1.4.2' })).warnings).toEqual([]);
  });
});

describe('the log', () => {
  const logs = [
    {
      timestamp: '2025-12-26T16:15:45+01:00',
      level: 'debug',
      message: 'one',
      worker: 'W1',
      'odd key': [null],
    },
    { message: 'no time' },
    { timestamp: 'noon', level: 3 },
  ];

  test('comes first, entry for entry', () => {
    const imported = importOrchestrator(document({ logs }), context());
    expect(imported.warnings).toEqual([
      {
        path: '$.logs[2].timestamp',
        stored: 'noon',
        computed: null,
        message: 'no time with a time zone; kept as it is',
      },
    ]);
    const later = { timestamp: '2026-01-01T00:00:00Z', level: 'info', message: 'later' };
    const written = exportOrchestrator({
      state: stateWith(imported),
      session: 's',
      logs: [...imported.sessions[0]!.logs, later],
    });
    expect(written.logs).toEqual([
      { ...logs[0], timestamp: '2025-12-26T15:15:45Z' },
      logs[1],
      logs[2],
      later,
    ]);
  });

  test('is absent until there is something to say', () => {
    const state = stateWith(importOrchestrator(document(), context()));
    expect(exportOrchestrator({ state, session: 's' })).not.toHaveProperty('logs');
    const logs = [{ timestamp: '2026-01-01T00:00:00Z', level: 'info', message: 'x' }];
    expect(exportOrchestrator({ state, session: 's', logs }).logs).toEqual(logs);
  });
});

describe('the id of the session', () => {
  test('can be given', () => {
    const imported = importOrchestrator(document(), context('other'));
    expect(imported.sessions[0]?.session.id).toBe('other');
    expect(exportOrchestrator({ state: stateWith(imported), session: 'other' }).session_id).toBe('other');
  });

  test('is made from the start where there is none', () => {
    const { session_id: _, ...bare } = document({ started_at: '2025-12-26T14:30:22Z' });
    expect(read(bare).session.id).toBe('speckit-orch-20251226-143022');
    expect(roundTrip(bare)).toEqual(bare);
    expect(refusalOf(() => importOrchestrator(bare, context('no good')))).toMatchObject({
      path: '$.session_id',
    });
  });

  test('is told when it is not there', () => {
    const { state } = Scene.started();
    expect(refusalOf(() => exportOrchestrator({ state, session: 'nope' })).code).toBe('SESSION_NOT_FOUND');
  });
});

test('an offset is notation', () => {
  const given = feature({ status: 'in_progress', started_at: '2025-12-26T16:30:22+02:00' });
  expect(roundTrip(given)).toEqual(feature({ status: 'in_progress', started_at: '2025-12-26T14:30:22Z' }));
});
