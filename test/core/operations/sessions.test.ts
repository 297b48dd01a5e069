import { describe, expect, test } from 'vitest';
import { claiming, oid, Scene, sessionRules } from '../../support/scene.ts';

describe('store.init', () => {
  const args = { store: 'lineage1', preset: null, readme: oid('a') };

  test('begins the store once', () => {
    const scene = new Scene().do('store.init', args, null);
    expect(scene.state.store).toEqual({
      schema: 1,
      store: 'lineage1',
      created_at: '2026-03-01T10:01:00Z',
      preset: null,
      retired: [],
    });
    expect(scene.state.readme).toBe(oid('a'));
    expect(scene.refusal('store.init', args, null).code).toBe('ALREADY_EXISTS');
  });

  test('comes before everything else', () => {
    expect(new Scene().refusal('session.start', sessionRules()).code).toBe('NOT_INITIALIZED');
    expect(new Scene().refusal('note.add', { message: 'x', level: 'info' }).code).toBe('NOT_INITIALIZED');
  });
});

describe('session.start', () => {
  test('makes an active session with the rules that it carries', () => {
    const budgets = { steps: { plan: 2 }, feature: 7, day: 50 };
    const scene = Scene.started({ steps: ['plan', 'code'], budgets, max_retries: 1, default_lease: '2h' });
    expect(scene.session()).toMatchObject({
      id: 's',
      status: 'active',
      steps: ['plan', 'code'],
      budgets,
      max_retries: 1,
      default_lease: '2h',
      started_at: '2026-03-01T10:02:00Z',
      completed_at: null,
      recovered_at: null,
      claim_counts: {},
    });
  });

  test('an id that differs by case alone is taken', () => {
    const scene = Scene.started();
    expect(scene.refusal('session.start', sessionRules(), 'S')).toMatchObject({
      code: 'ALREADY_EXISTS',
      details: { session: 's' },
    });
  });

  test('an id that was cleaned up is never used again', () => {
    const scene = Scene.started();
    scene.state = { ...scene.state, store: { ...scene.state.store!, retired: ['Old' as never] } };
    expect(scene.refusal('session.start', sessionRules(), 'old').code).toBe('ALREADY_EXISTS');
  });

  test('no step is named twice, in other letters neither', () => {
    const scene = Scene.started();
    expect(scene.refusal('session.start', sessionRules({ steps: ['a', 'A'] }), 't').code).toBe(
      'INVALID_INPUT',
    );
  });
});

describe('session.update', () => {
  test('merges config by its top-level keys, and null removes one', () => {
    const scene = Scene.started({ config: { a: { x: 1 }, b: 2 } });
    scene.do('session.update', { config: { a: { y: 1 }, b: null, c: 3 } });
    expect(scene.session().config).toEqual({ a: { y: 1 }, c: 3 });
  });

  test('merges the limits of steps, and null lifts one', () => {
    const scene = Scene.started({ budgets: { steps: { plan: 1, code: 2 }, feature: 7, day: 9 } });
    scene.do('session.update', { budgets: { steps: { plan: null, test: 3 }, feature: null } });
    expect(scene.session().budgets).toEqual({ steps: { code: 2, test: 3 }, feature: null, day: 9 });
  });

  test('sets name, retries, lease and automatic checkpoints', () => {
    const set = { name: 'n', max_retries: 0, default_lease: '1h', auto_checkpoints: true };
    expect(Scene.started().do('session.update', set).session()).toMatchObject(set);
  });

  test.each(['completed', 'failed', 'archived'])('does not end a session as %s under a claim', (status) => {
    const scene = Scene.started().do('feature.add', { feature: 'a' }).do('feature.claim', claiming('a', 'W'));
    expect(scene.refusal('session.update', { status }).code).toBe('INVALID_TRANSITION');
    expect(scene.do('session.update', { status: 'active' }).session().status).toBe('active');
  });

  test('completed_at stands for completion alone', () => {
    const scene = Scene.started();
    const completedAt = (status: string) => scene.do('session.update', { status }).session().completed_at;
    expect(completedAt('completed')).toBe('2026-03-01T10:03:00Z');
    expect(completedAt('archived')).toBe('2026-03-01T10:03:00Z');
    expect(completedAt('active')).toBeNull();
    expect(completedAt('failed')).toBeNull();
  });

  test('a config that grows beyond the limit is refused', () => {
    const scene = Scene.started({ config: { a: 'x'.repeat(700_000) } });
    expect(scene.refusal('session.update', { config: { b: 'x'.repeat(700_000) } }).code).toBe(
      'INVALID_INPUT',
    );
  });

  test('is accepted in a session that is over', () => {
    const scene = Scene.started().do('session.archive', {});
    expect(scene.do('session.update', { name: 'n' }).session()).toMatchObject({
      name: 'n',
      status: 'archived',
    });
  });

  test('needs a session', () => {
    expect(Scene.started().refusal('session.update', {}, 'none').code).toBe('SESSION_NOT_FOUND');
  });
});

describe.each([
  ['session.complete', 'completed'],
  ['session.fail', 'failed'],
  ['session.archive', 'archived'],
] as const)('%s', (type, status) => {
  test('ends the session, with unfinished features too', () => {
    const scene = Scene.started().do('feature.add', { feature: 'a' }).do(type, {});
    expect(scene.session().status).toBe(status);
    expect(scene.session().completed_at).toBe(status === 'completed' ? '2026-03-01T10:04:00Z' : null);
    expect(scene.refusal(type, {}).code).toBe('INVALID_TRANSITION');
  });

  test('is refused while a feature is claimed, unless forced', () => {
    const scene = Scene.started().do('feature.add', { feature: 'a' }).do('feature.claim', claiming('a', 'W'));
    expect(scene.refusal(type, {})).toMatchObject({
      code: 'INVALID_TRANSITION',
      details: { from: 'active' },
    });
    expect(scene.do(type, { force: true }).feature('a').worker_id).toBe('W');
  });
});

describe('a session that is not active', () => {
  const ended = () => {
    const scene = Scene.started({ steps: ['plan'] });
    for (const feature of ['a', 'b', 'c', 'd']) scene.do('feature.add', { feature });
    scene.do('feature.claim', claiming('a', 'W1', 1)).do('feature.claim', claiming('b', 'W2', 2));
    scene
      .do('feature.claim', claiming('c', 'W3', 3))
      .do('feature.fail', { feature: 'c', error: 'e', no_retry: true, worker: 'W3' });
    return scene.do('session.complete', { force: true });
  };

  test.each([
    ['feature.add', { feature: 'x' }],
    ['plan.load', { features: [{ id: 'x' }] }],
    ['feature.claim', claiming('d', 'W4', 4)],
    ['step.start', { feature: 'a', step: 'plan', worker: 'W1' }],
    ['step.done', { feature: 'a', step: 'plan', worker: 'W1' }],
    ['step.fail', { feature: 'a', step: 'plan', error: null, worker: 'W1' }],
    ['step.skip', { feature: 'a', step: 'plan', worker: 'W1' }],
    ['feature.retry', { feature: 'c' }],
    ['feature.remove', { feature: 'd' }],
  ] as const)('refuses %s', (type, args) => {
    expect(ended().refusal(type, args)).toMatchObject({
      code: 'SESSION_NOT_ACTIVE',
      details: { session: 's', status: 'completed' },
    });
  });

  test('accepts what ends the claims that are still held, and facts', () => {
    const scene = ended();
    scene.do('feature.complete', { feature: 'a', worker: 'W1', skip_remaining: true });
    scene.do('feature.release', { feature: 'b', worker: 'W2' });
    scene.do('note.add', { message: 'late', level: 'warn' });
    scene.do('feature.update', { feature: 'd', set: { name: 'later' } });
    scene.do('feature.archive', { feature: 'd' });
    const checkpoint = { commit: null, step: null, next_step: null, data: null, heads: {} };
    scene.do('checkpoint.create', { name: 'end', ...checkpoint });
    expect([scene.feature('a').status, scene.feature('b').status]).toEqual(['completed', 'pending']);
  });
});
