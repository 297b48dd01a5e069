import { describe, expect, test } from 'vitest';
import { claimId, claiming, Scene } from '../../support/scene.ts';

const worked = (...steps: string[]) =>
  Scene.started({ steps }).do('feature.add', { feature: 'a' }).do('feature.claim', claiming('a', 'W'));

describe('feature.add', () => {
  test('makes a pending feature with the steps of the session', () => {
    const scene = Scene.started({ steps: ['plan', 'code'] }).do('feature.add', { feature: 'a' });
    expect(scene.feature('a')).toMatchObject({
      id: 'a',
      name: 'a',
      status: 'pending',
      priority: null,
      phase: null,
      dependencies: [],
      worker_id: null,
      claim: null,
      claim_count: 0,
      branch: null,
      worktree: null,
      retry_count: 0,
      created_at: '2026-03-01T10:03:00Z',
      started_at: null,
      completed_at: null,
      updated_at: '2026-03-01T10:03:00Z',
    });
    expect(scene.steps('a')).toBe('plan:pending code:pending');
  });

  test('takes its own steps, fields and data', () => {
    const own = { name: 'A', priority: 'P1', phase: 2, steps: ['x'], data: { b: 1, a: [null] } };
    const scene = Scene.started({ steps: ['plan'] }).do('feature.add', { feature: 'a', ...own });
    expect(scene.feature('a')).toMatchObject({ ...own, steps: [{ name: 'x' }] });
  });

  test('names a dependency once', () => {
    const scene = Scene.started().do('feature.add', { feature: 'a' });
    scene.do('feature.add', { feature: 'b', dependencies: ['a', 'a'] });
    expect(scene.feature('b').dependencies).toEqual(['a']);
  });

  test.each([
    ['the id is taken', { feature: 'a' }, 'ALREADY_EXISTS'],
    ['the id differs by case alone', { feature: 'A' }, 'ALREADY_EXISTS'],
    ['a dependency is unknown', { feature: 'b', dependencies: ['none'] }, 'INVALID_INPUT'],
    ['a dependency is written in other letters', { feature: 'b', dependencies: ['A'] }, 'INVALID_INPUT'],
    ['it depends on itself', { feature: 'b', dependencies: ['b'] }, 'INVALID_INPUT'],
    ['a step is named twice', { feature: 'b', steps: ['x', 'X'] }, 'INVALID_INPUT'],
  ])('is refused where %s', (_, args, code) => {
    expect(Scene.started().do('feature.add', { feature: 'a' }).refusal('feature.add', args).code).toBe(code);
  });
});

describe('plan.load', () => {
  test('adds features that need each other, in any order', () => {
    const features = [{ id: 'b', dependencies: ['a'] }, { id: 'a' }, { id: 'c', dependencies: ['b', 'a'] }];
    const scene = Scene.started().do('plan.load', { features });
    expect([...scene.contents().features.values()].map(({ id }) => id).sort()).toEqual(['a', 'b', 'c']);
  });

  test.each([
    ['an id that exists', [{ id: 'x' }, { id: 'old' }], 'ALREADY_EXISTS'],
    ['an id twice', [{ id: 'x' }, { id: 'X' }], 'ALREADY_EXISTS'],
    ['an unknown dependency', [{ id: 'x' }, { id: 'y', dependencies: ['z'] }], 'INVALID_INPUT'],
    [
      'a circle',
      [
        { id: 'x', dependencies: ['y'] },
        { id: 'y', dependencies: ['x'] },
      ],
      'INVALID_INPUT',
    ],
  ])('adds nothing where there is %s', (_, features, code) => {
    const scene = Scene.started().do('feature.add', { feature: 'old' });
    expect(scene.refusal('plan.load', { features }).code).toBe(code);
    expect(scene.contents().features.size).toBe(1);
  });

  test('names the circle', () => {
    const features = ['a', 'b', 'c'].map((id, index) => ({ id, dependencies: [['c', 'a', 'b'][index]] }));
    const { details } = Scene.started().refusal('plan.load', { features });
    expect(details.cycle).toEqual(['a', 'c', 'b', 'a']);
  });

  test('takes a chain of 20,000 and finds the circle in it', () => {
    const chain = Array.from({ length: 20_000 }, (_, i) => ({ id: `f${i}`, dependencies: [`f${i + 1}`] }));
    const scene = Scene.started().do('plan.load', { features: [...chain, { id: 'f20000' }] });
    expect(scene.contents().features.size).toBe(20_001);
    const closed = { feature: 'f20000', set: { dependencies: ['f0'] } };
    expect(scene.refusal('feature.update', closed).code).toBe('INVALID_INPUT');
  });
});

describe('feature.update', () => {
  test('sets what is given and leaves the rest', () => {
    const scene = Scene.started({ steps: ['plan'] }).do('feature.add', {
      feature: 'a',
      priority: 'P1',
      phase: 3,
    });
    const set = {
      name: 'n',
      pr_number: 7,
      branch: 'topic',
      worktree: '.worktrees/a',
      metrics: { loc: 1 },
      data: { k: 1 },
    };
    expect(scene.do('feature.update', { feature: 'a', set }).feature('a')).toMatchObject({
      ...set,
      priority: 'P1',
      phase: 3,
      updated_at: '2026-03-01T10:04:00Z',
    });
    scene.do('feature.update', { feature: 'a', set: { priority: null, phase: null, branch: null } });
    expect(scene.feature('a')).toMatchObject({ priority: null, phase: null, branch: null, name: 'n' });
  });

  test('refuses dependencies that are unknown or close a circle, and keeps each once', () => {
    const scene = Scene.started()
      .do('feature.add', { feature: 'a' })
      .do('feature.add', { feature: 'b', dependencies: ['a'] });
    const needs = (feature: string, dependencies: string[]) => ({ feature, set: { dependencies } });
    expect(scene.refusal('feature.update', needs('a', ['b'])).code).toBe('INVALID_INPUT');
    expect(scene.refusal('feature.update', needs('a', ['none'])).code).toBe('INVALID_INPUT');
    expect(scene.do('feature.update', needs('b', ['a', 'a'])).feature('b').dependencies).toEqual(['a']);
  });

  test('steps of the same name keep what they have reached', () => {
    const scene = worked('plan', 'code').do('step.done', { feature: 'a', step: 'plan', worker: 'W' });
    scene.do('feature.update', { feature: 'a', set: { steps: ['plan', 'code', 'test'] }, worker: 'W' });
    expect(scene.steps('a')).toBe('plan:completed code:active test:pending');
    scene.do('feature.update', { feature: 'a', set: { steps: ['plan', 'test'] }, worker: 'W' });
    expect(scene.steps('a')).toBe('plan:completed test:active');
  });

  test('a step put before the one under way takes its place', () => {
    const scene = worked('code').do('feature.update', {
      feature: 'a',
      set: { steps: ['plan', 'code'] },
      worker: 'W',
    });
    expect(scene.steps('a')).toBe('plan:active code:pending');
    expect(
      scene.refusal('feature.update', { feature: 'a', set: { steps: ['x', 'X'] }, worker: 'W' }).code,
    ).toBe('INVALID_INPUT');
  });

  test('any status can be set by hand: times follow, and the claim ends unless in progress', () => {
    const scene = worked('plan');
    const to = (status: string) =>
      scene.do('feature.update', { feature: 'a', set: { status }, force: true }).feature('a');
    expect(to('in_progress')).toMatchObject({ worker_id: 'W', started_at: '2026-03-01T10:04:00Z' });
    expect(to('completed')).toMatchObject({
      worker_id: null,
      claim: null,
      completed_at: '2026-03-01T10:06:00Z',
      completed_by: 'W',
      started_at: '2026-03-01T10:04:00Z',
    });
    expect(scene.steps('a')).toBe('plan:pending');
    expect(to('archived')).toMatchObject({
      completed_at: '2026-03-01T10:06:00Z',
      archived_at: '2026-03-01T10:07:00Z',
    });
    expect(to('pending')).toMatchObject({ completed_at: null, completed_by: null, archived_at: null });
    expect(to('in_progress')).toMatchObject({ started_at: '2026-03-01T10:04:00Z', claim: null });
    expect(to('completed').completed_at).toBe('2026-03-01T10:10:00Z');
    expect(to('failed')).toMatchObject({ status: 'failed', completed_at: null });
  });

  test('of a claimed feature needs its right', () => {
    const update = (right: object) => ({ feature: 'a', set: { name: 'n' }, ...right });
    expect(worked().refusal('feature.update', update({})).code).toBe('NOT_HOLDER');
    expect(worked().refusal('feature.update', update({ claim: claimId(9) })).code).toBe('STALE_TOKEN');
    expect(
      worked()
        .do('feature.update', update({ claim: claimId(1) }))
        .feature('a').name,
    ).toBe('n');
  });
});

describe('feature.remove', () => {
  test('is refused while others need it, and names them', () => {
    const scene = Scene.started()
      .do('feature.add', { feature: 'a' })
      .do('feature.add', { feature: 'b', dependencies: ['a'] });
    expect(scene.refusal('feature.remove', { feature: 'a' })).toMatchObject({
      code: 'HAS_DEPENDENTS',
      details: { feature: 'a', dependents: ['b'] },
    });
    scene.do('feature.remove', { feature: 'b' }).do('feature.remove', { feature: 'a' });
    expect(scene.contents().features.size).toBe(0);
  });

  test('is refused while another holds it', () => {
    expect(worked().refusal('feature.remove', { feature: 'a' }).code).toBe('NOT_HOLDER');
    expect(worked().refusal('feature.remove', { feature: 'none' }).code).toBe('FEATURE_NOT_FOUND');
  });

  test('an id that is added again goes on counting claims', () => {
    const scene = worked().do('feature.remove', { feature: 'a', worker: 'W' });
    expect(scene.session().claim_counts).toEqual({ a: 1 });
    scene.do('feature.add', { feature: 'A' });
    expect(scene.feature('a').claim_count).toBe(1);
    expect(scene.do('feature.claim', claiming('A', 'W', 2)).feature('a').claim_count).toBe(2);
  });

  test('an id such as constructor counts from nought', () => {
    const scene = Scene.started()
      .do('feature.add', { feature: 'constructor' })
      .do('feature.add', { feature: 'toString' });
    expect(scene.feature('constructor').claim_count).toBe(0);
    scene.do('feature.remove', { feature: 'constructor' });
    expect(scene.refusal('feature.release', { feature: 'constructor' }).code).toBe('FEATURE_NOT_FOUND');
  });
});

describe('feature.release', () => {
  test('gives the feature back with its finished steps, and counts as no failure', () => {
    const scene = worked('plan', 'code').do('step.done', { feature: 'a', step: 'plan', worker: 'W' });
    expect(scene.do('feature.release', { feature: 'a', worker: 'W' }).feature('a')).toMatchObject({
      status: 'pending',
      worker_id: null,
      claim: null,
      retry_count: 0,
      started_at: '2026-03-01T10:04:00Z',
    });
    expect(scene.steps('a')).toBe('plan:completed code:pending');
  });

  test.each([
    [{}, 'NOT_HOLDER'],
    [{ worker: 'V' }, 'NOT_HOLDER'],
    [{ claim: claimId(7) }, 'STALE_TOKEN'],
    [{ claim: claimId(7), worker: 'W' }, 'STALE_TOKEN'],
  ])('with %o is refused with %s', (right, code) => {
    expect(worked().refusal('feature.release', { feature: 'a', ...right })).toMatchObject({
      code,
      details: { feature: 'a', holder: 'W', expires_at: '2026-03-01T10:15:00.000Z' },
    });
  });

  test.each([
    [{ worker: 'W' }],
    [{ claim: claimId(1) }],
    [{ claim: claimId(1), worker: 'V' }],
    [{ force: true }],
  ])('with %o is accepted', (right) => {
    expect(
      worked()
        .do('feature.release', { feature: 'a', ...right })
        .feature('a').status,
    ).toBe('pending');
  });

  test('a token is stale once its claim has ended', () => {
    const scene = worked().do('feature.release', { feature: 'a', worker: 'W' });
    const stale = { feature: 'a', claim: claimId(1) };
    for (const type of ['feature.release', 'feature.complete', 'feature.archive'] as const) {
      expect(scene.refusal(type, stale)).toMatchObject({ code: 'STALE_TOKEN', details: { holder: null } });
    }
    expect(scene.refusal('feature.release', { feature: 'a' }).code).toBe('INVALID_TRANSITION');
  });
});

describe('feature.complete', () => {
  test('ends the claim and says who did it', () => {
    const scene = worked().do('feature.complete', { feature: 'a', summary: 'done', worker: 'W' });
    expect(scene.feature('a')).toMatchObject({
      status: 'completed',
      summary: 'done',
      claim: null,
      worker_id: null,
      completed_by: 'W',
      completed_at: '2026-03-01T10:05:00Z',
      ended_claim: { id: claimId(1), by: 'feature.complete', at: '2026-03-01T10:05:00Z' },
    });
  });

  test('needs every step to be finished, or the rest is skipped', () => {
    const scene = worked('plan', 'code', 'test').do('step.done', { feature: 'a', step: 'plan', worker: 'W' });
    expect(scene.refusal('feature.complete', { feature: 'a', worker: 'W' })).toMatchObject({
      code: 'STEPS_REMAIN',
      details: { feature: 'a', steps: ['code', 'test'] },
    });
    scene.do('feature.complete', { feature: 'a', worker: 'W', skip_remaining: true });
    expect(scene.steps('a')).toBe('plan:completed code:skipped test:skipped');
  });

  test('of a feature that nobody works on is refused', () => {
    const scene = Scene.started().do('feature.add', { feature: 'a' });
    expect(scene.refusal('feature.complete', { feature: 'a' })).toMatchObject({
      code: 'INVALID_TRANSITION',
      details: { from: 'pending', allowed: ['in_progress'] },
    });
    const done = worked().do('feature.complete', { feature: 'a', worker: 'W' });
    expect(done.refusal('feature.complete', { feature: 'a' }).code).toBe('INVALID_TRANSITION');
  });

  test('one in progress without a holder needs no token', () => {
    const scene = Scene.started().do('feature.add', { feature: 'a' });
    scene.do('feature.update', { feature: 'a', set: { status: 'in_progress' } });
    expect(scene.do('feature.complete', { feature: 'a' }).feature('a')).toMatchObject({
      status: 'completed',
      completed_by: null,
    });
  });
});

describe('feature.fail', () => {
  const fail = (more: object = {}) => ({ feature: 'a', error: 'broke', worker: 'W', ...more });

  test('counts, and the feature waits for the next attempt with its finished steps', () => {
    const scene = worked('plan', 'code').do('step.done', { feature: 'a', step: 'plan', worker: 'W' });
    expect(scene.do('feature.fail', fail()).feature('a')).toMatchObject({
      status: 'pending',
      retry_count: 1,
      error: 'broke',
      worker_id: null,
      steps: [{ status: 'completed' }, { status: 'pending', failures: 1, error: null }],
    });
    expect(scene.do('feature.claim', claiming('a', 'W', 2)).feature('a')).toMatchObject({
      error: null,
      retry_count: 1,
    });
  });

  test.each([
    [0, 1],
    [1, 2],
    [3, 4],
  ])('with max_retries %i is final the %i. time', (max_retries, last) => {
    const scene = Scene.started({ max_retries }).do('feature.add', { feature: 'a' });
    for (let count = 1; count <= last; count += 1) {
      expect(scene.feature('a').status).toBe('pending');
      scene.do('feature.claim', claiming('a', 'W', count)).do('feature.fail', fail());
    }
    expect(scene.feature('a')).toMatchObject({
      status: 'failed',
      retry_count: last,
      error: 'broke',
      failed_by: 'W',
    });
  });

  test('is final with no_retry, and the step that failed says so', () => {
    const scene = worked('plan').do('feature.fail', fail({ no_retry: true }));
    expect(scene.feature('a')).toMatchObject({
      status: 'failed',
      retry_count: 1,
      completed_at: null,
      steps: [{ status: 'failed', error: 'broke', failures: 1 }],
    });
  });

  test('a run may lower the number of retries, never raise it', () => {
    expect(
      worked()
        .do('feature.fail', fail({ max_retries: 0 }))
        .feature('a').status,
    ).toBe('failed');
    const strict = Scene.started({ max_retries: 0 }).do('feature.add', { feature: 'a' });
    strict.do('feature.claim', claiming('a', 'W')).do('feature.fail', fail({ max_retries: 9 }));
    expect(strict.feature('a').status).toBe('failed');
  });

  test('a step that had failed before does not count twice', () => {
    const scene = worked('plan').do('step.fail', { feature: 'a', step: 'plan', error: 'first', worker: 'W' });
    expect(scene.do('feature.fail', fail()).feature('a').steps[0]!.failures).toBe(1);
  });
});

describe('feature.retry', () => {
  const failed = () =>
    worked('plan', 'code', 'test')
      .do('step.done', { feature: 'a', step: 'plan', worker: 'W' })
      .do('step.done', { feature: 'a', step: 'code', worker: 'W' })
      .do('feature.fail', { feature: 'a', error: 'e', no_retry: true, worker: 'W' });

  test('keeps the count and the finished steps, and clears the error', () => {
    const scene = failed().do('feature.retry', { feature: 'a' });
    expect(scene.feature('a')).toMatchObject({
      status: 'pending',
      retry_count: 1,
      error: null,
      failed_by: null,
    });
    expect(scene.steps('a')).toBe('plan:completed code:completed test:pending');
  });

  test('starts over from the step that is named', () => {
    const scene = failed().do('feature.retry', { feature: 'a', from: 'code' });
    expect(scene.steps('a')).toBe('plan:completed code:pending test:pending');
    expect(scene.feature('a').steps[1]).toMatchObject({ completed_at: null, checkpoint: null });
    expect(failed().refusal('feature.retry', { feature: 'a', from: 'none' }).code).toBe('STEP_NOT_FOUND');
  });

  test('opens completed and archived ones again', () => {
    const scene = worked('plan').do('feature.complete', { feature: 'a', worker: 'W', skip_remaining: true });
    scene.do('feature.archive', { feature: 'a' }).do('feature.retry', { feature: 'a', from: 'plan' });
    expect(scene.feature('a')).toMatchObject({
      status: 'pending',
      completed_at: null,
      completed_by: null,
      archived_at: null,
      started_at: '2026-03-01T10:04:00Z',
    });
    expect(scene.refusal('feature.retry', { feature: 'a' }).code).toBe('INVALID_TRANSITION');
  });
});

describe('feature.archive', () => {
  test('puts away, and what was completed still satisfies others', () => {
    const scene = worked().do('feature.add', { feature: 'b', dependencies: ['a'] });
    expect(scene.refusal('feature.archive', { feature: 'a' }).code).toBe('NOT_HOLDER');
    scene.do('feature.complete', { feature: 'a', worker: 'W' }).do('feature.archive', { feature: 'a' });
    expect(scene.feature('a')).toMatchObject({
      status: 'archived',
      completed_at: '2026-03-01T10:06:00Z',
      archived_at: '2026-03-01T10:07:00Z',
    });
    expect(scene.do('feature.claim', claiming('b', 'V', 2)).feature('b').status).toBe('in_progress');
    expect(scene.refusal('feature.archive', { feature: 'a' }).code).toBe('INVALID_TRANSITION');
  });

  test('an unfinished one blocks those that need it, and none of its steps is under way', () => {
    const scene = worked('plan').do('feature.add', { feature: 'b', dependencies: ['a'] });
    scene.do('feature.archive', { feature: 'a', worker: 'W' });
    expect(scene.steps('a')).toBe('plan:pending');
    expect(scene.refusal('feature.claim', claiming('b', 'V', 2))).toMatchObject({
      code: 'DEPENDENCIES_UNMET',
      details: { blocked_by: [{ id: 'a', status: 'archived' }] },
    });
  });
});
