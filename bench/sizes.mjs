import { spawn } from 'node:child_process';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { interleave, timed } from './interleave.mjs';
import { makeRepository, openFilledStore, runChild, runChildFully, session } from './repository.mjs';
import { ratio, summary } from './stats.mjs';

const fileAt = (path) => fileURLToPath(new URL(path, import.meta.url));
const command = fileAt('../dist/git-state.cjs');
const measured = fileAt('max-rss.cjs');

/** What a command costs in a store of 100 features, and how much more in larger ones; then a first read. */
export async function sizes({ directory, short }) {
  const counts = short ? [100, 1000] : [100, 1000, 10_000, 100_000];
  const stores = [];
  for (const features of counts) {
    const { path } = makeRepository(directory, `size-${features}`, { durable: true });
    await (await openFilledStore(path, { features })).close();
    stores.push({ features, path });
  }
  return [
    await warmTable(stores, { rounds: short ? 5 : 15 }),
    await firstReadTable(stores, { rounds: short ? 3 : 7 }),
    await coldTable(stores, { rounds: 3 }),
  ];
}

let workers = 0;
const commands = {
  'status --json': () => ['status', '--session', session, '--json'],
  'claim --json': () => ['claim', '--session', session, '--worker', `W${++workers}`, '--json'],
};

async function warmTable(stores, { rounds }) {
  const places = stores.flatMap(({ features, path }) =>
    Object.entries(commands).map(([name, args]) => ({ name, features, path, args })),
  );
  const label = ({ name, features }) => `${name}, ${features} features`;
  const variants = places.map((place) => ({
    name: label(place),
    run: () => runChild(process.execPath, [command, ...place.args()], { cwd: place.path }),
  }));
  variants.push({ name: 'node -e 0', run: () => runChild(process.execPath, ['-e', '0']) });
  const results = await interleave(variants, { rounds, warmups: 2 });
  const rows = [];
  for (const place of places) {
    const own = results[label(place)];
    rows.push({
      variant: label(place),
      ...summary([...own.values()]),
      to_node: ratio(own, results['node -e 0']),
      to_100: ratio(own, results[label({ ...place, features: 100 })]),
      max_rss_mib: await memoryOf(place),
      ...targetOf(place.features, 'to_100'),
    });
  }
  return { title: 'commands by the size of the store', rows };
}

function targetOf(features, key) {
  const most = { 10000: 2, 100000: 4 }[features];
  return most === undefined ? {} : { target: { key, most } };
}

/** MiB of the Node process; Git's own are small. */
async function memoryOf({ args, path }) {
  const { stderr } = await runChildFully(process.execPath, ['-r', measured, command, ...args()], {
    cwd: path,
  });
  return Math.round(Number(/max-rss (\d+)/.exec(stderr)[1]) / 1024);
}

const reader = fileAt('cold-read.mjs');

/** A first read beside `git archive`, which is thrown away, and beside the same archive, taken apart and parsed by a
 *  script. Each is a new process, of which the start does not count. */
async function firstReadTable(stores, { rounds }) {
  const rows = [];
  for (const { features, path } of stores.filter((store) => store.features >= 1000)) {
    const read = async (way) => JSON.parse(await runChild(process.execPath, [reader, way, path]));
    const ways = {
      'git archive': () => timed(() => discarded(path)).then((ms) => ({ ms })),
      'git archive, parsed': () => read('archive'),
      'openStore and list, no cache': () => {
        dropCache(path);
        return read('list');
      },
    };
    const results = Object.fromEntries(Object.keys(ways).map((name) => [name, new Map()]));
    const memory = {};
    for (let round = 0; round < (features > 10_000 ? 3 : rounds); round += 1) {
      for (const [name, run] of Object.entries(ways)) {
        const { ms, max_rss_mib } = await run();
        results[name].set(round, ms);
        memory[name] = max_rss_mib;
      }
    }
    for (const name of Object.keys(ways)) {
      rows.push({
        variant: `${name}, ${features} features`,
        ...summary([...results[name].values()]),
        to_archive: ratio(results[name], results['git archive']),
        to_plain: ratio(results[name], results['git archive, parsed']),
        max_rss_mib: memory[name],
        ...(name.startsWith('openStore') && features >= 10_000
          ? { target: { key: 'to_archive', most: 2.2 } }
          : {}),
      });
    }
  }
  const note = 'x plain: beside the archive parsed by a script, which checks nothing';
  return { title: 'a first read in a new process, without its start', rows, note };
}

function dropCache(path) {
  const directory = join(path, '.git/gitstate/cache');
  for (const name of readdirSync(directory)) if (name.startsWith('state-')) rmSync(join(directory, name));
}

/** Takes the archive from a pipe, as any reader would. */
function discarded(path) {
  return new Promise((resolve, reject) => {
    const git = spawn('git', ['archive', '--format=tar', 'gitstate'], { cwd: path });
    git.stdout.resume();
    git.on('error', reject);
    git.on('close', (status) => (status === 0 ? resolve() : reject(new Error('git archive failed'))));
  });
}

async function coldTable(stores, { rounds }) {
  const rows = [];
  for (const { features, path } of stores.filter((store) => store.features <= 10_000)) {
    const cold = `list --json without a cache, ${features} features`;
    const archive = `git archive, ${features} features`;
    const variants = [
      {
        name: cold,
        run: () =>
          runChild(process.execPath, [command, 'list', '--session', session, '--json'], { cwd: path }),
        before: () => dropCache(path),
      },
      {
        name: archive,
        run: () => runChild('git', ['archive', '-o', '/dev/null', '--format=tar', 'gitstate'], { cwd: path }),
      },
    ];
    const results = await interleave(variants, { rounds, warmups: 1 });
    for (const name of [archive, cold]) {
      rows.push({
        variant: name,
        ...summary([...results[name].values()]),
        to_archive: ratio(results[name], results[archive]),
      });
    }
  }
  const note = 'all features as JSON, and the cache for the next command';
  return { title: 'a first read from a shell, with the start of Node', rows, note };
}
