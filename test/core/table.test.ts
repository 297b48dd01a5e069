import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Base, Table } from '../../src/core/table.ts';

type Value = { n: number };
type Edit = [key: string, value: Value | undefined];

const key = fc.integer({ min: 0, max: 40 }).map((n) => `k${n}`);
const value = fc.integer({ min: 0, max: 3 }).map((n) => ({ n }));
const edit: fc.Arbitrary<Edit> = fc.tuple(key, fc.option(value, { nil: undefined }));
const step = fc.oneof(
  edit.map((one) => ({ edits: [one], together: false })),
  fc.array(edit, { maxLength: 30 }).map((edits) => ({ edits, together: true })),
);

function changed(table: Table<Value>, edits: Edit[], together: boolean): Table<Value> {
  if (together) return table.withAll(new Map(edits));
  const [[name, next]] = edits as [Edit];
  return next === undefined ? table.without(name) : table.with(name, next);
}

function expectSame(table: Table<Value>, model: Map<string, Value>): void {
  expect(table.size).toBe(model.size);
  expect(new Map(table.entries())).toEqual(model);
  expect([...table.values()]).toHaveLength(model.size);
  for (let n = 0; n <= 41; n += 1) {
    expect(table.get(`k${n}`)).toBe(model.get(`k${n}`));
    expect(table.has(`k${n}`)).toBe(model.has(`k${n}`));
  }
}

/** A base of which nobody may look at an entry. */
const untold: Base<Value> = {
  size: 1000,
  get: () => expect.unreachable('an entry is looked at'),
  listed: () => [],
  [Symbol.iterator]: () => expect.unreachable('entries are looked at'),
};

describe('a table', () => {
  test('on a base that is read by need takes and gives changes without a look at it', () => {
    const before = Table.on(untold);
    const edits = new Map([
      ['k1', { n: 1 }],
      ['k2', undefined],
    ]);
    const after = before.withAll(edits, 999);
    expect([after.size, after.get('k1'), after.get('k2')]).toEqual([999, { n: 1 }, undefined]);
    expect(after.setSince(before)).toEqual(['k1', 'k2']);
    expect(() => before.withAll(edits)).toThrow('an entry is looked at');
  });

  test('is a map, and every older version stays what it was', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(key, value)), fc.array(step, { maxLength: 60 }), (start, steps) => {
        let model = new Map(start);
        let table = Table.of(model);
        const versions = [{ table, model }];
        for (const { edits, together } of steps) {
          table = changed(table, edits, together);
          model = new Map(model);
          for (const [name, next] of edits) {
            if (next === undefined) model.delete(name);
            else model.set(name, next);
          }
          versions.push({ table, model });
        }
        for (const version of versions) expectSame(version.table, version.model);
        const [a, b] = [versions[Math.floor(versions.length / 2)]!, versions.at(-1)!];
        for (const [from, to] of [
          [a, b],
          [b, a],
          [versions[0]!, b],
        ] as const) {
          const names = new Set([...from.model.keys(), ...to.model.keys()]);
          const expected = [...names].filter((name) => from.model.get(name) !== to.model.get(name));
          expect([...to.table.changedSince(from.table)].sort()).toEqual(expected.sort());
          expect(to.table.setSince(from.table)).toEqual(expect.arrayContaining(expected));
        }
      }),
      { numRuns: 80 },
    );
  });

  test('folds its changes now and then, and loses none', () => {
    let table = Table.of<number>();
    for (let n = 0; n < 2000; n += 1) table = table.with(`k${n % 700}`, n);
    for (let n = 0; n < 700; n += 2) table = table.without(`k${n}`);
    expect(table.size).toBe(350);
    expect(table.get('k699')).toBe(1399);
    expect(table.get('k1')).toBe(1401);
  });

  test('a change that changes nothing gives no change', () => {
    const one = { n: 1 };
    const table = Table.of([['a', one]]);
    expect(table.without('b')).toBe(table);
    expect(table.with('a', one).changedSince(table)).toEqual([]);
    expect(table.with('a', { n: 2 }).with('a', one).changedSince(table)).toEqual([]);
    expect(table.changedSince(table)).toEqual([]);
  });

  test('keys such as constructor are ordinary', () => {
    const table = Table.of<number>();
    expect([table.get('constructor'), table.has('__proto__')]).toEqual([undefined, false]);
    expect(table.with('__proto__', 1).get('__proto__')).toBe(1);
  });
});
