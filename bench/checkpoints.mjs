import { fileURLToPath } from 'node:url';
import { interleave } from './interleave.mjs';
import { featureId, makeRepository, openFilledStore, runChild, session, steps } from './repository.mjs';
import { ratio, summary } from './stats.mjs';

const command = fileURLToPath(new URL('../dist/git-state.cjs', import.meta.url));
const together = 200;

/** The same commands beside ten checkpoints and beside thousands, tagged and automatic ones. */
export async function checkpoints({ directory, short }) {
  const rounds = short ? 2 : 12;
  const sizes = short
    ? [
        { tagged: 5, automatic: 5 },
        { tagged: 200, automatic: 100 },
      ]
    : [
        { tagged: 5, automatic: 5 },
        { tagged: 5000, automatic: 2000 },
      ];
  const stores = [];
  for (const size of sizes) stores.push(await madeStore(directory, size));
  const asked = {
    'checkpoint list': ['checkpoint', 'list', '--json'],
    'checkpoint show, tagged': ['checkpoint', 'show', 'c3', '--json'],
    'checkpoint show, automatic': ['checkpoint', 'show', `${featureId(0)}.${steps[2]}_complete`, '--json'],
    'checkpoint create': 'create',
    claim: 'claim',
    'log -n 20': ['log', '-n', '20', '--json'],
    "git tag --list 'v*'": 'tags',
  };
  const bounded = new Set([
    'checkpoint show, tagged',
    'checkpoint show, automatic',
    'checkpoint create',
    'claim',
    'log -n 20',
  ]);
  const variants = Object.entries(asked).flatMap(([name, args]) =>
    stores.map((store) => ({ name: `${name}, ${store.count}`, run: () => store.run(args) })),
  );
  const results = await interleave(variants, { rounds, warmups: 1 });
  const [few, many] = stores.map(({ count }) => count);
  const rows = Object.keys(asked).flatMap((name) => {
    const [base, other] = [few, many].map((count) => results[`${name}, ${count}`]);
    return [
      { variant: `${name}, ${few}`, ...summary([...base.values()]) },
      {
        variant: `${name}, ${many}`,
        ...summary([...other.values()]),
        to_short: ratio(other, base),
        ...(bounded.has(name) ? { target: { key: 'to_short', most: 1.6 } } : {}),
      },
    ];
  });
  const { tagged, automatic } = sizes[1];
  return [
    {
      title: `from a shell, 10 checkpoints and ${many}`,
      rows,
      note: `${tagged} tags, ${automatic} automatic ones`,
    },
  ];
}

async function madeStore(directory, { tagged, automatic }) {
  const count = tagged + automatic;
  const { path, git } = makeRepository(directory, `checkpoints-${count}`, { durable: false });
  const store = await openFilledStore(path, { features: 1000 });
  await store.sessionUpdate({ session, autoCheckpoints: true });
  const done = Array.from(
    { length: automatic },
    (_, index) => () => store.stepDone({ feature: featureId(Math.floor(index / 5)), step: steps[index % 5] }),
  );
  const named = Array.from(
    { length: tagged },
    (_, index) => () => store.checkpointCreate({ name: `c${index}` }),
  );
  const all = [...done, ...named];
  for (let at = 0; at < all.length; at += together)
    await Promise.all(all.slice(at, at + together).map((act) => act()));
  await store.close();
  git(['gc', '-q']);
  let made = 0;
  const run = (args) => {
    made += 1;
    if (args === 'tags') return runChild('git', ['tag', '--list', 'v*'], { cwd: path });
    const given =
      args === 'create'
        ? ['checkpoint', 'create', `new${made}`, '--json']
        : args === 'claim'
          ? ['claim', featureId(500 + made), '--worker', `W${made}`, '--json']
          : args;
    return runChild(process.execPath, [command, ...given, '--session', session], { cwd: path });
  };
  return { count, run };
}
