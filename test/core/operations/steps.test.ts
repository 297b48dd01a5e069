import { describe, expect, test } from 'vitest';
import { claimId, claiming, oid, Scene } from '../../support/scene.ts';

const right = { worker: 'W' };
const on = (step: string, more: object = right) => ({ feature: 'a', step, ...more });
const failing = (step: string) => on(step, { error: 'broke', ...right });

/** Feature `a` with steps p, q, r, claimed by W: p is under way. */
const claimed = (change: object = {}) =>
  Scene.started({ steps: ['p', 'q', 'r'], ...change })
    .do('feature.add', { feature: 'a' })
    .do('feature.claim', claiming('a', 'W'));

describe('moves of steps', () => {
  const cases: [
    string,
    [type: 'step.start' | 'step.done' | 'step.skip' | 'step.fail', step: string][],
    string,
  ][] = [
    ['done starts the next', [['step.done', 'p']], 'p:completed q:active r:pending'],
    [
      'done of the last starts none',
      [
        ['step.done', 'p'],
        ['step.done', 'q'],
        ['step.done', 'r'],
      ],
      'p:completed q:completed r:completed',
    ],
    ['skip starts the next', [['step.skip', 'p']], 'p:skipped q:active r:pending'],
    ['skip of a later one leaves the one under way', [['step.skip', 'r']], 'p:active q:pending r:skipped'],
    [
      'done passes over what was skipped',
      [
        ['step.skip', 'q'],
        ['step.done', 'p'],
      ],
      'p:completed q:skipped r:active',
    ],
    ['fail leaves the feature with its worker', [['step.fail', 'p']], 'p:failed q:pending r:pending'],
    [
      'start tries a failed one again',
      [
        ['step.fail', 'p'],
        ['step.start', 'p'],
      ],
      'p:active q:pending r:pending',
    ],
    [
      'done of a failed one is a success',
      [
        ['step.fail', 'p'],
        ['step.done', 'p'],
      ],
      'p:completed q:active r:pending',
    ],
    [
      'skip of a failed one goes on',
      [
        ['step.fail', 'p'],
        ['step.skip', 'p'],
      ],
      'p:skipped q:active r:pending',
    ],
    [
      'skip behind a failed one does not try it again',
      [
        ['step.fail', 'p'],
        ['step.skip', 'q'],
      ],
      'p:failed q:skipped r:pending',
    ],
  ];
  test.each(cases)('%s', (_, moves, expected) => {
    const scene = claimed();
    for (const [type, step] of moves) scene.do(type, type === 'step.fail' ? failing(step) : on(step));
    expect(scene.steps('a')).toBe(expected);
    expect(scene.feature('a')).toMatchObject({ status: 'in_progress', worker_id: 'W' });
  });

  test.each([
    ['step.start', on('q'), 'INVALID_TRANSITION'],
    ['step.done', on('q'), 'INVALID_TRANSITION'],
    ['step.fail', failing('q'), 'INVALID_TRANSITION'],
    ['step.done', on('none'), 'STEP_NOT_FOUND'],
    ['step.done', on('p', {}), 'NOT_HOLDER'],
    ['step.done', on('p', { worker: 'V' }), 'NOT_HOLDER'],
    ['step.done', on('p', { claim: claimId(5) }), 'STALE_TOKEN'],
    ['step.done', { ...on('p'), feature: 'none' }, 'FEATURE_NOT_FOUND'],
  ] as const)('%s with %o is refused with %s', (type, args, code) => {
    expect(claimed().refusal(type, args).code).toBe(code);
  });

  test('a completed step is done: no start, no second done, no fail, no skip', () => {
    const scene = claimed().do('step.done', on('p'));
    for (const type of ['step.start', 'step.done', 'step.skip'] as const) {
      expect(scene.refusal(type, on('p'))).toMatchObject({
        code: 'INVALID_TRANSITION',
        details: { from: 'completed' },
      });
    }
    expect(scene.refusal('step.fail', failing('p')).code).toBe('INVALID_TRANSITION');
  });

  test('start of the step under way changes nothing', () => {
    const scene = claimed();
    const before = scene.state;
    expect(scene.do('step.start', on('p')).state).toBe(before);
  });

  test('times: a start is the latest, an attempt that failed is counted', () => {
    const scene = claimed().do('step.fail', failing('p')).do('step.start', on('p')).do('step.done', on('p'));
    expect(scene.feature('a').steps[0]).toEqual({
      name: 'p',
      status: 'completed',
      started_at: '2026-03-01T10:06:00Z',
      completed_at: '2026-03-01T10:07:00Z',
      checkpoint: null,
      error: null,
      failures: 1,
      data: {},
    });
  });

  test.each(['completed', 'failed', 'archived'])('none in a feature that is %s', (status) => {
    const scene = claimed().do('feature.update', { feature: 'a', set: { status }, ...right });
    expect(scene.refusal('step.start', on('p', {})).code).toBe('INVALID_TRANSITION');
  });
});

describe('without a worker', () => {
  const free = () => Scene.started({ steps: ['p', 'q'] }).do('feature.add', { feature: 'a' });

  test.each([
    ['step.start', 'p:active q:pending'],
    ['step.done', 'p:completed q:active'],
  ] as const)('%s begins a pending feature', (type, expected) => {
    const scene = free().do(type, on('p', {}));
    expect(scene.feature('a')).toMatchObject({
      status: 'in_progress',
      claim: null,
      started_at: '2026-03-01T10:04:00Z',
    });
    expect(scene.steps('a')).toBe(expected);
  });

  test('skip does not begin it', () => {
    const scene = free().do('step.skip', on('p', {}));
    expect(scene.feature('a')).toMatchObject({ status: 'pending', started_at: null });
    expect(scene.steps('a')).toBe('p:skipped q:pending');
  });

  test('a feature that waits for others is not begun', () => {
    const scene = free().do('feature.add', { feature: 'b', dependencies: ['a'] });
    expect(scene.refusal('step.start', { feature: 'b', step: 'p' }).code).toBe('DEPENDENCIES_UNMET');
  });
});

describe('automatic checkpoints', () => {
  test('a completed step makes one, with the code head and the next step', () => {
    const head = { branch: 'feature/a', oid: oid('b') };
    const scene = claimed({ auto_checkpoints: true }).do('step.done', on('p', { ...right, head }));
    expect(scene.checkpoint('a.p_complete')).toEqual({
      name: 'a.p_complete',
      commit: null,
      feature: 'a',
      step: 'p',
      next_step: 'q',
      created_at: '2026-03-01T10:05:00Z',
      automatic: true,
      data: null,
      heads: { a: head },
    });
    expect(scene.feature('a').steps[0]!.checkpoint).toBe('a.p_complete');
    scene.do('step.skip', on('q')).do('step.done', on('r'));
    expect(scene.checkpoint('a.r_complete').next_step).toBeNull();
    expect(scene.checkpoint('a.q_complete')).toBeUndefined();
  });

  test('without them none is made', () => {
    const scene = claimed().do('step.done', on('p'));
    expect(scene.contents().checkpoints.size).toBe(0);
    expect(scene.feature('a').steps[0]!.checkpoint).toBeNull();
  });

  test('the same step finished again replaces its own', () => {
    const scene = claimed({ auto_checkpoints: true }).do('step.done', on('p'));
    scene
      .do('feature.complete', { feature: 'a', skip_remaining: true, ...right })
      .do('feature.retry', { feature: 'a', from: 'p' });
    scene.do('step.done', on('p', {}));
    expect(scene.contents().checkpoints.size).toBe(1);
    expect(scene.checkpoint('a.p_complete').created_at).toBe('2026-03-01T10:08:00Z');
  });

  test('two features that would share a name do not', () => {
    const scene = Scene.started({ auto_checkpoints: true });
    scene
      .do('feature.add', { feature: 'a.b', steps: ['c'] })
      .do('feature.add', { feature: 'a', steps: ['b.c'] });
    scene.do('step.done', { feature: 'a.b', step: 'c' }).do('step.done', { feature: 'a', step: 'b.c' });
    expect(scene.checkpoint('a.b.c_complete').feature).toBe('a.b');
    expect(scene.checkpoint('a.b.c_complete~2').feature).toBe('a');
    expect(scene.feature('a').steps[0]!.checkpoint).toBe('a.b.c_complete~2');
  });

  test('names of 128 characters fit', () => {
    const [feature, step] = ['f'.repeat(128), 's'.repeat(128)];
    const scene = Scene.started({ auto_checkpoints: true }).do('feature.add', { feature, steps: [step] });
    expect(scene.do('step.done', { feature, step }).checkpoint(`${feature}.${step}_complete`).feature).toBe(
      feature,
    );
  });
});
