import { describe, expect, test } from 'vitest';
import { claimId, claiming, Scene, takingOver } from '../../support/scene.ts';

const two = (...steps: string[]) =>
  Scene.started({ steps }).do('feature.add', { feature: 'a' }).do('feature.add', { feature: 'b' });

describe('feature.claim', () => {
  test('starts the feature and its first unfinished step', () => {
    const scene = two('plan', 'code').do(
      'feature.claim',
      claiming('a', 'W', 1, { branch: 'feature/a', worktree: '.worktrees/a' }),
    );
    expect(scene.feature('a')).toMatchObject({
      status: 'in_progress',
      worker_id: 'W',
      claim: {
        id: claimId(1),
        expires_at: '2026-03-01T10:15:00.000Z',
        host: 'host',
        pid: null,
        runner: false,
      },
      claim_count: 1,
      branch: 'feature/a',
      worktree: '.worktrees/a',
      started_at: '2026-03-01T10:05:00Z',
    });
    expect(scene.feature('a').steps[0]).toMatchObject({
      status: 'active',
      started_at: '2026-03-01T10:05:00Z',
    });
    expect(scene.steps('a')).toBe('plan:active code:pending');
  });

  test('remembers the worker at its first claim', () => {
    const scene = two()
      .do('feature.claim', claiming('a', 'W'))
      .do('feature.complete', { feature: 'a', worker: 'W' });
    scene.do('feature.claim', claiming('b', 'W', 2));
    expect([...scene.contents().workers.values()]).toEqual([
      { id: 'W', first_seen_at: '2026-03-01T10:05:00Z', data: {} },
    ]);
  });

  test('each claim raises the counter, and feature.started_at stays that of the first', () => {
    const scene = two('plan')
      .do('feature.claim', claiming('a', 'W'))
      .do('feature.release', { feature: 'a', worker: 'W' });
    scene.do('feature.claim', claiming('a', 'V', 2));
    expect(scene.feature('a')).toMatchObject({ claim_count: 2, started_at: '2026-03-01T10:05:00Z' });
    expect(scene.feature('a').steps[0]!.started_at).toBe('2026-03-01T10:07:00Z');
  });

  test('a live claim is not taken, by the same name neither', () => {
    const scene = two().do('feature.claim', claiming('a', 'W'));
    for (const worker of ['V', 'W']) {
      expect(scene.refusal('feature.claim', claiming('a', worker, 2))).toMatchObject({
        code: 'ALREADY_CLAIMED',
        details: { feature: 'a', holder: 'W', expires_at: '2026-03-01T10:15:00.000Z' },
      });
    }
  });

  test('takes over a claim that is over; the step starts anew and the old token is stale', () => {
    const scene = two('plan').do('feature.claim', claiming('a', 'W'));
    scene.do('feature.claim', claiming('a', 'V', 2, takingOver('W', 1)));
    expect(scene.feature('a')).toMatchObject({
      worker_id: 'V',
      claim: { id: claimId(2) },
      claim_count: 2,
      retry_count: 0,
      started_at: '2026-03-01T10:05:00Z',
      ended_claim: { id: claimId(1), by: 'feature.claim' },
    });
    expect(scene.feature('a').steps[0]).toMatchObject({
      status: 'active',
      started_at: '2026-03-01T10:06:00Z',
    });
    const late = { feature: 'a', step: 'plan', claim: claimId(1) };
    expect(scene.refusal('step.done', late)).toMatchObject({
      code: 'STALE_TOKEN',
      details: { feature: 'a', holder: 'V' },
    });
  });

  test('a takeover judged on a claim that is no longer there is refused', () => {
    const scene = two()
      .do('feature.claim', claiming('a', 'W'))
      .do('feature.claim', claiming('a', 'V', 2, takingOver('W', 1)));
    expect(scene.refusal('feature.claim', claiming('a', 'U', 3, takingOver('W', 1))).code).toBe(
      'ALREADY_CLAIMED',
    );
  });

  test('one in progress without a holder can be taken', () => {
    const scene = two('plan', 'code').do('step.done', { feature: 'a', step: 'plan' });
    expect(scene.feature('a')).toMatchObject({ status: 'in_progress', claim: null });
    expect(scene.do('feature.claim', claiming('a', 'W')).feature('a').worker_id).toBe('W');
    expect(scene.steps('a')).toBe('plan:completed code:active');
  });

  test('a worker holds one feature at most, expired or not', () => {
    const scene = two().do('feature.claim', claiming('a', 'W'));
    expect(scene.refusal('feature.claim', claiming('b', 'W', 2))).toMatchObject({
      code: 'WORKER_BUSY',
      details: { feature: 'a' },
    });
    scene.do('feature.claim', claiming('b', 'V', 2));
    expect(scene.refusal('feature.claim', claiming('b', 'W', 3, takingOver('V', 2, 'forced'))).code).toBe(
      'WORKER_BUSY',
    );
    expect(
      scene.do('feature.claim', claiming('a', 'W', 4, takingOver('W', 1))).feature('a').claim_count,
    ).toBe(2);
  });

  test('a worker is known by one writing of its name', () => {
    const scene = two().do('feature.claim', claiming('a', 'Ann'));
    expect(scene.refusal('feature.claim', claiming('b', 'ann', 2))).toMatchObject({
      code: 'ALREADY_EXISTS',
      details: { worker: 'Ann' },
    });
  });

  test('waits for its dependencies', () => {
    const scene = two().do('feature.add', { feature: 'c', dependencies: ['a', 'b'] });
    scene.do('feature.claim', claiming('a', 'W')).do('feature.complete', { feature: 'a', worker: 'W' });
    expect(scene.refusal('feature.claim', claiming('c', 'W', 2))).toMatchObject({
      code: 'DEPENDENCIES_UNMET',
      details: { blocked_by: [{ id: 'b', status: 'pending' }] },
    });
  });

  test.each([
    ['completed', { status: 'completed' }],
    ['failed', { status: 'failed' }],
    ['archived', { status: 'archived' }],
  ])('%s ones are not claimed', (from, set) => {
    const scene = two().do('feature.update', { feature: 'a', set });
    expect(scene.refusal('feature.claim', claiming('a', 'W'))).toMatchObject({
      code: 'INVALID_TRANSITION',
      details: { from, allowed: ['pending', 'in_progress'] },
    });
  });

  test('an id in other letters is another id', () => {
    const refusal = two().refusal('feature.claim', claiming('A', 'W'));
    expect(refusal).toMatchObject({ code: 'FEATURE_NOT_FOUND', hint: "did you mean 'a'?" });
  });
});

describe('feature.release of a claim that somebody left', () => {
  const held = () =>
    two('plan', 'code')
      .do('feature.claim', claiming('a', 'W'))
      .do('step.done', { feature: 'a', step: 'plan', worker: 'W' });
  const leaving = (change: object = {}) => ({
    feature: 'a',
    over: { ...takingOver('W', 1).takeover, ...change },
  });

  test('keeps finished steps, counts as no failure and makes the token stale', () => {
    const scene = held().do('feature.release', leaving());
    expect(scene.feature('a')).toMatchObject({
      status: 'pending',
      claim: null,
      worker_id: null,
      retry_count: 0,
      ended_claim: { id: claimId(1), by: 'feature.release' },
    });
    expect(scene.steps('a')).toBe('plan:completed code:pending');
    const late = { feature: 'a', step: 'code', claim: claimId(1) };
    expect(scene.refusal('step.done', late).code).toBe('STALE_TOKEN');
  });

  test('is refused for any claim but the one that was judged, and for a lease that is not over', () => {
    const scene = held();
    const code = (change: object) => scene.refusal('feature.release', leaving(change)).code;
    expect(code({ claim: claimId(2) })).toBe('ALREADY_CLAIMED');
    expect(code({ now: '2026-03-01T10:15:00.000Z' })).toBe('ALREADY_CLAIMED');
    expect(code({ now: '2026-03-01T10:14:59.999Z' })).toBe('ALREADY_CLAIMED');
    expect(scene.refusal('feature.release', { ...leaving({ claim: claimId(2) }), worker: 'W' }).code).toBe(
      'ALREADY_CLAIMED',
    );
    // A dead one needs no end of its lease.
    scene.fork().do('feature.release', leaving({ reason: 'dead', now: '2026-03-01T10:01:00.000Z' }));
    expect(() => scene.operation('feature.release', leaving({ reason: 'forced' }))).toThrow();
    scene.do('feature.release', { feature: 'a', worker: 'W' });
    expect(code({})).toBe('INVALID_TRANSITION');
  });
});
