import { FastImport } from './fast-import.mjs';
import { interleave } from './interleave.mjs';
import { featureId, makeRepository, openFilledStore } from './repository.mjs';
import { median, ratio, summary } from './stats.mjs';

const features = 1000;

/** Operations submitted together share packs and compare-and-swaps; each is still a commit of its own. Beside them,
 *  `git fast-import` makes the same commits. Both are durable. */
export async function batches({ directory, short }) {
  const rounds = short ? 5 : 25;
  const sizes = short ? [8, 32, 128] : [8, 32, 128, 512];
  const repository = makeRepository(directory, 'batch', { durable: true });
  const store = await openFilledStore(repository.path, { features });
  let count = 0;
  const update = () => {
    count += 1;
    return store.update({ feature: featureId(count % features), data: { n: 100_000 + count } });
  };
  const note = () => store.note({ message: `note ${++count}` });
  const together = (act, size) => () => Promise.all(Array.from({ length: size }, act));
  const before = await commitsOf(repository, store);
  // The first one after a big plan drops the plan's payload; the others change a file each.
  await update();
  await together(update, sizes.at(-1))();
  const imports = sizes.map((size) => ({ size, import: new FastImport(repository.path, { size }) }));
  const made = imports.map((each) => each.import.commits);
  const variants = [
    { name: 'one update', run: update, size: 1 },
    ...sizes.map((size) => ({ name: `${size} updates together`, run: together(update, size), size })),
    ...imports.map(({ size, import: peer }) => ({
      name: fastImport(size),
      before: () => peer.prepare(),
      run: () => peer.run(),
      size,
    })),
    { name: 'one note', run: note, size: 1 },
    { name: '32 notes together', run: together(note, 32), size: 32 },
  ];
  try {
    const results = await interleave(variants, { rounds, warmups: 2 });
    const landed = (await commitsOf(repository, store)) - before;
    if (landed !== count) throw new Error(`${count} operations made ${landed} commits`);
    for (const [index, { size, import: peer }] of imports.entries()) {
      const wanted = made[index] + (rounds + 2) * size;
      if (peer.commits !== wanted) throw new Error(`fast-import made ${peer.commits} commits, not ${wanted}`);
    }
    const note =
      'beside them `git fast-import`, a process that runs already, with a checkpoint for each batch';
    return [{ title: 'batch, durable, per operation', rows: rowsOf(variants, results), note }];
  } finally {
    for (const { import: peer } of imports) peer.close();
    await store.close();
  }
}

async function commitsOf(repository, store) {
  return Number(repository.git(['rev-list', '--count', await store.tip()]));
}

function rowsOf(variants, results) {
  const each = Object.fromEntries(
    variants.map(({ name, size }) => [
      name,
      new Map([...results[name]].map(([round, ms]) => [round, ms / size])),
    ]),
  );
  return variants.map(({ name, size }) => {
    const figures = summary([...each[name].values()]);
    return {
      variant: name,
      ...figures,
      operations_per_s: 1000 / figures.median_ms,
      ...(size > 1 ? { all_ms: median([...results[name].values()]), ...comparedTo(each, name, size) } : {}),
    };
  });
}

function comparedTo(each, name, size) {
  const toOne = ratio(each[name], each[name.includes('note') ? 'one note' : 'one update']);
  if (!name.includes('updates')) return { to_one: toOne };
  const target =
    size === 32
      ? { target: { key: 'to_one', most: 0.12 } }
      : size >= 128
        ? { target: { key: 'fast_import_to_it', least: 1.5 } }
        : {};
  return { to_one: toOne, fast_import_to_it: ratio(each[fastImport(size)], each[name]), ...target };
}

function fastImport(size) {
  return `git fast-import, ${size}`;
}
