import { fileURLToPath } from 'node:url';
import { interleave, timed } from './interleave.mjs';
import { featureId, makeRepository, openFilledStore, runChild, session } from './repository.mjs';
import { ratio, summary } from './stats.mjs';

const command = fileURLToPath(new URL('../dist/git-state.cjs', import.meta.url));
const features = 500;
const together = 200;
/** A feature that the history hardly touches. */
const quiet = featureId(7);

/** The same commands on a short history and on long ones of the same state: what asks for the newest must not grow. */
export async function histories({ directory, short }) {
  const rounds = short ? 3 : 9;
  const sizes = short ? [200, 2000] : [1000, 20_000, 100_000];
  const stores = [];
  for (const size of sizes) stores.push(await madeHistory(directory, size));
  return [await commands(stores, rounds), await verifying(stores)];
}

async function commands(stores, rounds) {
  const asked = {
    'log -n 20': ['log', '-n', '20', '--json'],
    show: ['show', quiet, '--json'],
    status: ['status', '--json'],
    claim: null,
    'diff gitstate~50': ['diff', 'gitstate~50', '--json'],
    'undo --dry-run': ['undo', '--dry-run', '--force', '--json'],
    'log --feature -n 1': ['log', '--feature', quiet, '-n', '1', '--json'],
    'log --feature': ['log', '--feature', quiet, '--json'],
    blame: ['blame', quiet, '--json'],
  };
  const grows = new Set(['log --feature -n 1', 'log --feature', 'blame']);
  const variants = Object.entries(asked).flatMap(([name, args]) =>
    stores.map((history) => ({
      name: `${name}, ${history.operations}`,
      run: () => history.run(args),
      // What takes seconds on the longest is asked less often.
      every: rounds > 3 && grows.has(name) ? 3 : 1,
    })),
  );
  const results = await interleave(variants, { rounds, warmups: 1 });
  const rows = Object.keys(asked).flatMap((name) =>
    stores.map(({ operations }, index) => {
      const own = results[`${name}, ${operations}`];
      const base = results[`${name}, ${stores[0].operations}`];
      return {
        variant: `${name}, ${operations}`,
        ...summary([...own.values()]),
        ...(index > 0 ? { to_short: ratio(own, base) } : {}),
        ...(index > 0 && !grows.has(name) ? { target: { key: 'to_short', most: 1.25 } } : {}),
      };
    }),
  );
  const note = `${features} features; blame and log --feature walk the whole history, limited to the feature's file or by their messages`;
  const title = `from a shell, histories of ${stores.map(({ operations }) => operations).join(', ')} operations`;
  return { title, rows, note };
}

/** All of the history replayed, which takes so long for the longest that it is done once. */
async function verifying(stores) {
  const rows = [];
  for (const { operations, run } of stores) {
    const ms = await timed(() => run(['verify', '--full', '--json']));
    rows.push({
      variant: `verify --full, ${operations}`,
      samples: 1,
      median_ms: ms,
      per_10000_ms: (ms / operations) * 10_000,
    });
  }
  return { title: 'verify by the length of the history, with the start of Node', rows };
}

/** A store whose history has `operations` updates and notes, as commits of their own, published together. */
async function madeHistory(directory, operations) {
  const { path, git } = makeRepository(directory, `history-${operations}`, { durable: false });
  const store = await openFilledStore(path, { features });
  await store.update({ feature: quiet, name: 'a quiet one' });
  for (let made = 0; made < operations; made += together) {
    await Promise.all(
      Array.from({ length: Math.min(together, operations - made) }, (_, index) => {
        const count = made + index;
        if (count % 5 === 0) return store.note({ message: `note ${count}` });
        return store.update({ feature: featureId(10 + (count % 400)), data: { n: count } });
      }),
    );
  }
  await store.close();
  git(['gc', '-q']);
  let claims = 0;
  const run = (args) => {
    claims += 1;
    const given = args ?? ['claim', featureId(10 + claims), '--worker', `W${claims}`, '--json'];
    return runChild(process.execPath, [command, ...given, '--session', session], { cwd: path });
  };
  return { operations, run };
}
