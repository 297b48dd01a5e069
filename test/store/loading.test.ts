import { expect, test } from 'vitest';
import { MethodLoader } from '../../src/store/loading.ts';

/** Methods of a group that is there after `turns` turns of the event loop. */
function groupAfter(turns: number, began: string[]) {
  const loads: number[] = [];
  const load = async () => {
    loads.push(turns);
    for (let count = 0; count < turns; count += 1) await new Promise(setImmediate);
    const method = (kind: string) => async (name: string) => {
      began.push(`${kind} ${name}`);
      return name;
    };
    async function* count(name: string): AsyncGenerator<string> {
      began.push(`count ${name}`);
      yield `${name} 1`;
      yield `${name} 2`;
    }
    return { add: method('add'), drop: method('drop'), count };
  };
  return { load, loads };
}

test('a group is loaded by its first call, once', async () => {
  const { load, loads } = groupAfter(1, []);
  const { add, drop } = new MethodLoader().methods(load, ['add', 'drop']);
  expect(loads).toEqual([]);
  expect(await Promise.all([add('a'), drop('b')])).toEqual(['a', 'b']);
  expect(await add('c')).toBe('c');
  expect(loads).toHaveLength(1);
});

test('calls begin in the order in which they are made, however long their code takes to come', async () => {
  const began: string[] = [];
  const loader = new MethodLoader();
  const slow = loader.methods(groupAfter(9, began).load, ['add']);
  const quick = loader.methods(groupAfter(0, began).load, ['drop']);
  const { count } = loader.sequences(groupAfter(3, began).load, ['count']);
  const values = async (name: string) => {
    const all: string[] = [];
    for await (const value of count(name)) all.push(value);
    return all;
  };
  const answers = await Promise.all([
    slow.add('a'),
    quick.drop('b'),
    values('c'),
    quick.drop('d'),
    slow.add('e'),
  ]);
  expect(answers).toEqual(['a', 'b', ['c 1', 'c 2'], 'd', 'e']);
  expect(began.filter((name) => !name.startsWith('count'))).toEqual(['add a', 'drop b', 'drop d', 'add e']);
});

test('calls of one turn begin in one turn, before and after their code is there', async () => {
  const began: string[] = [];
  const { add } = new MethodLoader().methods(groupAfter(1, began).load, ['add']);
  const turns: number[] = [];
  for (let round = 0; round < 2; round += 1) {
    const names = Array.from({ length: 20 }, (_, index) => `${round} ${index}`);
    // What the first call has begun sees at its next step all that the others have begun.
    const first = add(names[0]!).then(() => turns.push(began.length));
    await Promise.all([first, ...names.slice(1).map((name) => add(name))]);
  }
  expect(turns).toEqual([20, 40]);
});

test('code that cannot be loaded fails its own calls alone', async () => {
  const loader = new MethodLoader();
  const broken = loader.methods(async (): Promise<{ add(): Promise<void> }> => {
    throw new Error('no such file');
  }, ['add']);
  const { add } = loader.methods(groupAfter(0, []).load, ['add']);
  const [first, second] = await Promise.allSettled([broken.add(), add('a')]);
  expect(first).toMatchObject({ status: 'rejected', reason: { message: 'no such file' } });
  expect(second).toEqual({ status: 'fulfilled', value: 'a' });
});
