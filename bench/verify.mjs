import { openStore } from '../dist/index.js';
import { interleave } from './interleave.mjs';
import { featureId, makeRepository, openFilledStore } from './repository.mjs';
import { ratio, summary } from './stats.mjs';

const features = 1000;
const together = 256;

/** Verifying replays every operation and reads every object of the history. What to compare it with are Git's own ways
 *  through the same objects: to list them, and to check each by itself. */
export async function verification({ directory, short }) {
  const operations = short ? 1000 : 20_000;
  const repository = makeRepository(directory, 'verify', { durable: false });
  const store = await openFilledStore(repository.path, { features });
  const commits = () => Number(repository.git(['rev-list', '--count', 'gitstate']));
  for (let made = commits(); made < operations; made += together) {
    const size = Math.min(together, operations - made);
    await Promise.all(Array.from({ length: size }, (_, index) => act(store, made + index)));
  }
  const count = commits();
  await store.close();
  const variants = [
    {
      name: 'git rev-list --objects',
      run: () => repository.git(['rev-list', '--objects', '--count', 'gitstate']),
    },
    { name: 'git fsck', run: () => repository.git(['fsck', '--full', '--strict', '--no-dangling']) },
    { name: 'verify --full', run: () => verified(repository, { full: true }, count), base: 'git fsck' },
    { name: 'verify, nothing new', run: () => verified(repository, {}, 0), base: 'git fsck' },
  ];
  await verified(repository, { full: true }, count);
  const results = await interleave(variants, { rounds: short ? 3 : 5, warmups: 1 });
  const rows = variants.map(({ name, base }) => {
    const figures = summary([...results[name].values()]);
    return {
      variant: name,
      ...figures,
      ...(name === 'verify --full' ? { per_10000_ms: (figures.median_ms / count) * 10_000 } : {}),
      ...(base ? { to_git: ratio(results[name], results[base]) } : {}),
    };
  });
  return [{ title: `verify, ${count} operations on ${features} features`, rows }];
}

function act(store, number) {
  const feature = featureId(number % features);
  switch (number % 4) {
    case 0:
      return store.update({ feature, data: { n: number } });
    case 1:
      return store.costAdd({ feature, amount: 0.01, operation: 'call' });
    case 2:
      return store.quality({ feature, scores: { tests: number % 100 } });
    default:
      return store.note({ message: `note ${number}` });
  }
}

async function verified({ path }, options, expected) {
  const store = await openStore({ cwd: path });
  try {
    const { ok, commits, problems } = await store.verify(options);
    if (ok && commits === expected) return;
    throw new Error(`${commits} commits verified, ${JSON.stringify(problems.slice(0, 1))}`);
  } finally {
    await store.close();
  }
}
