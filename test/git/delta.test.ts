import { inflateSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { baseDistance, deltaBetween } from '../../src/git/delta.ts';
import { stored } from '../../src/git/zlib-stored.ts';

/** What a reader of packs makes of a delta. Source: gitformat-pack(5). */
function applied(base: Buffer, delta: Buffer): Buffer {
  let at = 0;
  const varint = () => {
    let [value, scale] = [0, 1];
    for (;;) {
      const byte = delta[at++]!;
      value += (byte & 127) * scale;
      scale *= 128;
      if (byte < 128) return value;
    }
  };
  expect(varint()).toBe(base.length);
  const size = varint();
  const parts: Buffer[] = [];
  while (at < delta.length) {
    const command = delta[at++]!;
    expect(command).not.toBe(0);
    if (command < 128) {
      parts.push(delta.subarray(at, at + command));
      at += command;
      continue;
    }
    const field = (bit: number) => (command & (1 << bit) ? delta[at++]! : 0);
    const offset = field(0) + field(1) * 2 ** 8 + field(2) * 2 ** 16 + field(3) * 2 ** 24;
    const length = field(4) + field(5) * 2 ** 8 + field(6) * 2 ** 16;
    parts.push(base.subarray(offset, offset + (length || 0x10000)));
  }
  const target = Buffer.concat(parts);
  expect(target.length).toBe(size);
  return target;
}

const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map((array) => Buffer.from(array));

describe('deltas', () => {
  test('give the target back, whatever comes before and behind what changed', () => {
    fc.assert(
      fc.property(bytes(3000), bytes(400), bytes(400), bytes(3000), (before, old, now, behind) => {
        const [base, target] = [Buffer.concat([before, old, behind]), Buffer.concat([before, now, behind])];
        const delta = deltaBetween(base, target);
        if (delta) expect(applied(base, delta).equals(target)).toBe(true);
        else expect(now.length * 2).toBeGreaterThan(target.length - 1);
      }),
    );
  });

  test('copy more than a copy can hold', () => {
    const base = Buffer.alloc(300_000, 'some text that is long');
    const target = Buffer.from(base);
    target.write('other', 200_000);
    const delta = deltaBetween(base, target)!;
    expect(delta.length).toBeLessThan(100);
    expect(applied(base, delta).equals(target)).toBe(true);
  });

  test('are not made where little is the same', () => {
    expect(deltaBetween(Buffer.alloc(1000, 'a'), Buffer.alloc(1000, 'b'))).toBe(null);
  });
});

test('a distance reads back as what it was', () => {
  for (const distance of [1, 127, 128, 129, 16_511, 16_512, 2_113_663, 2 ** 31 - 1]) {
    const [first, ...rest] = baseDistance(distance);
    const read = rest.reduce((value, byte) => (value + 1) * 128 + (byte & 127), first! & 127);
    expect(read).toBe(distance);
  }
});

test('a stream that does not compress is read by zlib', () => {
  for (const size of [0, 1, 65_535, 65_536, 200_000]) {
    const content = Buffer.alloc(size, 'every byte of it');
    expect(inflateSync(stored(content)).equals(content)).toBe(true);
  }
});
