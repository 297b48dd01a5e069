import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { budgetOf, neverStopped, stopsOn } from '../../src/core/budgets.ts';
import { type Feature, featureStatuses, type Session, stepStatuses } from '../../src/core/entities.ts';
import { metricsOf } from '../../src/core/metrics.ts';
import {
  blockedFeatures,
  claimedFeatures,
  firstReady,
  progressOf,
  workersOf,
} from '../../src/core/select.ts';
import { type Contents, emptyContents, featuresInOrder, type State } from '../../src/core/state.ts';
import { Table } from '../../src/core/table.ts';
import type { Instant } from '../../src/core/time.ts';
import { limitsOf } from '../../src/core/views.ts';
import { decodeSnapshot, encodeSnapshot } from '../../src/store/cache-file.ts';
import { instant } from '../support/arbitraries.ts';
import { Scene } from '../support/scene.ts';

const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { freq: 1 });
const worker = fc.constantFrom('V', 'w', 'W');
const feature = fc.record({
  status: fc.constantFrom(...featureStatuses),
  priority: maybe(fc.constantFrom('P0', 'P1')),
  phase: maybe(fc.nat({ max: 2 })),
  dependencies: fc.array(
    fc.nat({ max: 199 }).map((n) => `F${n}`),
    { maxLength: 2 },
  ),
  steps: fc.array(
    fc.record({
      name: fc.constantFrom('plan', 'code', 'extra'),
      status: fc.constantFrom(...stepStatuses),
      started_at: maybe(instant),
      completed_at: maybe(instant),
      failures: fc.nat({ max: 2 }),
    }),
    { maxLength: 2 },
  ),
  worker_id: maybe(worker),
  started_at: maybe(instant),
  completed_at: maybe(instant),
  completed_by: maybe(worker),
  failed_by: maybe(worker),
  quality_scores: fc.dictionary(fc.constantFrom('a', 'b'), fc.nat({ max: 9 }), { maxKeys: 2 }),
  scored_at: maybe(instant),
});
const numbered = fc.tuple(fc.nat({ max: 199 }), fc.option(feature, { freq: 9 }));

type Numbered = readonly [number, unknown];
const rowOf = ([number, fields]: Numbered) => {
  const id = `F${number}`;
  const claim = (fields as { worker_id?: string } | null)?.worker_id ? { expires_at: 'x' } : null;
  return [id.toLowerCase(), fields ? ({ ...fields, id, claim } as unknown as Feature) : undefined] as const;
};

const limit = fc.constantFrom(null, null, 0, 3, 20);
const today = '2026-03-01T12:00:00Z' as Instant;
const sheetOf = ([number, amount]: readonly [number, number]) => {
  const none = { tokens: null, operation: 'x', worker: null, key: null };
  return [
    `2026-03-01/f${number}`,
    { entries: [{ ...none, at: today, amount, step: 'plan' }] } as never,
  ] as const;
};

/** What the limits say of one feature after the other. */
function warningsIn(contents: Contents, budgets: Session['budgets']) {
  const session = { ...base.session(), budgets };
  const all = featuresInOrder(contents).flatMap((one) => budgetOf(session, contents, one, today).warnings);
  const ofDay = all.filter(({ scope }) => scope === 'day').slice(0, 1);
  return [...all.filter(({ scope }) => scope !== 'day'), ...ofDay];
}

const base = Scene.started({ steps: ['code', 'plan'] });
const tree = { oid: 'a'.repeat(40), entries: new Map() };
const workers = Table.of(['V', 'W'].map((id) => [id.toLowerCase(), { id } as never] as const));

function stateWith(features: Contents['features']): State {
  return { ...base.state, contents: Table.of([['s', { ...emptyContents, workers, features }]]) };
}

/** As the next process finds it. */
function kept(state: State): Contents {
  const bytes = encodeSnapshot({ commit: 'b'.repeat(40), at: 0, tree, state });
  return decodeSnapshot(bytes).state.contents.get('s')!;
}

function overview(contents: Contents, budgets: Session['budgets']) {
  const session = { ...base.session(), budgets };
  const isStopped = stopsOn(session, contents, today);
  return {
    progress: progressOf(contents, isStopped),
    // The same, with a look at each feature.
    looked: progressOf(contents, isStopped, () => true),
    limits: limitsOf(session, contents, today),
    workers: workersOf(contents).map(({ completed, failed }) => [completed, failed]),
    blocked: blockedFeatures(contents),
    metrics: metricsOf(session, contents),
    claimed: claimedFeatures(contents).map(({ id }) => id),
    first: firstReady(contents, neverStopped)?.id,
  };
}

describe('an overview', () => {
  test('is the same from the cache and what changed since as from every feature', () => {
    fc.assert(
      fc.property(
        fc.array(numbered, { maxLength: 150 }),
        fc.array(fc.array(numbered, { minLength: 1, maxLength: 4 }), { maxLength: 4 }),
        fc.array(fc.tuple(fc.nat({ max: 199 }), fc.integer({ min: -1, max: 9 })), { maxLength: 9 }),
        fc.record({ steps: fc.constantFrom({}, { plan: 5 }, { plan: 0 }), feature: limit, day: limit }),
        (start, rounds, spent, budgets) => {
          const costs = Table.of(spent.map(sheetOf));
          const all = new Map(start.map(rowOf).filter(([, value]) => value)) as Map<string, Feature>;
          let features = kept(stateWith(Table.of(all))).features;
          for (const edits of [[], ...rounds]) {
            for (const [key, value] of edits.map(rowOf)) {
              if (value) all.set(key, value);
              else all.delete(key);
              features = value ? features.with(key, value) : features.without(key);
            }
            const plain = Table.of([...all].sort(([a], [b]) => (a < b ? -1 : 1)));
            const seen = overview({ ...emptyContents, workers, costs, features }, budgets);
            const looked = { ...emptyContents, workers, costs, features: plain };
            expect(seen).toEqual(overview(looked, budgets));
            expect(seen.limits.warnings).toEqual(warningsIn(looked, budgets));
            expect(seen.progress).toEqual(seen.looked);
            expect(Object.keys(seen.metrics.by_step).slice(0, 2)).toEqual(['code', 'plan']);
          }
        },
      ),
      { numRuns: 150 },
    );
  });

  test('decodes no feature that is not blocked, claimed, scored or next', () => {
    const [waiting] = fc.sample(feature, { seed: 3, numRuns: 1 });
    const plain = { ...waiting!, status: 'pending', dependencies: [], worker_id: null, scored_at: null };
    const rows = Array.from({ length: 3000 }, (_, n) => rowOf([1000 + n, plain])) as [string, Feature][];
    const [last] = rows.splice(2999, 1) as [[string, Feature]];
    rows.push([last[0], { ...last[1], dependencies: ['none' as never] }]);
    const bytes = encodeSnapshot({ commit: 'b'.repeat(40), at: 0, tree, state: stateWith(Table.of(rows)) });
    const start = bytes.indexOf(0x0a) + 1;
    const { contents } = JSON.parse(bytes.toString('utf8', 0, start)) as {
      contents: [string, { features: { spans: [number, number][] } }][];
    };
    const { spans } = contents[0]![1].features;
    expect(spans).toHaveLength(47);
    // Whoever decodes one of the others finds no JSON.
    for (const [at, length] of spans.slice(0, -1)) bytes.fill(0x78, start + at, start + at + length);
    const found = decodeSnapshot(bytes).state.contents.get('s')!;
    expect(progressOf(found, neverStopped)).toMatchObject({ total: 3000, ready: 2999, blocked: 1 });
    expect(blockedFeatures(found)).toHaveLength(1);
    expect(workersOf(found)).toHaveLength(2);
    expect(metricsOf(base.session(), found)).toMatchObject({ total_tasks: 3000, completed: 0 });
    expect(() => [...found.features.values()]).toThrow(SyntaxError);
  });
});
