import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Budgets, Session } from '../../src/core/entities.ts';
import { equalJson, Json, JsonRecord, Text } from '../../src/core/json.ts';
import { Amount, amountOf, microsOf, SignedAmount, sumAmounts } from '../../src/core/money.ts';
import {
  Duration,
  formatDuration,
  Instant,
  instantOf,
  LeaseEnd,
  parseDuration,
  parseInstant,
} from '../../src/core/time.ts';
import { Scene } from '../support/scene.ts';

describe('money', () => {
  test('adds as people do', () => {
    expect(sumAmounts([0.1, 0.2])).toBe(0.3);
    expect(sumAmounts(Array(10).fill(0.1))).toBe(1);
    expect(sumAmounts([1e12, 0.000001, -1e12])).toBe(0.000001);
    expect(sumAmounts([])).toBe(0);
  });

  test.each([
    [1, 1_000_000n],
    [1e-7, 0n],
    [5e-7, 0n],
    [15e-7, 2n],
    [25e-7, 2n],
    [-15e-7, -2n],
    [1e21, 10n ** 27n],
    [1.2345675, 1_234_568n],
    [1.2345665, 1_234_566n],
  ])('%d has %d millionths, ties to even', (amount, micros) => {
    expect(microsOf(amount)).toBe(micros);
  });

  test.each([0, 0.000001, 1.5, 1e12, 123456.789012])('%d is an amount', (amount) => {
    expect(Amount.safeParse(amount).success).toBe(true);
  });

  test.each([0.0000001, 1.2345678, 1e12 + 1, Number.NaN, Number.POSITIVE_INFINITY, '1'])(
    '%s is none',
    (amount) => {
      expect(SignedAmount.safeParse(amount).success).toBe(false);
    },
  );

  test('only corrections are negative', () => {
    expect([Amount, SignedAmount].map((schema) => schema.safeParse(-1).success)).toEqual([false, true]);
  });

  test('the order of a sum does not matter', () => {
    const amount = fc.integer({ min: -1e12, max: 1e12 }).map((micros) => amountOf(BigInt(micros)));
    fc.assert(
      fc.property(fc.array(amount), (amounts) => {
        const total = amounts.reduce((sum, one) => sum + microsOf(one), 0n);
        expect(sumAmounts(amounts)).toBe(amountOf(total));
        expect(sumAmounts([...amounts].reverse())).toBe(sumAmounts(amounts));
      }),
    );
  });
});

describe('time', () => {
  test.each([
    ['2026-01-02T03:04:05Z', '2026-01-02T03:04:05Z'],
    ['2026-01-02T03:04:05.999Z', '2026-01-02T03:04:05Z'],
    ['2026-01-02T03:04:05+02:00', '2026-01-02T01:04:05Z'],
    ['2026-01-02T03:04:05-0330', '2026-01-02T06:34:05Z'],
    ['2026-01-02 03:04Z', '2026-01-02T03:04:00Z'],
    ['2016-12-31T23:59:60Z', '2016-12-31T23:59:59Z'],
    ['2024-02-29T00:00:00Z', '2024-02-29T00:00:00Z'],
  ])('%s is read as %s', (text, instant) => {
    expect(parseInstant(text)).toBe(instant);
  });

  test.each([
    '',
    'now',
    '2026-01-02',
    '2026-01-02T03:04:05',
    '2026-02-30T00:00:00Z',
    '2025-02-29T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-01-00T00:00:00Z',
    '2026-01-02T25:00:00Z',
    '9999-12-31T23:59:59-10:00',
    '12026-01-02T03:04:05Z',
  ])('%j is no time', (text) => {
    expect(parseInstant(text)).toBeNull();
  });

  test.each([
    '2026-01-02T03:04:05.1Z',
    '2026-01-02T03:04:05+00:00',
    '2026-02-30T00:00:00Z',
    '2026-01-00T00:00:00Z',
    '2026-01-02t03:04:05z',
  ])('%s is not how a time is stored', (text) => {
    expect(Instant.safeParse(text).success).toBe(false);
  });

  test('lease ends keep milliseconds', () => {
    expect(LeaseEnd.safeParse('2026-01-02T03:04:05.006Z').success).toBe(true);
    for (const text of ['2026-01-02T03:04:05Z', '2026-01-02T03:61:05.006Z', '2026-02-30T03:04:05.006Z']) {
      expect(LeaseEnd.safeParse(text).success).toBe(false);
    }
  });

  test('stored times are read back to the same second', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 253_402_300_799 }), (second) => {
        const text = instantOf(second * 1000);
        expect(Instant.parse(text)).toBe(text);
        expect(parseInstant(text)).toBe(text);
        expect(Date.parse(text)).toBe(second * 1000);
      }),
    );
  });

  test.each([
    ['500ms', 500],
    ['90s', 90_000],
    ['15m', 900_000],
    ['24h', 86_400_000],
    ['7d', 604_800_000],
    ['1.5h', 5_400_000],
    ['0s', 0],
    ['36500d', 3_153_600_000_000],
  ])('%s is %i ms', (text, durationMs) => {
    expect(parseDuration(text)).toBe(durationMs);
    expect(parseDuration(formatDuration(durationMs))).toBe(durationMs);
  });

  test.each(['', '15', '15 m', '-1m', '1w', 'm', '1e3s', '36501d', '999999999999d', '15m\n'])(
    '%j is no duration',
    (text) => {
      expect(parseDuration(text)).toBeNull();
      expect(Duration.safeParse(text).success).toBe(false);
    },
  );
});

const nested = (levels: number, object: boolean): unknown =>
  levels === 0 ? 1 : object ? { k: nested(levels - 1, object) } : [nested(levels - 1, object)];

describe('the JSON of users', () => {
  test.each([true, false])('64 levels are taken, 65 are not (objects: %s)', (object) => {
    expect(Json.safeParse(nested(64, object)).success).toBe(true);
    expect(Json.safeParse(nested(65, object)).error!.issues[0]!.message).toBe(
      'is nested deeper than 64 levels',
    );
  });

  test('100,000 levels are refused like 65', () => {
    let value: unknown = 1;
    for (let level = 0; level < 100_000; level += 1) value = [value];
    expect(Json.safeParse(value).success).toBe(false);
  });

  test('a MiB is taken, one byte more is not', () => {
    expect(Json.safeParse('x'.repeat(1024 * 1024 - 2)).success).toBe(true);
    expect(Json.safeParse('x'.repeat(1024 * 1024 - 1)).success).toBe(false);
    expect(JsonRecord.safeParse({ k: '€'.repeat(400_000) }).success).toBe(false);
    expect(Text.safeParse('x'.repeat(1024 * 1024)).success).toBe(true);
    expect(Text.safeParse('€'.repeat(400_000)).success).toBe(false);
  });

  test.each([
    ['an integer beyond 2^53', JSON.parse('9007199254740993')],
    ['one below -2^53', -(2 ** 53)],
    ['NaN', Number.NaN],
    ['Infinity', Number.POSITIVE_INFINITY],
    ['undefined', { k: undefined }],
    ['a function', { k: () => 1 }],
    ['a bigint', 1n],
    ['a Date', new Date(0)],
    ['a Map', new Map()],
    ['the key __proto__', JSON.parse('{"a": {"__proto__": 1}}')],
  ])('%s is refused', (_, value) => {
    expect(Json.safeParse(value).success).toBe(false);
    expect(JsonRecord.safeParse({ value }).success).toBe(false);
  });

  test('other keys that objects have are ordinary', () => {
    const text = '{"constructor":1,"hasOwnProperty":2,"prototype":3,"toString":4}';
    expect(JSON.stringify(JsonRecord.parse(JSON.parse(text)))).toBe(text);
  });

  test('keys are sorted by code point, at every level', () => {
    const value = { b: [{ z: 1, a: 2 }], '\u{10000}': 1, '\uffff': 2, B: 3, a: 4 };
    expect(JSON.stringify(JsonRecord.parse(value))).toBe(
      '{"B":3,"a":4,"b":[{"a":2,"z":1}],"\uffff":2,"\u{10000}":1}',
    );
  });

  test('equality looks past the order of keys, and at nothing else', () => {
    expect(equalJson({ a: 1, b: [{ c: 2, d: 3 }] }, { b: [{ d: 3, c: 2 }], a: 1 })).toBe(true);
    for (const [a, b] of [
      [
        [1, 2],
        [2, 1],
      ],
      [{ a: null }, {}],
      [0, false],
      ['1', 1],
      [null, {}],
    ]) {
      expect(equalJson(a, b)).toBe(false);
    }
  });

  test('only an object is a record', () => {
    for (const value of [null, [], 'x', 1]) expect(JsonRecord.safeParse(value).success).toBe(false);
  });

  test('half a character is no text', () => {
    for (const text of ['\ud800', 'a\udc00b', '\udc00\ud800'])
      expect(Text.safeParse(text).success).toBe(false);
    expect(Text.parse('😀')).toBe('😀');
  });
});

describe('records by id', () => {
  test('__proto__ is refused, never dropped', () => {
    const steps = JSON.parse('{"__proto__": 1}');
    expect(Budgets.safeParse({ steps, feature: null, day: null }).success).toBe(false);
    const session = Scene.started().session();
    expect(Session.safeParse({ ...session, quality_min: steps }).success).toBe(false);
  });

  test('constructor is an id like any other, and the order of keys is fixed', () => {
    const steps = { b: 1, constructor: 2, a: 3 };
    expect(JSON.stringify(Budgets.parse({ steps, feature: null, day: null }).steps)).toBe(
      '{"a":3,"b":1,"constructor":2}',
    );
  });

  test('a feature cannot hold a number that would not be read again', () => {
    const scene = Scene.started();
    for (const phase of [1e300, 2 ** 53, Number.NaN]) {
      expect(() => scene.operation('feature.add', { feature: 'a', phase })).toThrow();
    }
    expect(scene.do('feature.add', { feature: 'a', phase: 1.5 }).feature('a').phase).toBe(1.5);
  });
});
