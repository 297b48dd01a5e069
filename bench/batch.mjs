import { interleave } from './interleave.mjs';
import { featureId, makeRepository, openFilledStore } from './repository.mjs';
import { median, ratio, summary } from './stats.mjs';

const size = 32;
const features = 1000;

/** Operations submitted together share one pack and one compare-and-swap; each is still a commit of its own. */
export async function batches({ directory, short }) {
  const rounds = short ? 8 : 30;
  const repository = makeRepository(directory, 'batch', { durable: true });
  const store = await openFilledStore(repository.path, { features });
  let count = 0;
  const note = () => store.note({ message: `note ${++count}` });
  const update = () => store.update({ feature: featureId(++count % features), data: { n: count } });
  const together = (act) => () => Promise.all(Array.from({ length: size }, act));
  const variants = [
    { name: 'one update', run: update },
    { name: `${size} updates together`, run: together(update), size, base: 'one update', most: 0.2 },
    { name: 'one note', run: note },
    { name: `${size} notes together`, run: together(note), size, base: 'one note' },
  ];
  try {
    const before = await commitsOf(repository, store);
    const results = await interleave(variants, { rounds, warmups: 2 });
    const made = (await commitsOf(repository, store)) - before;
    if (made !== count) throw new Error(`${count} operations made ${made} commits`);
    return [{ title: 'batch, durable, per operation', rows: rowsOf(variants, results) }];
  } finally {
    await store.close();
  }
}

async function commitsOf(repository, store) {
  return Number(repository.git(['rev-list', '--count', await store.tip()]));
}

function rowsOf(variants, results) {
  const each = Object.fromEntries(
    variants.map(({ name, size: operations = 1 }) => [
      name,
      new Map([...results[name]].map(([round, ms]) => [round, ms / operations])),
    ]),
  );
  return variants.map(({ name, size: operations, base, most }) => ({
    variant: name,
    ...summary([...each[name].values()]),
    ...(operations
      ? { all_ms: median([...results[name].values()]), to_one: ratio(each[name], each[base]) }
      : {}),
    ...(most ? { target: { key: 'to_one', most } } : {}),
  }));
}
