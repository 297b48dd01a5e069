import { describe, expect, test } from 'vitest';
import type { JsonObject, JsonValue } from '../../src/core/json.ts';
import { emptyState } from '../../src/core/state.ts';
import {
  exportParallelDev,
  importParallelDev,
  parallelDevSession,
  parallelDevTask,
  withUnknownFields,
} from '../../src/formats/parallel-dev.ts';
import { calculateSessionMetrics } from '../../src/formats/parallel-dev-metrics.ts';
import { claiming, Scene } from '../support/scene.ts';
import { parallelDevExample } from './seeds.ts';
import { context, now, refusalOf, sceneWith, stateWith } from './support.ts';

const [example] = parallelDevExample.sessions;

function session(change: object = {}): JsonObject {
  return { id: 's', status: 'active', started_at: '2024-06-17T10:00:00Z', ...change } as JsonObject;
}
const document = (...sessions: JsonValue[]): JsonObject => ({ version: '2.0', sessions });
const task = (change: object): JsonObject => session({ tasks: { t: { status: 'pending', ...change } } });

function imported(...sessions: JsonValue[]) {
  return importParallelDev(document(...sessions), context());
}

function roundTrip(given: JsonValue): JsonObject {
  return exportParallelDev({ state: stateWith(importParallelDev(given, context())) });
}

test('a document that was never imported is as the description has it', () => {
  const scene = Scene.started({ config: { parallel: 2 } });
  scene.do('feature.add', { feature: 't2' });
  scene.do('feature.add', { feature: 't10', name: 'not in the document' });
  scene.do('feature.update', {
    feature: 't2',
    set: { branch: 'feature/t2', worktree: '.worktrees/t2', pr_number: 7, metrics: { lines: 3 } },
  });
  scene.do('feature.claim', claiming('t2', 'W1'));
  scene.do('feature.complete', { feature: 't2', worker: 'W1' });
  const text = JSON.stringify(exportParallelDev({ state: scene.state }), null, 2);
  expect(text).toBe(
    JSON.stringify(
      {
        version: '2.0',
        sessions: [
          {
            id: 's',
            status: 'active',
            started_at: '2026-03-01T10:02:00Z',
            updated_at: '2026-03-01T10:07:00Z',
            options: { parallel: 2 },
            tasks: {
              t2: {
                status: 'completed',
                branch: 'feature/t2',
                worktree: '.worktrees/t2',
                pr_number: 7,
                started_at: '2026-03-01T10:06:00Z',
                completed_at: '2026-03-01T10:07:00Z',
                phases: {},
                metrics: { lines: 3 },
              },
              t10: {
                status: 'pending',
                branch: null,
                worktree: null,
                pr_number: null,
                started_at: null,
                completed_at: null,
                phases: {},
                metrics: {},
              },
            },
            metrics: { total_tasks: 2, completed: 1, in_progress: 0, failed: 0, average_time_minutes: 1 },
          },
        ],
      },
      null,
      2,
    ),
  );
});

test('an empty store is an empty document', () => {
  expect(exportParallelDev({ state: emptyState })).toEqual({ version: '2.0', sessions: [] });
  expect(imported()).toEqual({ sessions: [], warnings: [] });
});

test('a session becomes a session', () => {
  const [{ session: read, features }] = imported(example!).sessions as [
    ReturnType<typeof imported>['sessions'][0],
  ];
  expect(read).toMatchObject({
    id: '2024-06-17-001',
    preset: 'parallel-dev',
    status: 'active',
    config: {},
    steps: [],
    max_retries: 3,
    started_at: '2024-06-17T10:00:00Z',
    updated_at: '2024-06-17T10:30:00Z',
    recovered_at: null,
  });
  expect(features).toHaveLength(1);
  expect(features[0]).toMatchObject({
    id: 'task_id',
    name: 'task_id',
    status: 'pending',
    branch: 'feature/task-id',
    worktree: '.worktrees/task-id',
    steps: [],
    updated_at: '2024-06-17T10:30:00Z',
  });
});

describe('status words', () => {
  test.each(['active', 'completed', 'failed'])('session %s', (status) => {
    const [one] = imported(session({ status })).sessions;
    expect(one?.session.status).toBe(status);
    expect(roundTrip(document(session({ status })))).toEqual(document(session({ status })));
  });

  test.each(['pending', 'in_progress', 'completed', 'failed'])('task %s', (status) => {
    const [one] = imported(task({ status })).sessions;
    expect(one?.features[0]).toMatchObject({ status, claim: null, worker_id: null });
    expect(roundTrip(document(task({ status })))).toEqual(document(task({ status })));
  });

  test('what was put away is completed or failed', () => {
    const scene = Scene.started();
    for (const feature of ['done', 'dropped']) scene.do('feature.add', { feature });
    scene.do('feature.update', { feature: 'done', set: { status: 'completed' } });
    for (const feature of ['done', 'dropped']) scene.do('feature.archive', { feature });
    expect(parallelDevTask(scene.feature('done')).status).toBe('completed');
    expect(parallelDevTask(scene.feature('dropped')).status).toBe('failed');
    const { metrics } = parallelDevSession(scene.session(), scene.contents());
    expect(metrics).toMatchObject({ total_tasks: 2, completed: 1, failed: 1 });
    scene.do('session.archive', {});
    expect(exportParallelDev({ state: scene.state }).sessions).toEqual([]);
    expect(exportParallelDev({ state: scene.state, archived: true }).sessions).toMatchObject([
      { status: 'failed' },
    ]);
    expect(exportParallelDev({ state: scene.state, session: 's' }).sessions).toMatchObject([
      { status: 'failed' },
    ]);
  });
});

describe('refusals', () => {
  const bad: [string, JsonValue, string][] = [
    ['no object', [], '$'],
    ['no sessions', {}, '$.sessions'],
    ['sessions that are no list', { sessions: {} }, '$.sessions'],
    ['a session that is none', document('x'), '$.sessions[0]'],
    ['no id', document({ status: 'active' }), '$.sessions[0].id'],
    ['an id with a slash', document(session({ id: 'a/b' })), '$.sessions[0].id'],
    ['an id that is a number', document(session({ id: 7 })), '$.sessions[0].id'],
    ['one id twice', document(session(), session()), '$.sessions[1].id'],
    ['ids that differ by case', document(session(), session({ id: 'S' })), '$.sessions[1].id'],
    ['no status', document({ id: 's' }), '$.sessions[0].status'],
    ['another status', document(session({ status: 'running' })), '$.sessions[0].status'],
    ['the status archived', document(session({ status: 'archived' })), '$.sessions[0].status'],
    ['a status from the prototype', document(session({ status: 'constructor' })), '$.sessions[0].status'],
    ['no time', document(session({ updated_at: 'yesterday' })), '$.sessions[0].updated_at'],
    [
      'a time without a zone',
      document(session({ started_at: '2024-06-17T10:00:00' })),
      '$.sessions[0].started_at',
    ],
    ['a time that is a number', document(session({ started_at: 1718618400 })), '$.sessions[0].started_at'],
    ['options that are a list', document(session({ options: [] })), '$.sessions[0].options'],
    ['tasks that are a list', document(session({ tasks: [] })), '$.sessions[0].tasks'],
    ['a task that is none', document(session({ tasks: { t: 1 } })), '$.sessions[0].tasks.t'],
    [
      'a task with a bad id',
      document(session({ tasks: { '-x': { status: 'pending' } } })),
      '$.sessions[0].tasks["-x"]',
    ],
    [
      'tasks that differ by case',
      document(session({ tasks: { a: { status: 'pending' }, A: { status: 'pending' } } })),
      '$.sessions[0].tasks.A',
    ],
    ['another status of a task', document(task({ status: 'done' })), '$.sessions[0].tasks.t.status'],
    ['the status null', document(task({ status: null })), '$.sessions[0].tasks.t.status'],
    ['a branch that is a number', document(task({ branch: 1 })), '$.sessions[0].tasks.t.branch'],
    [
      'a number of a pull request that is text',
      document(task({ pr_number: '7' })),
      '$.sessions[0].tasks.t.pr_number',
    ],
    ['metrics that are a list', document(task({ metrics: [] })), '$.sessions[0].tasks.t.metrics'],
    ['an integer beyond 2^53', document(task({ note: [{ n: 2 ** 53 }] })), '$.sessions[0].tasks.t.note[0].n'],
    ['the key __proto__', JSON.parse('{"sessions":[{"__proto__":{"x":1}}]}') as JsonValue, '$.sessions[0]'],
    ['half a character', document(task({ branch: '\ud800' })), '$.sessions[0].tasks.t.branch'],
    ['a list of versions', { version: [], sessions: [] }, '$.version'],
    ['a version that is a word', { version: 'next', sessions: [] }, '$.version'],
  ];
  test.each(bad)('%s', (_, given, path) => {
    const refusal = refusalOf(() => importParallelDev(given, context()));
    expect(refusal).toMatchObject({ code: 'INVALID_INPUT', path });
    expect(refusal.message).toMatch(/^cannot read '\$/);
    expect(refusal.message).not.toMatch(/\.$/);
    expect(refusal.hint).not.toBe('');
  });

  test('the words that are known are named', () => {
    expect(refusalOf(() => imported(task({ status: 'done' })))).toMatchObject({
      message: `cannot read '$.sessions[0].tasks.t.status': 'done' is no status of a task`,
      hint: 'known words: pending, in_progress, completed, failed',
    });
  });

  test('a value nested too deep', () => {
    const deep = JSON.parse(`${'['.repeat(200)}${']'.repeat(200)}`) as JsonValue;
    const { code, path } = refusalOf(() => imported(task({ deep })));
    expect(code).toBe('INVALID_INPUT');
    expect(path).toMatch(/^\$\.sessions\[0\]\.tasks\.t\.deep/);
    // Short of the limits of a document, and beyond those of what an entity keeps.
    const deeper = JSON.parse(`${'['.repeat(64)}${']'.repeat(64)}`) as JsonValue;
    expect(refusalOf(() => imported(task({ deeper })))).toMatchObject({ path: '$.sessions[0].tasks.t' });
    const fits = JSON.parse(`${'['.repeat(62)}${']'.repeat(62)}`) as JsonValue;
    expect(roundTrip(document(task({ fits })))).toEqual(document(task({ fits })));
  });

  test('a newer version', () => {
    for (const version of ['3.0', '10', 3]) {
      expect(refusalOf(() => importParallelDev({ version, sessions: [] }, context())).code).toBe(
        'SCHEMA_TOO_NEW',
      );
    }
  });
});

describe('warnings', () => {
  test('figures that differ from what they should be', () => {
    expect(imported(example!).warnings).toEqual([
      { path: '$.sessions[0].metrics.total_tasks', stored: 10, computed: 1 },
      { path: '$.sessions[0].metrics.completed', stored: 5, computed: 0 },
      { path: '$.sessions[0].metrics.in_progress', stored: 2, computed: 0 },
      { path: '$.sessions[0].metrics.average_time_minutes', stored: 25, computed: 0 },
    ]);
  });

  test.each([
    [undefined, 'the document names no version; it was read as version 2.0'],
    ['1.4', 'version 1.4 was read as version 2.0'],
  ])('version %s', (version, message) => {
    const given = version === undefined ? { sessions: [] } : { version, sessions: [] };
    expect(importParallelDev(given, context()).warnings).toEqual([
      { path: '$.version', stored: version ?? null, computed: '2.0', message },
    ]);
  });

  test('another minor version is none', () => {
    expect(importParallelDev({ version: '2.9', sessions: [] }, context()).warnings).toEqual([]);
  });

  test('fields of a document without any session', () => {
    expect(importParallelDev({ version: '2.0', sessions: [], owner: 'me' }, context()).warnings).toEqual([
      {
        path: '$.owner',
        stored: 'me',
        computed: null,
        message: 'not kept: the document has no session that could keep it',
      },
    ]);
  });
});

describe('times', () => {
  test('offsets and fractions are notation', () => {
    const given = document(session({ started_at: '2024-06-17T12:00:00.999+02:00' }));
    expect(roundTrip(given)).toEqual(document(session({ started_at: '2024-06-17T10:00:00Z' })));
  });

  test('a session without any time begins now, and still says nothing of it', () => {
    const given = document({ id: 's', status: 'active' });
    expect(importParallelDev(given, context()).sessions[0]?.session.started_at).toBe(now);
    expect(roundTrip(given)).toEqual(given);
  });

  test('no time of a task is made up', () => {
    const given = task({ status: 'completed', started_at: '2024-06-17T10:00:00Z', completed_at: null });
    const { sessions, warnings } = imported({ ...given, metrics: { average_time_minutes: 0 } });
    expect(warnings).toEqual([]);
    expect(sessions[0]?.features[0]?.completed_at).toBeNull();
  });
});

describe('order and place', () => {
  const sessions = [
    session({ id: 'late', started_at: '2024-06-19T10:00:00Z' }),
    session({ id: 'early', started_at: '2024-06-17T10:00:00Z' }),
    session({ id: 'middle', started_at: '2024-06-18T10:00:00Z' }),
  ];

  test('sessions stand in the order of their document', () => {
    expect(roundTrip(document(...sessions))).toEqual(document(...sessions));
  });

  test('sessions of our own keep their place among them', () => {
    const scene = sceneWith(imported(...sessions));
    scene.do('session.start', {
      preset: null,
      name: 'own',
      config: {},
      steps: [],
      budgets: { steps: {}, feature: null, day: null },
      max_retries: 3,
      default_lease: '15m',
      auto_checkpoints: false,
      quality_min: {},
    });
    const { sessions: written } = exportParallelDev({ state: scene.state }) as { sessions: { id: string }[] };
    expect(written.map(({ id }) => id)).toEqual(['late', 'early', 'middle', 's']);
  });

  test('fields of the document come back, with any choice of sessions', () => {
    const given = { ...document(...sessions), version: '2.3', owner: { name: 'é"' } };
    expect(roundTrip(given)).toEqual(given);
    const state = stateWith(importParallelDev(given, context()));
    expect(exportParallelDev({ state, session: 'early' })).toEqual({ ...given, sessions: [sessions[1]] });
  });

  test('one session can be renamed', () => {
    const { sessions: read } = importParallelDev(document(session()), context('other'));
    expect(read[0]?.session.id).toBe('other');
    const state = stateWith(importParallelDev(document(session()), context('other')));
    expect(exportParallelDev({ state }).sessions).toEqual([session({ id: 'other' })]);
    expect(refusalOf(() => importParallelDev(document(...sessions), context('other')))).toMatchObject({
      code: 'INVALID_INPUT',
      path: '$.sessions',
    });
  });
});

describe('what happens after the import wins', () => {
  const given = document(
    session({ tasks: { t: { status: 'pending', owner: 'me', metrics: null } }, metrics: null, color: 'red' }),
  );

  test('fields that came later appear, those that are unknown stay', () => {
    const scene = sceneWith(importParallelDev(given, context()));
    scene.do('feature.update', {
      feature: 't',
      set: { status: 'in_progress', branch: 'b', metrics: { n: 1 } },
    });
    expect(exportParallelDev({ state: scene.state }).sessions).toEqual([
      {
        ...session({ color: 'red', metrics: null }),
        tasks: {
          t: {
            status: 'in_progress',
            branch: 'b',
            started_at: '2026-03-01T10:03:00Z',
            metrics: { n: 1 },
            owner: 'me',
          },
        },
        updated_at: '2026-03-01T10:03:00Z',
      },
    ]);
  });

  test('recovered_at is written once there is one', () => {
    const recovered = document(session({ recovered_at: '2024-06-18T10:00:00Z' }));
    expect(roundTrip(recovered)).toEqual(recovered);
    const empty = document(session({ recovered_at: null }));
    expect(roundTrip(empty)).toEqual(empty);
  });
});

describe('phases', () => {
  const odd = { build: { status: 'half', n: [1] }, constructor: null, 'a b': 3 };

  test('are kept as they are', () => {
    for (const phases of [odd, {}, null, 'none', [1, 2], 0]) {
      expect(roundTrip(document(task({ phases })))).toEqual(document(task({ phases })));
    }
  });

  test('steps are written over them', () => {
    const scene = sceneWith(imported(task({ phases: odd })));
    scene.do('feature.update', { feature: 't', set: { steps: ['build', 'test', 'ship'] } });
    scene.do('step.start', { feature: 't', step: 'build' });
    scene.do('step.done', { feature: 't', step: 'build' });
    scene.do('step.skip', { feature: 't', step: 'ship' });
    expect(parallelDevTask(scene.feature('t')).phases).toEqual({
      ...odd,
      build: {
        status: 'completed',
        n: [1],
        started_at: '2026-03-01T10:04:00Z',
        completed_at: '2026-03-01T10:05:00Z',
      },
      test: { status: 'in_progress', started_at: '2026-03-01T10:05:00Z', completed_at: null },
      ship: { status: 'skipped', started_at: null, completed_at: null },
    });
  });
});

describe('metrics of a session', () => {
  const minute = (count: number) =>
    new Date(Date.parse('2024-06-17T10:00:00Z') + count * 60_000).toISOString();
  const took = (minutes: number, status = 'completed') => ({
    status,
    started_at: minute(0),
    completed_at: minute(minutes),
  });

  test.each([
    [[1.5], 2],
    [[2.5], 3],
    [[1, 2], 2],
    [[], 0],
  ])('the mean of %j minutes is %i', (minutes, average) => {
    const tasks = Object.fromEntries(minutes.map((count, index) => [`t${index}`, took(count)]));
    expect(calculateSessionMetrics({ tasks }).average_time_minutes).toBe(average);
    const metrics = { average_time_minutes: average };
    expect(imported(session({ tasks, metrics })).warnings).toEqual([]);
  });

  test('every status counts that has both times', () => {
    const tasks = {
      a: took(10, 'failed'),
      b: took(20, 'pending'),
      c: { status: 'completed', completed_at: minute(9) },
    };
    expect(calculateSessionMetrics({ tasks })).toEqual({
      total_tasks: 3,
      completed: 1,
      in_progress: 0,
      failed: 1,
      average_time_minutes: 15,
    });
    expect(roundTrip(document(session({ tasks, metrics: {} }))).sessions).toMatchObject([
      { tasks: { a: { completed_at: '2024-06-17T10:10:00Z' } } },
    ]);
  });

  test('sessions made by hand are taken as they are', () => {
    const none = { total_tasks: 0, completed: 0, in_progress: 0, failed: 0, average_time_minutes: 0 };
    for (const odd of [undefined, null, {}, { tasks: null }, { tasks: [] }, 'x']) {
      expect(calculateSessionMetrics(odd)).toEqual(none);
    }
    expect(calculateSessionMetrics({ tasks: { a: { started_at: 'x', completed_at: 'y' }, b: 1 } })).toEqual({
      ...none,
      total_tasks: 1,
    });
  });
});

test('unknown fields can be added', () => {
  const data = withUnknownFields({ labels: ['x'], 'parallel-dev': { a: 1, b: 1 } }, { b: 2, constructor: 3 });
  expect(data).toEqual({ labels: ['x'], 'parallel-dev': { a: 1, b: 2, constructor: 3 } });
});
