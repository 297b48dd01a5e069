import { describe, expect, test } from 'vitest';
import { stopsOn } from '../../src/core/budgets.ts';
import type { CostEntry } from '../../src/core/entities.ts';
import { putContents } from '../../src/core/state.ts';
import { Table } from '../../src/core/table.ts';
import { costsView, featureView } from '../../src/core/views.ts';
import { at, Scene } from '../support/scene.ts';

/** Entries of a sheet. */
const size = 200;

/** A session with that many entries, all of one feature or spread over all; `reads` counts how often one is looked at. */
function spentOften(entries: number, spread: boolean) {
  const ids = Array.from({ length: 50 }, (_, index) => `f${index}`);
  const scene = Scene.started({ steps: ['plan'], budgets: { steps: { plan: 9e9 }, feature: 9e9, day: 9e9 } });
  scene.do('plan.load', { features: ids.map((id) => ({ id })) });
  const counter = { reads: 0 };
  const plain = {
    at: at(0),
    amount: 1,
    tokens: null,
    step: 'plan',
    operation: 'call',
    worker: null,
    key: null,
  };
  const entry = new Proxy(plain as unknown as CostEntry, {
    get(target, key) {
      if (key === 'amount') counter.reads += 1;
      return Reflect.get(target, key);
    },
  });
  const sheets = Array.from({ length: entries / size }, (_, index) => {
    const [feature, part] = spread ? [ids[index % 50]!, Math.floor(index / 50) + 1] : ['f0', index + 1];
    const name = `2026-03-01/${feature}${part === 1 ? '' : `~${part}`}`;
    return [name, { entries: Array.from({ length: size }, () => entry) }] as const;
  });
  scene.state = putContents(scene.state, 's', { costs: Table.of(sheets) });
  return { scene, counter };
}

describe.each([
  ['spread over features', true],
  ['all of one feature', false],
])('with many entries, %s', (_, spread) => {
  /** How often entries are looked at by one more cost, by who asks what was spent, and by who asks for work. */
  function readsWith(entries: number): number {
    const { scene, counter } = spentOften(entries, spread);
    const spent = { feature: 'f0', amount: 1, tokens: null, step: 'plan', operation: 'call' };
    const spendAndLook = () => {
      scene.state = scene.apply(scene.operation('cost.add', spent));
      const [session, contents] = [scene.session(), scene.contents()];
      const total = costsView(session, contents, at(0)).total;
      costsView(session, contents, at(0), scene.feature('f0'));
      featureView(contents, scene.feature('f0'), stopsOn(session, contents, at(0)));
      return total;
    };
    // The first time all of them are counted.
    expect(spendAndLook()).toBe(entries + 1);
    counter.reads = 0;
    expect(spendAndLook()).toBe(entries + 2);
    return counter.reads;
  }

  test('the next entry costs what the first ones did', () => {
    const few = readsWith(10_000);
    expect(few).toBeLessThanOrEqual(2 * size);
    expect(readsWith(100_000)).toBe(few);
  });
});
