import { execFileSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { interleave } from './interleave.mjs';
import { featureId, makeRepository, openFilledStore, runChild, session } from './repository.mjs';
import { ratio, summary } from './stats.mjs';

const command = fileURLToPath(new URL('../dist/git-state.cjs', import.meta.url));
const features = 1000;
const together = 256;

/** A store that has run for a year beside one that begins: what a mutation costs, what a process from a shell waits for,
 *  how much disk an operation takes, and what a fresh clone fetches before and after a seal. */
export async function longLife({ directory, short, only }) {
  const many = short ? 4000 : only ? 100_000 : 20_000;
  const young = await lived(directory, 'young', 500);
  const old = await lived(directory, 'old', many);
  // The disk is not to be busy with what was written just now.
  execFileSync('sync');
  const warm = await mutations(young, old, short ? 60 : 240);
  const disk = [await sizes(young), await sizes(old)];
  const asked = await questions(young, old, short ? 3 : 7);
  const sealed = await sealing(directory, old);
  for (const { store } of [young, old]) await store.close();
  return [
    { title: `warm mutation after ${many} operations, beside one after 500`, rows: warm },
    {
      title: 'disk after maintenance, all operations of the history',
      rows: disk,
      note: 'beside a clone repacked with --depth=250 --window=250, which is as small as Git makes it',
    },
    { title: `from a shell, after ${many} operations`, rows: asked },
    { title: `seal after ${many} operations`, rows: sealed },
  ];
}

/** A store with a history of so many operations, maintained as the background would. */
async function lived(directory, name, operations) {
  const { path, git } = makeRepository(directory, `life-${name}`, { durable: false });
  const store = await openFilledStore(path, { features });
  for (let made = 0; made < operations; made += together) {
    const size = Math.min(together, operations - made);
    await Promise.all(Array.from({ length: size }, (_, index) => act(store, made + index)));
    if (made % (50 * together) === 0) await store.doctor({ maintain: true });
  }
  await store.doctor({ maintain: true });
  return { name, path, git, store, operations };
}

function act(store, number) {
  const feature = featureId(number % features);
  if (number % 4 === 0) return store.note({ message: `note ${number}` });
  return store.update({ feature, data: { n: number } });
}

async function mutations(young, old, rounds) {
  let count = 0;
  const variants = [young, old].map(({ name, store }) => ({
    name,
    run: () => {
      count += 1;
      return store.update({ feature: featureId(count % features), data: { later: count } });
    },
  }));
  const results = await interleave(variants, { rounds, warmups: 20 });
  return variants.map(({ name }) => ({
    variant: name,
    ...summary([...results[name].values()]),
    ...(name === 'old'
      ? { to_short: ratio(results.old, results.young), target: { key: 'to_short', most: 1.2 } }
      : {}),
  }));
}

async function sizes({ name, path, git, store }) {
  await store.doctor({ maintain: true });
  const operations = Number(git(['rev-list', '--count', 'gitstate']));
  const floor = `${path}-floor`;
  execFileSync('git', [
    'clone',
    '-q',
    '--bare',
    '--single-branch',
    '--branch=gitstate',
    `file://${path}`,
    floor,
  ]);
  execFileSync('git', ['repack', '-adfq', '--depth=250', '--window=250'], { cwd: floor });
  const own = bytesIn(join(path, '.git/objects')) / operations;
  const least = bytesIn(join(floor, 'objects')) / operations;
  return { variant: name, operations, bytes_per_operation: own, least_bytes: least, to_least: own / least };
}

function bytesIn(directory) {
  return readdirSync(directory, { recursive: true })
    .map((name) => statSync(join(directory, name)))
    .reduce((sum, stat) => sum + (stat.isFile() ? stat.size : 0), 0);
}

async function questions(young, old, rounds) {
  const asked = {
    'log -n 20': ['log', '-n', '20', '--json'],
    'log --feature': ['log', '--feature', featureId(7), '--json'],
    blame: ['blame', featureId(7), '--json'],
    'diff gitstate~50': ['diff', 'gitstate~50', '--json'],
    status: ['status', '--json'],
  };
  const variants = Object.entries(asked).flatMap(([name, args]) =>
    [young, old].map(({ name: age, path }) => ({
      name: `${name}, ${age}`,
      run: () => runChild(process.execPath, [command, ...args, '--session', session], { cwd: path }),
    })),
  );
  const results = await interleave(variants, { rounds, warmups: 1 });
  return Object.keys(asked).flatMap((name) => {
    const [base, other] = [results[`${name}, young`], results[`${name}, old`]];
    return [
      { variant: `${name}, young`, ...summary([...base.values()]) },
      { variant: `${name}, old`, ...summary([...other.values()]), to_short: ratio(other, base) },
    ];
  });
}

/** What a fresh clone of everything fetches, before and after, and how long it takes. */
async function sealing(directory, { path, store }) {
  const clone = (name) => {
    const to = join(directory, `fresh-${name}`);
    const startMs = performance.now();
    execFileSync('git', ['clone', '-q', '--no-checkout', `file://${path}`, to]);
    return { ms: performance.now() - startMs, bytes: bytesIn(join(to, '.git/objects')) };
  };
  const before = clone('before');
  const startMs = performance.now();
  await store.seal();
  const sealMs = performance.now() - startMs;
  const after = clone('after');
  const row = (variant, { ms, bytes }) => ({ variant, samples: 1, median_ms: ms, bytes });
  return [
    row('git clone before', before),
    { variant: 'seal', samples: 1, median_ms: sealMs },
    row('git clone after', after),
  ];
}
