import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { neverStopped } from '../../src/core/budgets.ts';
import { removedCost } from '../../src/core/costs.ts';
import { diffStates } from '../../src/core/diff.ts';
import type { Feature } from '../../src/core/entities.ts';
import { type OperationType, operationTypes } from '../../src/core/operation.ts';
import { progressOf } from '../../src/core/select.ts';
import { type Contents, emptyState, type State } from '../../src/core/state.ts';
import { Table } from '../../src/core/table.ts';
import { costsView } from '../../src/core/views.ts';
import { blank, moves, play, start } from '../support/moves.ts';
import { entitiesOf, patched } from '../support/patch.ts';
import { at, claiming, filesOf, Scene, stateOf } from '../support/scene.ts';

function expectSound(contents: Contents): void {
  const { total, pending, ready, blocked, in_progress, completed, failed, archived } = progressOf(
    contents,
    neverStopped,
  );
  expect(pending + in_progress + completed + failed + archived).toBe(total);
  expect(ready + blocked).toBe(pending);
  const holders = new Set<string>();
  for (const feature of contents.features.values()) {
    const { claim, worker_id, status, completed_at } = feature;
    expect(claim === null).toBe(worker_id === null);
    if (claim) {
      expect(status).toBe('in_progress');
      expect(holders.has(worker_id!.toLowerCase())).toBe(false);
      holders.add(worker_id!.toLowerCase());
    }
    if (status !== 'archived') expect(completed_at !== null).toBe(status === 'completed');
    expectSoundSteps(feature);
  }
}

function expectSoundSteps({ status, steps: all }: Feature): void {
  const open = all.findIndex((step) => step.status !== 'completed' && step.status !== 'skipped');
  for (const [index, step] of all.entries()) {
    if (step.status === 'completed' && open >= 0) expect(index).toBeLessThan(open);
    if (step.status === 'active') expect([status, index]).toEqual(['in_progress', open]);
    if (step.status === 'failed') expect(index).toBe(open);
    expect(step.completed_at !== null).toBe(step.status === 'completed');
  }
}

/** The highest claim counter known under each id. */
function claimCounts(scene: Scene): Map<string, number> {
  const counts = new Map(Object.entries(scene.session().claim_counts));
  for (const [key, { claim_count }] of scene.contents().features.entries()) counts.set(key, claim_count);
  return counts;
}

describe('any history', () => {
  test('keeps every state sound, and every claim counter rising', () => {
    const accepted = new Set<string>();
    fc.assert(
      fc.property(moves, (tried) => {
        const scene = start();
        let counts = claimCounts(scene);
        play(scene, tried, () => {
          expectSound(scene.contents());
          expect(scene.session().removed_cost).toBe(removedCost(scene.contents()));
          expectSameSums(scene);
          const now = claimCounts(scene);
          for (const [key, count] of counts) expect(now.get(key) ?? 0).toBeGreaterThanOrEqual(count);
          counts = now;
        });
        for (const { type } of scene.history) accepted.add(type);
      }),
      { numRuns: 250 },
    );

    // Otherwise the histories are of refusals, and show nothing.
    const elsewhere = /^(checkpoint|store|preset)\.|^state\.(undo|repair)$/;
    expect(operationTypes.filter((type) => !accepted.has(type) && !elsewhere.test(type))).toEqual([]);
  });

  test('can be played again, and gives the same files to the byte', () => {
    fc.assert(
      fc.property(moves, (tried) => {
        const [one, other] = [start(), start()];
        play(one, tried);
        play(other, tried);
        const files = filesOf(one.state);
        expect(filesOf(other.state)).toEqual(files);
        expect(filesOf(stateOf(files))).toEqual(files);
      }),
      { numRuns: 80 },
    );
  });

  test('is told by its changed files alone', () => {
    fc.assert(
      fc.property(moves, (tried) => {
        const scene = start();
        const files = filesOf(scene.state);
        play(scene, tried, (_, before) => {
          for (const [path, text] of filesOf(scene.state, before)) {
            if (text === '(gone)') files.delete(path);
            else files.set(path, text);
          }
        });
        expect(new Map([...files].sort())).toEqual(new Map([...filesOf(scene.state)].sort()));
      }),
      { numRuns: 80 },
    );
  });

  test('leaves the states before it as they were', () => {
    fc.assert(
      fc.property(moves, (tried) => {
        const scene = start();
        const seen: [State, Map<string, string>][] = [];
        play(scene, tried, () => seen.push([scene.state, filesOf(scene.state)]));
        for (const [state, files] of seen) expect(filesOf(state)).toEqual(files);
      }),
      { numRuns: 40 },
    );
  });

  test('differs from an earlier point by what diff says, no more and no less', () => {
    fc.assert(
      fc.property(moves, moves, (first, second) => {
        const scene = start();
        play(scene, first);
        const before = scene.state;
        play(scene, second);
        expect(patched(entitiesOf(before), diffStates(before, scene.state))).toEqual(entitiesOf(scene.state));
        expect(patched(entitiesOf(scene.state), diffStates(scene.state, before))).toEqual(entitiesOf(before));
      }),
      { numRuns: 80 },
    );
  });

  test('does not let a stale token write', () => {
    fc.assert(
      fc.property(moves, (tried) => {
        const scene = start();
        play(scene, tried);
        for (const { id } of scene.contents().features.values()) {
          const stale = { feature: id, claim: '9'.repeat(64) };
          for (const type of ['feature.release', 'feature.complete', 'feature.archive'] as const) {
            expect(scene.refusal(type, stale).code).toBe('STALE_TOKEN');
          }
        }
      }),
      { numRuns: 60 },
    );
  });
});

describe('operations that have nothing to do with each other', () => {
  const independent: [OperationType, object][] = [
    ['feature.claim', claiming('f1', 'W1', 1)],
    ['feature.claim', claiming('f2', 'W2', 2)],
    ['feature.update', { feature: 'f3', set: { name: 'third', data: { k: 1 } } }],
    ['feature.add', { feature: 'f4', dependencies: ['f1'] }],
    ['feature.archive', { feature: 'f5' }],
    ['step.done', { feature: 'f6', step: 'plan' }],
    ['step.skip', { feature: 'f7', step: 'plan' }],
    ['feature.remove', { feature: 'f8' }],
    ['session.start', { ...Scene.started().history[1]!.args }],
  ];

  test('give equal files in any order', () => {
    const ids = ['f1', 'f2', 'f3', 'f5', 'f6', 'f7', 'f8'];
    const ready = blank().do('plan.load', { features: ids.map((id) => ({ id })) });
    const order = fc.shuffledSubarray([...independent.keys()], { minLength: independent.length });
    const expected = run([...independent.keys()]);
    fc.assert(
      fc.property(order, (indexes) => {
        expect(run(indexes)).toEqual(expected);
      }),
      { numRuns: 80 },
    );

    function run(indexes: number[]): Map<string, string> {
      const scene = ready.fork();
      for (const index of indexes) {
        const [type, args] = independent[index]!;
        scene.minute = 99;
        scene.do(type, args, type === 'session.start' ? 'other' : 's');
      }
      return filesOf(scene.state);
    }
  });
});

describe('the cost of a change', () => {
  /** How often all features are gone through. */
  function passesOf(type: OperationType, args: object): number {
    const many = Array.from({ length: 400 }, (_, index) => ({ id: `f${index}` }));
    const scene = blank().do('plan.load', { features: many }).do('feature.claim', claiming('f7', 'W'));
    const entries = vi.spyOn(Table.prototype, 'entries');
    try {
      scene.apply(scene.operation(type, args));
      return entries.mock.contexts.filter((table) => (table as Table<unknown>).size >= 400).length;
    } finally {
      entries.mockRestore();
    }
  }

  /** Freezing the scene's state goes through it once as well. */
  const own = passesOf('note.add', { message: 'm', level: 'info' });

  test.each<[OperationType, object]>([
    ['step.done', { feature: 'f7', step: 'plan', worker: 'W' }],
    ['step.fail', { feature: 'f7', step: 'plan', error: null, worker: 'W' }],
    ['feature.complete', { feature: 'f7', worker: 'W', skip_remaining: true }],
    ['feature.fail', { feature: 'f7', error: 'e', worker: 'W' }],
    ['feature.release', { feature: 'f7', worker: 'W' }],
    ['feature.add', { feature: 'new', dependencies: ['f7'] }],
  ])('%s goes through no list of features', (type, args) => {
    expect(passesOf(type, args) - own).toBe(0);
  });

  test('a claim goes through it once, to see whether its worker is free', () => {
    expect(passesOf('feature.claim', claiming('f8', 'V', 2)) - own).toBe(1);
  });
});

/** Sums that follow entry by entry are those that a new count gives. */
function expectSameSums(scene: Scene): void {
  const contents = scene.contents();
  const counted = { ...contents, costs: Table.of(contents.costs.entries()) };
  const views = [contents, counted].map((one) => [
    costsView(scene.session(), one, at(scene.minute)),
    ...[...one.features.values()].map((feature) =>
      costsView(scene.session(), one, at(scene.minute), feature),
    ),
  ]);
  expect(views[0]).toEqual(views[1]);
}

test('an empty state is left alone as well', () => {
  const before = filesOf(emptyState);
  Scene.started();
  expect(filesOf(emptyState)).toEqual(before);
});
