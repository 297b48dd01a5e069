import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CheckpointName, compareCodePoints, compareNatural, FeatureId, keyOf } from '../../src/core/ids.ts';

describe('the id rule', () => {
  test.each([
    '0',
    '003',
    'a',
    'A.b_c-d',
    'constructor',
    'toString',
    'hasOwnProperty',
    'x'.repeat(128),
    'a.locks',
    'lock',
    'console',
    'com',
    'com10',
    'HEAD',
  ])('%s is an id', (id) => {
    expect(FeatureId.safeParse(id).success).toBe(true);
  });

  test.each([
    '',
    'x'.repeat(129),
    '.a',
    '-rf',
    '_a',
    'a.',
    'a..b',
    '..',
    '../..',
    'a/b',
    'a\\b',
    'a b',
    'a\n',
    'a\nb',
    'a\0',
    '\u001b[1m',
    'a.lock',
    'A.LOCK',
    'a~1',
    'a:b',
    'a^',
    'a@{1}',
    '@',
    '*',
    '.git',
    '.GIT',
    'git~1',
    '.git::$INDEX_ALLOCATION',
    '.g\u200cit',
    '.gitmodules',
    'CON',
    'con',
    'nul.txt',
    'Com1',
    'LPT9.a.b',
    'aux',
    'prn',
    '__proto__',
    'é',
    'e\u0301',
    '\ud800',
    'ａ',
    '１',
  ])('%j is none', (id) => {
    expect(FeatureId.safeParse(id).success).toBe(false);
  });

  test('says what is wrong, and quotes no more than a part of a long one', () => {
    const { error } = FeatureId.safeParse('x'.repeat(5000));
    expect(error!.issues[0]!.message).toBe(`'${'x'.repeat(40)}' is longer than 128 characters`);
  });

  test('automatic checkpoints may be longer, and numbered', () => {
    expect(CheckpointName.safeParse('x'.repeat(280)).success).toBe(true);
    expect(CheckpointName.safeParse('x'.repeat(281)).success).toBe(false);
    expect(CheckpointName.safeParse('a.plan_complete~2').success).toBe(true);
    for (const name of ['a~0', 'a~01', 'a~', '~2', 'a~2~3', 'a~x']) {
      expect(CheckpointName.safeParse(name).success).toBe(false);
    }
  });

  test('keys are the same for all ways to write an id', () => {
    expect(keyOf('Ab-C')).toBe(keyOf('aB-c'));
  });
});

describe('natural order', () => {
  test.each([
    ['2', '10'],
    ['1', '01'],
    ['01', '2'],
    ['a2', 'a10'],
    ['a1b', 'a01a'],
    ['a-', 'a1'],
    ['a1', 'ab'],
    ['a', 'a0'],
    ['A', 'a'],
    ['f9-2', 'f9-10'],
    ['99999999999999999999998', '99999999999999999999999'],
    ['\uffff', '\u{10000}'],
  ])('%s comes before %s', (first, second) => {
    expect(compareNatural(first, second)).toBeLessThan(0);
    expect(compareNatural(second, first)).toBeGreaterThan(0);
  });

  const word = fc.string({
    unit: fc.constantFrom('0', '1', '9', 'a', 'B', '-', '.', '😀', '\uffff', '\ud800'),
    maxLength: 6,
  });

  test.each([
    ['natural', compareNatural],
    ['code points', compareCodePoints],
  ] as const)('by %s is an order: total, and the same from both sides', (_, compare) => {
    fc.assert(
      fc.property(word, word, word, (a, b, c) => {
        expect(Math.sign(compare(a, b))).toBe(-Math.sign(compare(b, a)) + 0);
        expect(compare(a, b) === 0).toBe(a === b);
        if (compare(a, b) < 0 && compare(b, c) < 0) expect(compare(a, c)).toBeLessThan(0);
      }),
      { numRuns: 500 },
    );
  });

  test('of code points is that of their numbers', () => {
    const codes = (text: string) => [...text].map((character) => character.codePointAt(0)!);
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (a, b) => {
        const [left, right] = [codes(a), codes(b)];
        const index = left.findIndex((code, at) => code !== right[at]);
        const expected = index < 0 ? left.length - right.length : left[index]! - (right[index] ?? -1);
        expect(Math.sign(compareCodePoints(a, b))).toBe(Math.sign(expected));
      }),
    );
  });
});
