import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundled, timesTheRate, tournament, typical } from './contest.mjs';
import { addWorktree } from './porcelain.mjs';
import { fillRedis, hasRedis, Redis, startRedis } from './redis.mjs';
import { featureFile, featureId, makeRepository, openFilledStore } from './repository.mjs';
import { hasSqlite, makeDatabase, Sqlite } from './sqlite.mjs';
import { notesOnMissing } from './tools.mjs';

const features = 1000;
const porcelain = 'porcelain behind a lock file';

/** Many processes write to one store at the same time, each to a feature of its own. */
export async function contention({ directory, short }) {
  const races = short
    ? [{ processes: 8, mutations: 40, repeats: 1 }]
    : [
        { processes: 1, mutations: 320, repeats: 3 },
        { processes: 8, mutations: 160, repeats: 3 },
        { processes: 40, mutations: 40, repeats: 2 },
      ];
  const { beds, stop } = await bedsIn(directory);
  try {
    const tables = [];
    for (const race of races) tables.push(await tableOf(beds, race));
    return tables;
  } finally {
    await stop();
  }
}

async function tableOf(beds, { processes, mutations, repeats }) {
  const runs = await tournament(beds, {
    repeats,
    of: ({ share = 1 }) => ({ processes, mutations: Math.ceil(mutations * share) }),
  });
  const rows = Object.entries(runs).map(([name, figures]) => ({
    variant: name,
    samples: figures.length,
    ...typical(figures),
    to_porcelain: timesTheRate(figures, runs[porcelain]),
    ...(processes > 1 && name.startsWith('gitstate') ? { targets: targetsOf(name) } : {}),
  }));
  const each = `${mutations} updates by each process, a quarter of them with porcelain`;
  const notes = notesOnMissing({ sqlite3: hasSqlite, 'redis-server': hasRedis });
  const title = `contention, ${processes} process${processes === 1 ? '' : 'es'}`;
  return { title, rows, note: [`${each}; all of them were found again`, ...notes].join('; ') };
}

function targetsOf(name) {
  const fair = [
    { key: 'attempts_per_commit', most: 1.1 },
    { key: 'slowest_to_fastest', most: 1.5 },
  ];
  return name === 'gitstate' ? [{ key: 'to_porcelain', least: 8 }, ...fair] : fair;
}

/** Everything that is raced on, by name. */
async function bedsIn(directory) {
  const workers = ['gitstate', 'porcelain', 'sqlite', 'redis'].map((name) => `contention-${name}`);
  const scripts = await bundled(directory, workers);
  const beds = {
    [porcelain]: await porcelainBed(directory, scripts),
    gitstate: await gitstateBed(directory, scripts, { durable: false }),
    'gitstate, durable': await gitstateBed(directory, scripts, { durable: true }),
  };
  const stops = [];
  for (const durable of hasSqlite ? [false, true] : []) {
    beds[`SQLite${durable ? ', durable' : ''}`] = sqliteBed(directory, scripts, { durable });
  }
  for (const durable of hasRedis ? [false, true] : []) {
    const { bed, stop } = await redisBed(directory, scripts, { durable });
    beds[`Redis${durable ? ', durable' : ''}`] = bed;
    stops.push(stop);
  }
  return { beds, stop: () => Promise.all(stops.map((stop) => stop())) };
}

async function gitstateBed(directory, scripts, { durable }) {
  const repository = await filledRepository(directory, `contention-${durable}`, { durable });
  const files = filesOf(repository);
  return {
    script: scripts['contention-gitstate'],
    argsOf: (index) => [repository.path, featureId(index)],
    ...history(repository, 'gitstate', (index) =>
      repository.git(['cat-file', 'blob', `gitstate:${files(index)}`]),
    ),
  };
}

async function porcelainBed(directory, scripts) {
  const repository = await filledRepository(directory, 'contention-porcelain', { durable: false });
  const worktree = addWorktree(repository, 'porcelain');
  const files = filesOf(repository);
  return {
    share: 1 / 4,
    script: scripts['contention-porcelain'],
    argsOf: (index) => [worktree, files(index)],
    ...history(repository, 'porcelain', (index) => readFileSync(join(worktree, files(index)), 'utf8')),
  };
}

/** What holds for a branch: a commit for each operation, and hardly any that were made in vain. */
function history(repository, branch, read) {
  const count = () => ({ landed: commitsOn(repository, branch), made: commitsIn(repository) });
  return {
    begin: count,
    check({ operations, before, ...race }) {
      const after = count();
      const landed = after.landed - before.landed;
      if (landed !== operations) throw new Error(`${landed} of ${operations} commits landed`);
      requireLast(race, (index) => JSON.parse(read(index)).data);
      return { attempts_per_commit: (after.made - before.made) / landed };
    },
  };
}

function sqliteBed(directory, scripts, { durable }) {
  const file = join(directory, `contention-${durable}.db`);
  makeDatabase(file, { features });
  return {
    script: scripts['contention-sqlite'],
    argsOf: (index) => [file, durable ? 'durable' : '', featureId(index)],
    async check(race) {
      const sqlite = new Sqlite(file, { durable });
      const rows = await sqlite.ask('SELECT data FROM features ORDER BY id');
      const data = rows.split('\n').map((row) => JSON.parse(row));
      requireLast(race, (index) => data[index]);
      await sqlite.close();
    },
  };
}

async function redisBed(directory, scripts, { durable }) {
  const { socket, stop } = await startRedis(directory, `redis-${durable}`, { durable });
  await fillRedis(socket, { features });
  const bed = {
    script: scripts['contention-redis'],
    argsOf: (index) => [socket, featureId(index)],
    async check(race) {
      const redis = new Redis(socket);
      const data = [];
      for (let index = 0; index < race.processes; index += 1) data.push(await redis.data(featureId(index)));
      requireLast(race, (index) => data[index]);
      redis.close();
    },
  };
  return { bed, stop };
}

/** Each process counts in the data of its feature: the last number has to stand there. */
function requireLast({ processes, from, mutations }, dataOf) {
  for (let index = 0; index < processes; index += 1) {
    const { n } = dataOf(index);
    if (n !== from + mutations) throw new Error(`feature ${index} holds ${n} instead of ${from + mutations}`);
  }
}

async function filledRepository(directory, name, { durable }) {
  const repository = makeRepository(directory, name, { durable });
  const store = await openFilledStore(repository.path, { features });
  await store.close();
  return repository;
}

/** The file that each process writes. */
function filesOf({ git }) {
  const paths = new Map();
  return (index) => {
    if (!paths.has(index)) paths.set(index, featureFile(git, featureId(index)));
    return paths.get(index);
  };
}

function commitsOn({ git }, branch) {
  return Number(git(['rev-list', '--count', branch]));
}

/** All commits that are stored, those of lost races too. */
function commitsIn({ git }) {
  const types = git(['cat-file', '--batch-all-objects', '--batch-check=%(objecttype)']).split('\n');
  return types.filter((type) => type === 'commit').length;
}
