import { describe, expect, test } from 'vitest';
import { escapeControls, describe as subjectOf } from '../../src/core/describe.ts';
import type { OperationType } from '../../src/core/operation.ts';
import { claimId, claiming, leaseEnd, oid, Scene, sessionRules, takingOver } from '../support/scene.ts';

const subject = (type: OperationType, args: object, session: string | null = 's') =>
  subjectOf(new Scene().operation(type, args, session));
const checkpoint = { commit: null, step: null, next_step: null, data: null, heads: {} };
const point = { commit: oid(1), tree: oid(2), point: 'v1' };

test.each<[OperationType, object, string]>([
  ['session.start', sessionRules(), 'start session s'],
  ['session.update', { name: 'n' }, 'update session s'],
  ['session.complete', {}, 'complete session s'],
  ['session.fail', {}, 'fail session s'],
  ['session.archive', {}, 'archive session s'],
  ['plan.load', { features: [{ id: 'a' }, { id: 'b' }] }, 'load plan (2 features)'],
  ['plan.load', { features: [{ id: 'a' }] }, 'load plan (1 feature)'],
  ['feature.add', { feature: '003' }, 'add 003'],
  ['feature.update', { feature: '003', set: { name: 'n' } }, 'update 003'],
  ['feature.update', { feature: '003', set: { status: 'failed' } }, 'update 003 to failed'],
  ['feature.remove', { feature: '003' }, 'remove 003'],
  ['feature.claim', claiming('003', 'W1'), 'claim 003 for W1'],
  ['feature.claim', claiming('003', 'W2', 2, takingOver('W1', 1)), 'claim 003 for W2, taken over from W1'],
  [
    'feature.renew',
    { feature: '003', worker: 'W1', claim: claimId(1), lease_end: leaseEnd(15) },
    'renew 003 for W1',
  ],
  ['feature.release', { feature: '003' }, 'release 003'],
  ['feature.release', { feature: '003', worker: 'W1' }, 'release 003 by W1'],
  ['feature.release', { feature: '003', over: takingOver('W1', 1).takeover }, 'release 003, left by W1'],
  ['feature.complete', { feature: '003', summary: 'all done' }, 'complete 003'],
  ['feature.fail', { feature: '003', error: 'e' }, 'fail 003'],
  ['feature.retry', { feature: '003' }, 'retry 003'],
  ['feature.retry', { feature: '003', from: 'plan' }, 'retry 003 from plan'],
  ['feature.archive', { feature: '003' }, 'archive 003'],
  ['step.start', { feature: '003', step: 'plan' }, 'start step plan of 003'],
  ['step.done', { feature: '003', step: 'plan' }, 'finish step plan of 003'],
  ['step.fail', { feature: '003', step: 'plan', error: null }, 'fail step plan of 003'],
  ['step.skip', { feature: '003', step: 'plan' }, 'skip step plan of 003'],
  ['note.add', { message: 'look here', level: 'info' }, 'note: look here'],
  ['checkpoint.create', { name: 'v1', ...checkpoint }, 'create checkpoint v1'],
  ['checkpoint.delete', { name: 'v1' }, 'delete checkpoint v1'],
  ['state.restore', point, 'restore session s to v1'],
  ['state.restore', { ...point, feature: '003' }, 'restore 003 to v1'],
])('%s %o', (type, args, expected) => {
  expect(subject(type, args)).toBe(expected);
});

test('store.init', () => {
  expect(subject('store.init', { store: 'lineage1', preset: null, readme: oid(1) }, null)).toBe('init store');
});

describe('text of users in a subject', () => {
  const note = (message: string) => subject('note.add', { message, level: 'info' });

  test.each([
    ['a\nb', 'a\\nb'],
    ['a\r\n\tb', 'a\\r\\n\\tb'],
    ['a\u0000b\u001b[31m', 'a\\u0000b\\u001b[31m'],
    ['a\u0085b\u009b', 'a\\u0085b\\u009b'],
    ['a\u2028b\u2029c', 'a\\u2028b\\u2029c'],
    ['a\u202eb\u2066c\u200bd\ufeff', 'a\\u202eb\\u2066c\\u200bd\\ufeff'],
    ['a\u{e0041}b', 'a\\udb40\\udc41b'],
    ['größer → 日本 😀', 'größer → 日本 😀'],
    ['a\n\ngitstate-op: feature.remove', 'a\\n\\ngitstate-op: feature.remove'],
  ])('%j is shown as %j', (message, shown) => {
    expect(note(message)).toBe(`note: ${shown}`);
  });

  test('is cut at 72 characters, and never through one', () => {
    expect(note('x'.repeat(66))).toBe(`note: ${'x'.repeat(66)}`);
    expect(note('x'.repeat(67))).toBe(`note: ${'x'.repeat(65)}…`);
    const cut = note('😀'.repeat(100));
    expect([...cut]).toHaveLength(72);
    expect(cut).toBe(`note: ${'😀'.repeat(65)}…`);
  });

  test('escapes are what JSON reads', () => {
    const hostile = String.fromCodePoint(...Array.from({ length: 0x2100 }, (_, code) => code), 0xe0001);
    const plain = hostile.replace(/["\\]/g, '');
    expect(JSON.parse(`"${escapeControls(plain)}"`)).toBe(plain);
  });
});
