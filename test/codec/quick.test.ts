import fc, { type Arbitrary } from 'fast-check';
import { expect, test } from 'vitest';
import type { z } from 'zod';
import { canonicalJson } from '../../src/codec/canonical.ts';
import { parseFeature, quickOf, unsure } from '../../src/codec/quick.ts';
import { parseFile } from '../../src/codec/tree.ts';
import {
  Checkpoint,
  CostSheet,
  Feature,
  featureStatuses,
  stepStatuses,
  Worker,
} from '../../src/core/entities.ts';
import { newSteps } from '../../src/core/rules.ts';
import { id, instant, jsonRecord, oid, text } from '../support/arbitraries.ts';

const maybe = <T>(value: Arbitrary<T>) => fc.option(value, { freq: 2 });
const count = fc.integer({ min: 0, max: 9 });
const number = fc.oneof(
  { arbitrary: fc.oneof(count, fc.double({ noNaN: true, min: -9, max: 9 })), weight: 9 },
  fc.constantFrom(-0, 0.5, 1e300, 2 ** 53),
);

const step = fc.oneof(
  fc.constantFrom('plan', 'code').map((name) => ({ ...waiting, name })),
  fc.record({
    name: id,
    status: fc.constantFrom(...stepStatuses),
    started_at: maybe(instant),
    completed_at: maybe(instant),
    checkpoint: maybe(id),
    error: maybe(text),
    failures: count,
    data: jsonRecord,
  }),
);
const waiting = newSteps([''])[0]!;
const claim = fc.record({
  id: fc.constant('a'.repeat(64)),
  expires_at: fc.constant('2026-03-01T00:00:00.000Z'),
  host: text,
  boot: maybe(text),
  pidns: maybe(text),
  pid: maybe(count),
  started: maybe(text),
  runner: fc.boolean(),
});
const fields = fc.record({
  id,
  name: text,
  status: fc.constantFrom(...featureStatuses),
  priority: maybe(fc.constantFrom('P0', 'P1', 'x'.repeat(64))),
  phase: maybe(number),
  dependencies: fc.array(id, { maxLength: 3 }),
  steps: fc.array(step, { maxLength: 4 }),
  worker_id: maybe(id),
  claim: maybe(claim),
  claim_count: count,
  ended_claim: maybe(fc.record({ id: fc.constant('b'.repeat(64)), by: text, at: instant })),
  branch: maybe(text),
  worktree: maybe(text),
  pr_number: maybe(count),
  retry_count: count,
  error: maybe(text),
  summary: maybe(text),
  created_at: instant,
  started_at: maybe(instant),
  completed_at: maybe(instant),
  completed_by: maybe(id),
  failed_by: maybe(id),
  archived_at: maybe(instant),
  updated_at: instant,
  quality_scores: fc.dictionary(text, number, { maxKeys: 3 }),
  scored_at: maybe(instant),
  metrics: jsonRecord,
  data: jsonRecord,
});
/** Mostly with what belongs to a claim, or without all of it. */
const feature = fc
  .tuple(fields, fc.nat({ max: 9 }))
  .map(([one, way]) =>
    way === 0
      ? one
      : way < 5 || one.claim === null
        ? { ...one, claim: null, worker_id: null }
        : { ...one, status: 'in_progress', worker_id: one.worker_id ?? 'W' },
  );
const entry = fc.record({
  at: instant,
  amount: fc.oneof(number, fc.constantFrom(0.1, -3, 1e-7)),
  tokens: maybe(fc.record({ in: count, out: count, cached: count })),
  step: maybe(id),
  operation: text,
  worker: maybe(id),
  key: maybe(text),
});
const checkpoint = fc.record({
  name: fc.oneof(
    id,
    id.map((name) => `${name}~2`),
  ),
  commit: maybe(oid),
  feature: maybe(id),
  step: maybe(id),
  next_step: maybe(id),
  created_at: instant,
  automatic: fc.boolean(),
  data: fc.oneof(jsonRecord, number, text),
  heads: fc.dictionary(id, fc.record({ branch: text, oid }), { maxKeys: 2 }),
});

const documents: [z.ZodType, Arbitrary<unknown>][] = [
  [Feature, feature],
  [Worker, fc.record({ id, first_seen_at: instant, data: jsonRecord })],
  [Checkpoint, checkpoint],
  [CostSheet, fc.record({ entries: fc.array(entry, { maxLength: 3 }) })],
];

const strange = fc.oneof(
  fc.constantFrom<unknown>(null, '', 'x', 0, -0, -1, 1.5, 1e300, true, [], {}, [null], { a: 1 }),
  fc.constantFrom('2026-02-31T00:00:00Z', 'con', 'a..b', '\ud800', 'x'.repeat(200), 'y'.repeat(400_000)),
  fc.constantFrom(JSON.parse('{"__proto__":{}}'), JSON.parse('{"b":1,"a":{"10":1,"9":2}}')),
);

/** One place in a document that is chosen by `at` is changed: replaced, taken out, or put last. */
function spoilt(document: unknown, at: number, how: number, value: unknown): unknown {
  const places: [Record<string, unknown>, string][] = [];
  const walk = (node: unknown) => {
    if (typeof node !== 'object' || node === null) return;
    for (const [key, child] of Object.entries(node)) {
      places.push([node as Record<string, unknown>, key]);
      walk(child);
    }
  };
  const copy = structuredClone(document);
  walk(copy);
  if (places.length === 0) return value;
  const [node, key] = places[at % places.length]!;
  const old = node[key];
  if (how === 0) node[key] = value;
  else delete node[key];
  if (how === 1) node[key] = old;
  if (how === 2) Object.defineProperty(node, 'more', { value, enumerable: true });
  return copy;
}

/** What the schema says, with keys in their order; null where it refuses. */
function judged(schema: z.ZodType, json: string): string | null {
  const result = schema.safeParse(JSON.parse(json));
  return result.success ? JSON.stringify(result.data) : null;
}

test.each(documents)('what is judged quickly is judged as by the schema (%#)', (schema, document) => {
  let sure = 0;
  const quick = quickOf(schema);
  const change = fc.option(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 3 }), strange));
  fc.assert(
    fc.property(document, change, (value, spoiling) => {
      const json = JSON.stringify(spoiling ? spoilt(value, ...spoiling) : value);
      const given = quick(JSON.parse(json));
      if (given === unsure) return;
      sure += 1;
      expect(JSON.stringify(given)).toBe(judged(schema, json));
    }),
    { numRuns: 400 },
  );
  expect(sure).toBeGreaterThan(40);
});

test.each(documents)('whatever gitstate writes is judged quickly (%#)', (schema, document) => {
  const quick = quickOf(schema);
  fc.assert(
    fc.property(document, (value) => {
      const result = schema.safeParse(JSON.parse(JSON.stringify(value)));
      if (!result.success) return;
      const given = quick(JSON.parse(JSON.stringify(result.data)));
      expect(given).not.toBe(unsure);
      expect(JSON.stringify(given)).toBe(JSON.stringify(result.data));
    }),
    { numRuns: 300 },
  );
});

test('steps that wait are kept once, and none for another', () => {
  const quick = quickOf(Feature);
  const [one, two, three] = [waiting, waiting, { ...waiting, failures: 1 }].map((waits) => {
    const document = { ...fc.sample(feature, { seed: 1, numRuns: 1 })[0]!, id: 'a', name: 'n', claim: null };
    const steps = [{ ...waits, name: 'shared' }];
    const plain = { priority: null, phase: 1, worker_id: null, dependencies: [], ended_claim: null };
    const none = { error: null, summary: null, branch: null, worktree: null, quality_scores: {}, data: {} };
    const text = JSON.stringify({ ...document, ...plain, ...none, steps, metrics: {}, completed_by: null });
    return quick(JSON.parse(text)) as Feature;
  });
  expect(one!.steps[0]).toEqual({ ...waiting, name: 'shared' });
  expect(two!.steps[0]).toBe(one!.steps[0]);
  expect(three!.steps[0]).toEqual({ ...waiting, name: 'shared', failures: 1 });
});

test('a newer store is not taken for one that is known', () => {
  const text = JSON.stringify({ schema: 2, store: 'a'.repeat(8), created_at: '2026-03-01T00:00:00Z' });
  expect(() => parseFile({ kind: 'store' }, 'gitstate.json', text)).toThrow(/has schema 2/);
});

const outcome = (run: () => unknown): string => {
  try {
    return JSON.stringify(run());
  } catch (error) {
    return (error as Error).name;
  }
};

test('a feature whose steps are cut out is what JSON.parse gives, however its text was changed', () => {
  const pieces = fc.constantFrom(
    '\n  "steps": [\n  ],\n',
    '\n  "steps": [\n    1\n  ],\n',
    '"steps": 0,',
    '"st\\u0065ps": 0,',
    '"a": {\n  "steps": [\n    2\n  ],\n "b": 0},',
    '{',
    '"',
    ' ',
    '0',
  );
  const change = fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), pieces, fc.nat({ max: 2 }));
  let cuts = 0;
  fc.assert(
    fc.property(feature, fc.array(change, { maxLength: 2 }), (document, changes) => {
      let text = canonicalJson(document);
      for (const [share, piece, gone] of changes) {
        // Mostly where a line begins, so that what comes out is JSON more often.
        const line = text.indexOf('\n  "', Math.floor(share * text.length));
        const at = line < 0 || gone === 1 ? Math.floor(share * text.length) : line;
        text = text.slice(0, at) + piece + text.slice(at + gone);
      }
      const expected = outcome(() => JSON.parse(text));
      if (expected !== 'SyntaxError') cuts += 1;
      expect(outcome(() => parseFeature(text))).toBe(expected);
    }),
    { numRuns: 1500 },
  );
  expect(cuts).toBeGreaterThan(400);
});
