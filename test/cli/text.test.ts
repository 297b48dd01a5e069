import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { clip, colorsOf, oneLine, padEnd, suggest, truncate, visible, widthOf } from '../../src/cli/text.ts';
import { Estimate } from '../../src/cli/views/estimate.ts';
import { clockTime, lengthOfTime, roughTime } from '../../src/cli/views/time.ts';
import { lineOf } from '../../src/cli/work-lines.ts';

describe('widthOf', () => {
  it.each([
    ['plain', 5],
    ['日本', 4],
    ['e\u0301', 1],
    ['🎉', 2],
    ['\u001b[31mred\u001b[39m', 3],
  ])('%j takes %i columns', (text, width) => {
    expect(widthOf(text)).toBe(width);
    expect(widthOf(padEnd(text, 9))).toBe(9);
  });
});

describe('clip', () => {
  it('cuts what is seen, and leaves no colour on', () => {
    const { bold, dim } = colorsOf(true);
    const text = `W1 ${bold('feature')} ${dim('plan')} 3s`;
    expect(clip(text, 18)).toBe(text);
    for (let width = 1; width < 18; width += 1) {
      const cut = clip(text, width);
      expect(widthOf(cut)).toBe(width);
      expect(cut.split('\u001b[1m').length).toBe(cut.split('\u001b[22m').length - 1);
    }
    expect(clip(text, 7)).toBe(`W1 \u001b[1mfea\u001b[22m\u001b[2m\u001b[22m…`);
    expect(clip('日本語', 5)).toBe('日本…');
  });
});

describe('an estimate', () => {
  it('is no more exact than it can be', () => {
    const times = [1, 12_000, 54_000, 61_000, 3_500_000, 3_600_000, 9_500_000].map(roughTime);
    expect(times).toEqual(['10s', '20s', '60s', '1m', '58m', '1h 0m', '2h 30m']);
  });

  it('goes by what was finished since somebody began to look', () => {
    const estimate = new Estimate();
    expect(estimate.leftMs({ atMs: 1000, done: 5, open: 8 })).toBeNull();
    expect(estimate.leftMs({ atMs: 2000, done: 5, open: 8 })).toBeNull();
    expect(estimate.leftMs({ atMs: 5000, done: 7, open: 6 })).toBe(12_000);
    expect(estimate.leftMs({ atMs: 9000, done: 13, open: 0 })).toBeNull();
  });
});

describe('truncate', () => {
  it('never exceeds the width', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme' }).map(visible),
        fc.integer({ min: 1, max: 20 }),
        (text, width) => {
          expect(widthOf(truncate(text, width))).toBeLessThanOrEqual(width);
        },
      ),
    );
  });

  it('cuts between characters', () => {
    expect(truncate('日本語', 5)).toBe('日本…');
    expect(truncate('日本語', 6)).toBe('日本語');
    expect(truncate('日本語', 4)).toBe('日…');
  });
});

describe('visible', () => {
  it('leaves nothing that a terminal would obey', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(visible(text)).not.toMatch(/[\p{Cc}\u2028\u2029\u202a-\u202e]/u);
        expect(oneLine(text)).not.toMatch(/[\p{Cc}\u2028\u2029\u202a-\u202e]/u);
      }),
    );
    expect(visible('a\nb\u001b')).toBe('a\\nb\\u001b');
    expect(oneLine('first \r\n  second\n')).toBe('first; second');
  });
});

describe('suggest', () => {
  it.each([
    ['cliam', ['claim']],
    ['staus', ['status']],
    ['lst', ['list']],
    ['xyzzy', []],
    ['frobnicate', []],
  ])('%s', (word, expected) => {
    expect(suggest(word, ['claim', 'status', 'list', 'log', 'next'])).toEqual(expected);
  });
});

describe('times', () => {
  it('are short today, and have a date on other days', () => {
    const nowMs = Date.parse('2026-03-01T12:00:00');
    expect(clockTime(new Date('2026-03-01T23:59:00').toISOString(), nowMs)).toBe('23:59');
    expect(clockTime(new Date('2026-03-02T00:01:00').toISOString(), nowMs)).toBe('2026-03-02 00:01');
    expect([400, 61_000, 3_720_000].map(lengthOfTime)).toEqual(['0s', '1m 1s', '1h 2m']);
  });
});

describe('lineOf', () => {
  const at = '2026-01-01T00:00:00Z';
  it('passes over what nobody could read, and shows what it does not know', () => {
    expect(lineOf({ at, event: 'renewed', worker: 'W1', feature: '1' })).toBeNull();
    expect(lineOf({ at, event: 'renewal_failed', worker: 'W1', feature: '1', message: 'no\u001b' })).toBe(
      'W1: renewal failed 1: no\\u001b',
    );
    expect(lineOf({ at, event: 'claimed', worker: 'W1', feature: '1', attempt: 2 })).toBe(
      'W1: claimed 1 (attempt 2)',
    );
    expect(
      lineOf({ at, event: 'failed', worker: 'W1', feature: '1', error: 'x\nlast', will_retry: true }),
    ).toBe('W1: 1 failed: last; it is tried again');
  });
});
