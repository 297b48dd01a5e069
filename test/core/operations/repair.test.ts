import { expect, test } from 'vitest';
import { claiming, oid, Scene } from '../../support/scene.ts';

const repair = (scene: Scene, mark: string, lost: number, more: object = {}) => {
  const args = {
    damaged: oid('d'),
    commit: oid(mark),
    tree: oid(mark),
    fault: 'torn',
    lost,
    checkpoints: [],
    ...more,
  };
  return scene.do('state.repair', args, null);
};

function claimed(): Scene {
  const scene = Scene.started({ steps: ['plan'] });
  scene.do('feature.add', { feature: 'a' }).do('feature.add', { feature: 'b' });
  scene.do('feature.claim', claiming('a', 'W1', 1));
  scene.mark('1');
  return scene;
}

test('where nothing was lost the state is the one that could be read, claims included', () => {
  const scene = claimed();
  const before = scene.state;
  repair(scene, '1', 0);
  expect(scene.state).toBe(before);
});

test('where operations were lost claims end, and no token number comes again', () => {
  const scene = claimed();
  scene.do('feature.remove', { feature: 'b' });
  scene.mark('2');
  repair(scene, '2', 7);
  expect(scene.feature('a')).toMatchObject({
    status: 'pending',
    claim: null,
    claim_count: 8,
    ended_claim: { by: 'state.repair' },
    steps: [{ status: 'pending' }],
  });
  scene.do('feature.claim', claiming('a', 'W2', 2));
  expect(scene.feature('a').claim_count).toBe(9);
});

test('a checkpoint whose file is written again names the commit that it named before', () => {
  const scene = claimed();
  const point = { name: 'one', commit: null, step: null, next_step: null, data: null, heads: {} };
  scene.do('checkpoint.create', point);
  scene.mark('3');
  repair(scene, '3', 0, { checkpoints: [{ session: 's', name: 'one', commit: oid('9') }] });
  expect(scene.checkpoint('one').commit).toBe(oid('9'));
});
