import { describe, expect, test } from 'vitest';
import { Operation } from '../../../src/core/operation.ts';
import { claiming, oid, Scene } from '../../support/scene.ts';

const args = { name: 'v1', commit: null, step: null, next_step: null, data: null, heads: {} };
const scene = () => Scene.started({ steps: ['plan'] }).do('feature.add', { feature: 'a' });

describe('checkpoint.create', () => {
  test('names a point, with the feature and step it belongs to', () => {
    const heads = { a: { branch: 'feature/a', oid: oid('c') } };
    const full = { ...args, feature: 'a', step: 'plan', data: { b: [1], a: null }, heads, commit: oid('d') };
    expect(scene().do('checkpoint.create', full).checkpoint('v1')).toEqual({
      ...full,
      created_at: '2026-03-01T10:04:00Z',
      automatic: false,
    });
  });

  test.each([
    ['v1', {}, 'ALREADY_EXISTS'],
    ['V1', {}, 'ALREADY_EXISTS'],
    ['v2', { feature: 'none' }, 'FEATURE_NOT_FOUND'],
    ['v2', { feature: 'a', step: 'none' }, 'STEP_NOT_FOUND'],
  ])('%s with %o is refused with %s', (name, more, code) => {
    const taken = scene().do('checkpoint.create', args);
    expect(taken.refusal('checkpoint.create', { ...args, name, ...more }).code).toBe(code);
  });

  test.each(['a.plan_complete~2', 'x'.repeat(129), '../up', ''])(
    "'%s' is no name that people give",
    (name) => {
      const { operation } = { operation: scene().operation('checkpoint.create', args) };
      expect(Operation.safeParse({ ...operation, args: { ...args, name } }).success).toBe(false);
    },
  );
});

describe('checkpoint.delete', () => {
  test('gives the name up', () => {
    const made = scene().do('checkpoint.create', args);
    expect(made.refusal('checkpoint.delete', { name: 'V1' }).code).toBe('CHECKPOINT_NOT_FOUND');
    made.do('checkpoint.delete', { name: 'v1' });
    expect(made.contents().checkpoints.size).toBe(0);
    expect(made.refusal('checkpoint.delete', { name: 'v1' }).code).toBe('CHECKPOINT_NOT_FOUND');
    expect(made.do('checkpoint.create', args).checkpoint('v1').name).toBe('v1');
  });
});

describe('note.add', () => {
  test('changes nothing in the state', () => {
    const before = scene().do('feature.claim', claiming('a', 'W'));
    const { state } = before;
    expect(before.do('note.add', { message: 'hello', level: 'info', feature: 'a' }).state).toBe(state);
  });

  test('speaks of what there is', () => {
    expect(scene().refusal('note.add', { message: 'm', level: 'info', feature: 'none' }).code).toBe(
      'FEATURE_NOT_FOUND',
    );
    expect(scene().refusal('note.add', { message: 'm', level: 'info' }, 'none').code).toBe(
      'SESSION_NOT_FOUND',
    );
  });
});
