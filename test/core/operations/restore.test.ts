import { describe, expect, test } from 'vitest';
import { featurePath } from '../../../src/codec/paths.ts';
import { diffStates } from '../../../src/core/diff.ts';
import { emptyState } from '../../../src/core/state.ts';
import { claimId, claiming, filesOf, oid, Scene, sessionRules } from '../../support/scene.ts';

/** Feature `a` with its first of two steps done, claimed by W; the point `1` is here. */
function atPoint() {
  const scene = Scene.started({ steps: ['plan', 'code'], config: { k: 1 } });
  scene.do('feature.add', { feature: 'a', data: { updated_at: 'then' } }).do('feature.add', { feature: 'b' });
  scene.do('feature.claim', claiming('a', 'W')).do('step.done', { feature: 'a', step: 'plan', worker: 'W' });
  return { scene, point: scene.mark('1') };
}

describe('state.restore of a session', () => {
  test('brings back session.json and features; those in progress wait at their step', () => {
    const { scene, point } = atPoint();
    scene.do('session.update', { name: 'changed', config: { k: 2 } });
    scene.do('feature.complete', { feature: 'a', worker: 'W', skip_remaining: true });
    scene.do('feature.remove', { feature: 'b' }).do('feature.add', { feature: 'new' });
    scene.do('state.restore', point);
    expect(scene.session()).toMatchObject({ name: 'the session', config: { k: 1 }, status: 'active' });
    expect([...scene.contents().features.values()].map(({ id }) => id).sort()).toEqual(['a', 'b']);
    expect(scene.feature('a')).toMatchObject({
      status: 'pending',
      worker_id: null,
      claim: null,
      completed_at: null,
    });
    expect(scene.steps('a')).toBe('plan:completed code:pending');
  });

  test('every token from before is stale at once, that of a live claim too', () => {
    const { scene, point } = atPoint();
    scene.do('feature.claim', claiming('b', 'V', 2)).do('state.restore', point);
    for (const [feature, number] of [
      ['a', 1],
      ['b', 2],
    ] as const) {
      expect(scene.refusal('feature.release', { feature, claim: claimId(number) }).code).toBe('STALE_TOKEN');
      expect(scene.feature(feature).ended_claim).toMatchObject({ id: claimId(number), by: 'state.restore' });
    }
  });

  test('facts made since stay', () => {
    const { scene, point } = atPoint();
    const checkpoint = { commit: null, step: null, next_step: null, data: null, heads: {} };
    scene
      .do('checkpoint.create', { name: 'later', ...checkpoint })
      .do('feature.claim', claiming('b', 'V', 2));
    scene.do('state.restore', point);
    expect(scene.checkpoint('later').name).toBe('later');
    expect([...scene.contents().workers.values()].map(({ id }) => id).sort()).toEqual(['V', 'W']);
  });

  test('claim counters never fall', () => {
    const { scene, point } = atPoint();
    scene.do('feature.release', { feature: 'a', worker: 'W' });
    for (const number of [2, 3]) {
      scene
        .do('feature.claim', claiming('a', 'W', number))
        .do('feature.release', { feature: 'a', worker: 'W' });
    }
    scene.do('state.restore', point);
    expect(scene.feature('a').claim_count).toBe(3);
  });

  test('nor do those of features that were removed since, or that the restore removes', () => {
    const { scene, point } = atPoint();
    scene.do('feature.release', { feature: 'a', worker: 'W' }).do('feature.claim', claiming('a', 'W', 2));
    scene.do('feature.remove', { feature: 'a', worker: 'W' });
    scene.do('feature.add', { feature: 'new' }).do('feature.claim', claiming('new', 'W', 3));
    scene.do('state.restore', point);
    expect(scene.feature('a').claim_count).toBe(2);
    expect(scene.session().claim_counts).toMatchObject({ new: 1 });
    expect(scene.do('feature.add', { feature: 'new' }).feature('new').claim_count).toBe(1);
  });

  test('changes nothing where nothing is different', () => {
    const { scene, point } = atPoint();
    scene.do('state.restore', point);
    const { state } = scene;
    expect(scene.do('state.restore', point).state).toBe(state);
    expect(scene.do('state.restore', scene.mark('2')).state).toBe(state);
  });

  test('sees a change of a field of the user that is called updated_at', () => {
    const { scene, point } = atPoint();
    scene.do('state.restore', point);
    scene
      .do('feature.update', { feature: 'a', set: { data: { updated_at: 'now' } } })
      .do('state.restore', point);
    expect(scene.feature('a').data).toEqual({ updated_at: 'then' });
  });

  test('makes an ended session active, and brings back one that is gone', () => {
    const { scene, point } = atPoint();
    scene.do('session.archive', { force: true }).do('state.restore', point);
    expect(scene.session()).toMatchObject({ status: 'active', completed_at: null });
    scene.state = { ...emptyState, store: scene.state.store, readme: scene.state.readme };
    scene.do('state.restore', point);
    expect(scene.feature('a').status).toBe('pending');
  });

  test('needs the session to be there at the point', () => {
    const { scene, point } = atPoint();
    scene.do('session.start', sessionRules(), 'other');
    expect(scene.refusal('state.restore', point, 'other')).toMatchObject({
      code: 'SESSION_NOT_FOUND',
      message: "session 'other' did not exist at 'point 1'",
      details: { session: 'other', commit: oid('1') },
    });
  });
});

test('a feature that has come back in other letters gives way, with its file', () => {
  const { scene, point } = atPoint();
  scene.do('feature.remove', { feature: 'b' }).do('feature.add', { feature: 'B' });
  const { state } = scene;
  scene.do('state.restore', point);
  expect(scene.feature('b').id).toBe('b');
  const files = filesOf(scene.state, state);
  expect(files.get(featurePath('s', 'B'))).toBe('(gone)');
  expect(files.get(featurePath('s', 'b'))).toContain('"id": "b"');
  const changes = diffStates(state, scene.state).filter(({ path }) => path === '');
  expect(changes.map(({ id, to }) => [id, to === null])).toEqual([
    ['B', true],
    ['b', false],
  ]);
});

describe('state.restore of a feature', () => {
  test('leaves the others and the session as they are', () => {
    const { scene, point } = atPoint();
    scene.do('feature.complete', { feature: 'a', worker: 'W', skip_remaining: true });
    scene.do('feature.claim', claiming('b', 'W', 2)).do('session.update', { name: 'changed' });
    scene.do('state.restore', { ...point, feature: 'a' });
    expect(scene.steps('a')).toBe('plan:completed code:pending');
    expect(scene.feature('b')).toMatchObject({ worker_id: 'W', claim: { id: claimId(2) } });
    expect(scene.session().name).toBe('changed');
    const { state } = scene;
    expect(scene.do('state.restore', { ...point, feature: 'a' }).state).toBe(state);
  });

  test('brings back one that was removed, and its counter goes on', () => {
    const { scene, point } = atPoint();
    scene.do('feature.release', { feature: 'a', worker: 'W' }).do('feature.claim', claiming('a', 'W', 2));
    scene.do('feature.remove', { feature: 'a', worker: 'W' }).do('state.restore', { ...point, feature: 'a' });
    expect(scene.feature('a')).toMatchObject({ claim_count: 2, status: 'pending' });
  });

  test('makes an ended session active', () => {
    const { scene, point } = atPoint();
    scene.do('session.complete', { force: true }).do('state.restore', { ...point, feature: 'a' });
    expect(scene.session()).toMatchObject({ status: 'active', completed_at: null });
  });

  test.each([
    [
      'that was not there',
      (scene: Scene) => scene.do('feature.add', { feature: 'new' }),
      'new',
      'FEATURE_NOT_FOUND',
    ],
    [
      'whose id is taken in other letters',
      (scene: Scene) => scene.do('feature.remove', { feature: 'b' }).do('feature.add', { feature: 'B' }),
      'b',
      'ALREADY_EXISTS',
    ],
    [
      'of a session that is gone',
      (scene: Scene) => {
        scene.state = { ...emptyState, store: scene.state.store };
      },
      'a',
      'SESSION_NOT_FOUND',
    ],
  ])('one %s is refused', (_, prepare, feature, code) => {
    const { scene, point } = atPoint();
    prepare(scene);
    expect(scene.refusal('state.restore', { ...point, feature }).code).toBe(code);
  });
});
