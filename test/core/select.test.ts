import { describe, expect, test } from 'vitest';
import { neverStopped } from '../../src/core/budgets.ts';
import { costsOf, totalCost } from '../../src/core/costs.ts';
import type { Feature } from '../../src/core/entities.ts';
import { metricsOf } from '../../src/core/metrics.ts';
import { qualityOf } from '../../src/core/quality.ts';
import {
  blockedFeatures,
  claimedFeatures,
  compareClaimOrder,
  currentStep,
  firstReady,
  isAllComplete,
  progressOf,
  readyFeatures,
  stepsCompleted,
  updatedAt,
  workersOf,
} from '../../src/core/select.ts';
import { putContents } from '../../src/core/state.ts';
import { featureView, sessionView } from '../../src/core/views.ts';
import { at, claiming, leaseEnd, Scene, sessionRules } from '../support/scene.ts';

const ids = (features: Iterable<{ id: string }>) => [...features].map(({ id }) => id).join(' ');

describe('claim order', () => {
  test('priority, then phase, then natural id; what has none comes last', () => {
    const features = [
      { id: 'none' },
      { id: 'p1-10', priority: 'P1', phase: 1 },
      { id: 'p1-9', priority: 'P1', phase: 1 },
      { id: 'p1-nophase', priority: 'P1' },
      { id: 'p1-late', priority: 'P1', phase: 10 },
      { id: 'p1-early', priority: 'P1', phase: -1 },
      { id: 'p0', priority: 'P0', phase: 99 },
      { id: 'other', priority: 'urgent' },
      { id: 'p9', priority: 'P9' },
      { id: 'phase-only', phase: 1 },
    ];
    const contents = Scene.started().do('plan.load', { features }).contents();
    const expected = 'p0 p1-early p1-9 p1-10 p1-late p1-nophase p9 other phase-only none';
    expect(ids(readyFeatures(contents, neverStopped))).toBe(expected);
    expect(ids([...contents.features.values()].reverse().sort(compareClaimOrder))).toBe(expected);
    expect(firstReady(contents, neverStopped)!.id).toBe('p0');
    expect(firstReady(contents, neverStopped, ({ id }) => id.startsWith('phase'))!.id).toBe('phase-only');
  });
});

/** One feature of each kind. */
function mixed(): Scene {
  const scene = Scene.started({ steps: ['plan'] });
  scene.do('plan.load', {
    features: [
      { id: 'done' },
      { id: 'busy' },
      { id: 'lost' },
      { id: 'away' },
      { id: 'free', dependencies: ['done'] },
      { id: 'waits', dependencies: ['busy', 'away', 'done'] },
    ],
  });
  scene
    .do('feature.claim', claiming('done', 'W', 1))
    .do('feature.complete', { feature: 'done', worker: 'W', skip_remaining: true });
  scene
    .do('feature.claim', claiming('lost', 'W', 2))
    .do('feature.fail', { feature: 'lost', error: 'e', no_retry: true, worker: 'W' });
  scene.do('feature.claim', claiming('busy', 'V', 3)).do('feature.archive', { feature: 'away' });
  return scene;
}

describe('progress', () => {
  test('counts by status, and pending as ready or blocked', () => {
    expect(progressOf(mixed().contents(), neverStopped)).toEqual({
      total: 6,
      pending: 2,
      ready: 1,
      blocked: 1,
      in_progress: 1,
      completed: 1,
      failed: 1,
      archived: 1,
    });
  });

  test('what is blocked, by what', () => {
    expect(blockedFeatures(mixed().contents())).toEqual([
      {
        id: 'waits',
        blocked_by: [
          { id: 'busy', status: 'in_progress' },
          { id: 'away', status: 'archived' },
        ],
      },
    ]);
    expect(ids(claimedFeatures(mixed().contents()))).toBe('busy');
  });

  test('all is complete when nothing is left, and when there is nothing', () => {
    const scene = Scene.started();
    const isComplete = () => isAllComplete(progressOf(scene.contents(), neverStopped));
    expect(isComplete()).toBe(true);
    expect([scene.do('feature.add', { feature: 'a' }), isComplete()][1]).toBe(false);
    scene.do('feature.update', { feature: 'a', set: { status: 'failed' } });
    expect(isComplete()).toBe(false);
    scene.do('feature.archive', { feature: 'a' });
    expect(isComplete()).toBe(true);
  });
});

describe('workers', () => {
  test('idle ones are listed too, with what they finished', () => {
    const idle = { status: 'idle', current_feature: null, expires_at: null };
    expect(workersOf(mixed().contents())).toEqual([
      { id: 'V', status: 'busy', current_feature: 'busy', expires_at: leaseEnd(15), completed: 0, failed: 0 },
      { id: 'W', ...idle, completed: 1, failed: 1 },
    ]);
  });
});

describe('steps of a feature', () => {
  test('the current one: active or failed; of a started feature that waits, the first unfinished', () => {
    const scene = Scene.started({ steps: ['p', 'q'] }).do('feature.add', { feature: 'a' });
    const current = () => currentStep(scene.feature('a'));
    expect(current()).toBeNull();
    scene.do('feature.claim', claiming('a', 'W')).do('step.done', { feature: 'a', step: 'p', worker: 'W' });
    expect(current()).toBe('q');
    scene.do('step.fail', { feature: 'a', step: 'q', error: null, worker: 'W' });
    expect(current()).toBe('q');
    scene.do('feature.release', { feature: 'a', worker: 'W' });
    expect(current()).toBe('q');
    scene.do('feature.claim', claiming('a', 'W', 2)).do('feature.archive', { feature: 'a', worker: 'W' });
    expect(current()).toBeNull();
  });

  test('completed ones, in the order of their completion; skipped ones are not among them', () => {
    const scene = Scene.started({ steps: ['p', 'q', 'r'] }).do('feature.add', { feature: 'a' });
    scene.do('step.skip', { feature: 'a', step: 'q' }).do('step.done', { feature: 'a', step: 'p' });
    scene.do('step.done', { feature: 'a', step: 'r' });
    expect(stepsCompleted(scene.feature('a'))).toEqual(['p', 'r']);
  });
});

test('the session was updated when anything in it was', () => {
  const scene = Scene.started().do('feature.add', { feature: 'a' });
  expect(updatedAt(scene.session(), scene.contents())).toBe(at(3));
  expect(scene.session().updated_at).toBe(at(2));
});

/** A scene in which features have cost something. */
function withCosts(
  scene: Scene,
  rows: [day: string, sheet: string, step: string | null, amounts: number[]][],
): Scene {
  let { costs } = scene.contents();
  for (const [day, sheet, step, amounts] of rows) {
    const entries = amounts.map((amount) => ({
      at: at(0),
      amount,
      tokens: { in: 1, out: 2, cached: 3 },
      step,
      operation: 'run',
      worker: null,
      key: null,
    }));
    costs = costs.with(`${day}/${sheet}`, { entries } as never);
  }
  scene.state = putContents(scene.state, 's', { costs });
  return scene;
}

describe('costs', () => {
  const scene = () =>
    withCosts(mixed(), [
      ['2026-03-02', 'done', 'plan', [0.2]],
      ['2026-03-01', 'done~10', null, [4]],
      ['2026-03-01', 'done~2', null, [2]],
      ['2026-03-01', 'done', 'plan', [0.1]],
      ['2026-03-01', 'removed', 'code', [10]],
    ]);

  test('of a feature are in the order of days and parts', () => {
    expect(costsOf(scene().contents(), 'DONE').map(({ amount }) => amount)).toEqual([0.1, 2, 4, 0.2]);
    expect(costsOf(scene().contents(), 'busy')).toEqual([]);
  });

  test('of a removed feature stay in the total', () => {
    expect(totalCost(scene().session(), scene().contents())).toBe(16.3);
  });

  test('are summed without drift in what is printed', () => {
    const view = featureView(scene().contents(), scene().feature('done'), neverStopped);
    expect(view.total_cost).toBe(6.3);
    expect(view.steps[0]!.cost).toBe(0.3);
    expect(view.costs).toHaveLength(4);
  });
});

describe('metrics', () => {
  test('of nothing are nought', () => {
    const scene = Scene.started({ steps: ['plan'] });
    expect(metricsOf(scene.session(), scene.contents())).toEqual({
      total_tasks: 0,
      completed: 0,
      in_progress: 0,
      failed: 0,
      average_time_minutes: 0,
      success_rate: 0,
      avg_production_time: 0,
      total_cost: 0,
      avg_cost: 0,
      by_step: { plan: { avg_time: 0, success_rate: 0, cost: 0 } },
      quality: { trending: 'steady' },
    });
  });

  /** Features that took so many minutes; each is completed. */
  function taking(...minutes: number[]): Scene {
    const scene = Scene.started();
    minutes.forEach((length, index) => {
      scene
        .do('feature.add', { feature: `f${index}` })
        .do('feature.claim', claiming(`f${index}`, 'W', index));
      scene.minute += length - 1;
      scene.do('feature.complete', { feature: `f${index}`, worker: 'W' });
    });
    return scene;
  }

  test.each([
    [[10, 15.5], 13, 12.8],
    [[1, 2], 2, 1.5],
    [[2, 3], 3, 2.5],
    [[7], 7, 7],
    [[1, 1, 2], 1, 1.3],
  ])('times of %o minutes are %d on average, %d to one decimal', (minutes, whole, precise) => {
    const scene = taking(...minutes);
    const { average_time_minutes, avg_production_time } = metricsOf(scene.session(), scene.contents());
    expect([average_time_minutes, avg_production_time]).toEqual([whole, precise]);
  });

  test('success: completed against failed, archived ones by whether they were completed', () => {
    const scene = mixed();
    const rate = () => metricsOf(scene.session(), scene.contents()).success_rate;
    expect(rate()).toBe(0.33);
    scene.do('feature.archive', { feature: 'done' });
    expect(rate()).toBe(0.33);
    scene.do('feature.update', { feature: 'busy', set: { status: 'completed' }, force: true });
    expect(rate()).toBe(0.5);
  });

  test('mean cost of a completed feature, two decimals', () => {
    const scene = withCosts(taking(1, 1, 1), [
      ['2026-03-01', 'f0', null, [1]],
      ['2026-03-01', 'f1', null, [2]],
      ['2026-03-01', 'f2', null, [2.5]],
    ]);
    expect(metricsOf(scene.session(), scene.contents())).toMatchObject({ avg_cost: 1.83, total_cost: 5.5 });
  });

  test('by step: time of completed ones, rate over all attempts, skipped ones as neither', () => {
    const scene = Scene.started({ steps: ['p', 'q'] });
    for (const feature of ['a', 'b', 'c']) scene.do('feature.add', { feature });
    const move = (type: 'step.start' | 'step.done' | 'step.skip', feature: string, step: string) =>
      scene.do(type, { feature, step });
    move('step.start', 'a', 'p').do('step.fail', { feature: 'a', step: 'p', error: null });
    move('step.start', 'a', 'p');
    scene.minute += 4;
    move('step.done', 'a', 'p');
    move('step.start', 'b', 'p');
    scene.minute += 1;
    move('step.done', 'b', 'p');
    move('step.start', 'c', 'p').do('step.fail', { feature: 'c', step: 'p', error: null });
    move('step.skip', 'c', 'p');
    const { by_step } = metricsOf(scene.session(), scene.contents());
    expect(by_step.p).toEqual({ avg_time: 3.5, success_rate: 0.67, cost: 0 });
    expect(Object.keys(by_step)).toEqual(['p', 'q']);
  });
});

describe('quality', () => {
  const base = Scene.started().do('feature.add', { feature: 'a' }).feature('a');
  const scored = (
    scores: Record<string, number>,
    minute: number,
    change: Partial<Feature> = {},
  ): Feature => ({
    ...base,
    id: `f${minute}` as Feature['id'],
    quality_scores: scores,
    scored_at: at(minute),
    completed_at: at(minute),
    ...change,
  });
  const series = (...values: number[]) => values.map((value, index) => scored({ clarity: value }, index));

  test('averages by name, two decimals', () => {
    const features = [scored({ b: 0.8, a: 1 }, 1), scored({ b: 0.9 }, 2), scored({ b: 0.9 }, 3), base];
    expect(qualityOf(features)).toEqual({ avg_a: 1, avg_b: 0.87, trending: 'improving' });
  });

  test.each([
    [[], 'steady'],
    [[0.5], 'steady'],
    [[0.5, 0.6], 'improving'],
    [[0.6, 0.5], 'declining'],
    [[1, 1.02], 'steady'],
    [[1, 1.021], 'improving'],
    [[1, 0.98], 'steady'],
    [[1, 0.979], 'declining'],
    [[0.5, 0.9, 0.5, 0.9], 'steady'],
    [[0.4, 0.5, 0.6, 0.7], 'improving'],
    [[0, 1], 'improving'],
    [[0, 0], 'steady'],
    [[-1, -0.5], 'improving'],
  ])('%o is %s', (values, trend) => {
    expect(qualityOf(series(...values)).trending).toBe(trend);
    expect(qualityOf(series(...values).reverse()).trending).toBe(trend);
  });

  test('the order is that of completion, else of scoring', () => {
    const late = scored({ clarity: 0.9 }, 1, { completed_at: at(9) });
    const open = scored({ clarity: 0.1 }, 5, { completed_at: null });
    expect(qualityOf([late, open]).trending).toBe('improving');
  });

  test('the trend is the mean over all names', () => {
    const features = [scored({ a: 1, b: 1 }, 1), scored({ a: 1.5, b: 0.6 }, 2)];
    expect(qualityOf(features).trending).toBe('improving');
  });
});

describe('what is printed', () => {
  test('a feature has its keys in the order of the contract', () => {
    const scene = mixed();
    const view = featureView(
      scene.contents(),
      scene.feature('busy'),
      neverStopped,
      new Map([['busy', leaseEnd(30)]]),
    );
    expect(Object.keys(view).join(' ')).toBe(
      'id name status priority phase dependencies steps current_step steps_completed worker_id claim branch worktree pr_number ' +
        'retry_count error summary started_at completed_at updated_at total_cost costs quality_scores metrics data ready blocked_by ' +
        'created_at completed_by archived_at failed_by scored_at',
    );
    expect(Object.keys(view.steps[0]!).join(' ')).toBe(
      'name status started_at completed_at cost checkpoint error failures',
    );
    expect(view.claim).toEqual({ expires_at: leaseEnd(30), host: 'host', pid: null, runner: false });
    expect(JSON.stringify(view)).not.toContain(scene.feature('busy').claim!.id);
  });

  test.each([
    ['waits', false, ['busy', 'away']],
    ['free', true, []],
    ['busy', false, []],
    ['done', false, []],
  ])('%s: ready is %s, blocked by %o', (id, ready, blockers) => {
    const scene = mixed();
    const view = featureView(scene.contents(), scene.feature(id), neverStopped);
    expect([view.ready, view.blocked_by.map((one) => one.id)]).toEqual([ready, blockers]);
  });

  test('a finished feature is not blocked by what was opened again', () => {
    const scene = Scene.started().do('plan.load', {
      features: [{ id: 'a' }, { id: 'b', dependencies: ['a'] }],
    });
    for (const feature of ['a', 'b']) scene.do('feature.update', { feature, set: { status: 'completed' } });
    scene.do('feature.retry', { feature: 'a' });
    expect(featureView(scene.contents(), scene.feature('b'), neverStopped).blocked_by).toEqual([]);
  });

  test('a session has its keys in the order of the contract', () => {
    const scene = mixed();
    const view = sessionView(scene.session(), scene.contents(), neverStopped);
    expect(Object.keys(view).join(' ')).toBe(
      'id preset name status config steps budgets max_retries started_at updated_at completed_at recovered_at progress metrics ' +
        'data default_lease auto_checkpoints quality_min',
    );
    expect(view.updated_at).toBe(at(scene.minute));
  });

  test('sessions stand by themselves', () => {
    const scene = mixed().do('session.start', sessionRules(), 'other');
    expect(sessionView(scene.session('other'), scene.contents('other'), neverStopped).progress.total).toBe(0);
  });
});
