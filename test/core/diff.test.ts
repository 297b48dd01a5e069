import { describe, expect, test } from 'vitest';
import { diffStates, summarize } from '../../src/core/diff.ts';
import { emptyState, NotLoaded, putContents, type State } from '../../src/core/state.ts';
import { at, claiming, oid, Scene, sessionRules } from '../support/scene.ts';

const rows = (from: State, to: State, session?: string) =>
  diffStates(from, to, session).map(({ entity, id, path, from: old, to: now }) => [
    entity,
    id,
    path,
    old,
    now,
  ]);

describe('diff', () => {
  test('names the fields that differ', () => {
    const scene = Scene.started({ steps: ['plan', 'code'] }).do('feature.add', { feature: 'a' });
    const { state } = scene;
    scene.do('step.done', { feature: 'a', step: 'plan' });
    expect(rows(state, scene.state)).toEqual([
      ['feature', 'a', '/status', 'pending', 'in_progress'],
      ['feature', 'a', '/steps/0/status', 'pending', 'completed'],
      ['feature', 'a', '/steps/0/started_at', null, at(4)],
      ['feature', 'a', '/steps/0/completed_at', null, at(4)],
      ['feature', 'a', '/steps/1/status', 'pending', 'active'],
      ['feature', 'a', '/steps/1/started_at', null, at(4)],
      ['feature', 'a', '/started_at', null, at(4)],
      ['feature', 'a', '/updated_at', at(3), at(4)],
    ]);
  });

  test('an entity that came or went is one change', () => {
    const scene = Scene.started().do('feature.add', { feature: 'a' });
    const { state } = scene;
    const feature = scene.feature('a');
    scene.do('feature.remove', { feature: 'a' }).do('feature.add', { feature: 'b' });
    expect(rows(state, scene.state).filter(([entity]) => entity === 'feature')).toEqual([
      ['feature', 'a', '', feature, null],
      ['feature', 'b', '', null, scene.feature('b')],
    ]);
    expect(rows(emptyState, state).map(([entity]) => entity)).toEqual(['store', 'session', 'feature']);
  });

  test('keys of users: one that came is named, one that went shows in the object that held it', () => {
    const scene = Scene.started({ config: { 'a/b~c': 1, d: { x: 1, y: 2 } } });
    const { state } = scene;
    scene.do('session.update', { config: { 'a/b~c': 2, e: 3, d: { x: 1 } } });
    expect(rows(state, scene.state).slice(0, 3)).toEqual([
      ['session', 's', '/config/a~1b~0c', 1, 2],
      ['session', 's', '/config/d', { x: 1, y: 2 }, { x: 1 }],
      ['session', 's', '/config/e', null, 3],
    ]);
  });

  test('a list that grew is one change', () => {
    const scene = Scene.started().do('feature.add', { feature: 'a' }).do('feature.add', { feature: 'b' });
    const { state } = scene;
    scene.do('feature.update', { feature: 'b', set: { dependencies: ['a'] } });
    expect(rows(state, scene.state)[0]).toEqual(['feature', 'b', '/dependencies', [], ['a']]);
  });

  test('of one session leaves the others out', () => {
    const scene = Scene.started();
    const { state } = scene;
    scene.do('session.start', sessionRules(), 'other').do('feature.add', { feature: 'a' }, 'other');
    expect(rows(state, scene.state, 's')).toEqual([]);
    expect(rows(state, scene.state, 'OTHER').map(([entity, id]) => [entity, id])).toEqual([
      ['session', 'other'],
      ['feature', 'a'],
    ]);
  });

  test('of equal states is empty, in whatever order they were made', () => {
    const one = Scene.started().do('feature.add', { feature: 'a' });
    const other = Scene.started().do('feature.add', { feature: 'a' });
    expect(diffStates(one.state, other.state)).toEqual([]);
  });

  test('what was not loaded is never taken for absent', () => {
    const { state } = Scene.started().do('feature.add', { feature: 'a' });
    const partial = { ...state, contents: state.contents.without('s') };
    expect(() => diffStates(partial, state)).toThrow(NotLoaded);
    expect(() => diffStates(partial, partial)).toThrow(NotLoaded);
    expect(() => summarize(state, partial, [])).toThrow(NotLoaded);
  });

  test('workers, checkpoints, costs and artifacts are told apart', () => {
    const scene = Scene.started().do('feature.add', { feature: 'a' });
    const { state } = scene;
    scene.do('feature.claim', claiming('a', 'W'));
    const checkpoint = { name: 'v1', commit: null, step: null, next_step: null, data: null, heads: {} };
    scene.do('checkpoint.create', checkpoint);
    const { costs, artifacts } = scene.contents();
    const after = putContents(scene.state, 's', {
      costs: costs.with('2026-03-01/a', { entries: [] }),
      artifacts: artifacts.with('a/plan/x', { path: 'a/plan/x', oid: oid(1) }),
    });
    const found = rows(state, after).filter(([, , path]) => path === '');
    expect(found.map(([entity, id]) => `${entity} ${id}`)).toEqual([
      'worker W',
      'checkpoint v1',
      'cost 2026-03-01/a',
      'artifact a/plan/x',
    ]);
  });
});

test('the summary counts what became completed and failed, and the money', () => {
  const scene = Scene.started().do('plan.load', { features: [{ id: 'a' }, { id: 'b' }] });
  const { state } = scene;
  for (const [feature, status] of [
    ['a', 'completed'],
    ['b', 'failed'],
  ]) {
    scene.do('feature.update', { feature, set: { status } });
  }
  const entry = { at: at(0), amount: 0.3, tokens: null, step: null, operation: 'x', worker: null, key: null };
  const costs = scene.contents().costs.with('2026-03-01/a', { entries: [entry] } as never);
  const after = putContents(scene.state, 's', { costs });
  const changes = diffStates(state, after);
  expect(summarize(state, after, changes)).toEqual({
    changes: changes.length,
    completed: 1,
    failed: 1,
    progress: {
      from: { total: 2, pending: 2, in_progress: 0, completed: 0, failed: 0, archived: 0 },
      to: { total: 2, pending: 0, in_progress: 0, completed: 1, failed: 1, archived: 0 },
    },
    cost: { from: 0, to: 0.3, delta: 0.3 },
  });
  expect(summarize(emptyState, after, diffStates(emptyState, after), 's')).toMatchObject({
    completed: 1,
    failed: 1,
  });
});
