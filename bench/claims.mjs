import { join } from 'node:path';
import { bundled, timesTheRate, tournament, typical } from './contest.mjs';
import { interleave } from './interleave.mjs';
import { fillRedis, hasRedis, Redis, startRedis } from './redis.mjs';
import { makeRepository, openFilledStore } from './repository.mjs';
import { hasSqlite, makeDatabase, Sqlite } from './sqlite.mjs';
import { ratio, summary } from './stats.mjs';
import { notesOnMissing } from './tools.mjs';

/** Claims beside stores that keep the newest state alone. The difference is the price of the history: a commit for each
 *  claim that says who took what and when, can be verified, undone, and sent to others. */

const features = 1000;
const durabilities = { plain: false, durable: true };

export async function claims({ directory, short }) {
  const notes = notesOnMissing({ sqlite3: hasSqlite, 'redis-server': hasRedis });
  const hint = hasSqlite || hasRedis ? ["SQLite's and Redis's claims leave no history"] : [];
  const note = [...hint, ...notes].join('; ');
  const tables = [await oneAfterTheOther(directory, short), await raced(directory, short)];
  return tables.map((table) => ({ ...table, note }));
}

/** Claims of the next ready feature, each for a new worker, from a process that runs already. */
async function oneAfterTheOther(directory, short) {
  const makers = {
    gitstate: gitstateClaims,
    ...(hasSqlite && { SQLite: sqliteClaims }),
    ...(hasRedis && { Redis: redisClaims }),
  };
  const variants = [];
  for (const [kind, durable] of Object.entries(durabilities)) {
    for (const [name, make] of Object.entries(makers)) {
      variants.push({
        name: `${name}, ${kind}`,
        kind,
        ...(await make(directory, `warm-${kind}`, { durable })),
      });
    }
  }
  try {
    const results = await interleave(variants, { rounds: short ? 60 : 240, warmups: 100 });
    const rows = variants.map(({ name, kind }) => ({
      variant: name,
      ...summary([...results[name].values()]),
      ...(hasSqlite ? { to_sqlite: ratio(results[name], results[`SQLite, ${kind}`]) } : {}),
    }));
    return { title: `warm claim of the next of ${features} features`, rows };
  } finally {
    for (const { close } of variants) await close();
  }
}

async function gitstateClaims(directory, name, { durable }) {
  const { path } = makeRepository(directory, name, { durable });
  const store = await openFilledStore(path, { features });
  return { run: () => store.claim({ worker: nextWorker() }), close: () => store.close() };
}

async function sqliteClaims(directory, name, { durable }) {
  const file = join(directory, `${name}.db`);
  makeDatabase(file, { features });
  const sqlite = new Sqlite(file, { durable });
  return { run: () => sqlite.claim(nextWorker()), close: () => sqlite.close() };
}

async function redisClaims(directory, name, { durable }) {
  const { socket, stop } = await startRedis(directory, `redis-${name}`, { durable });
  await fillRedis(socket, { features });
  const redis = new Redis(socket);
  const close = async () => {
    redis.close();
    await stop();
  };
  return { run: () => redis.claim(nextWorker()), close };
}

let workers = 0;
function nextWorker() {
  workers += 1;
  return `W${workers}`;
}

/** Several processes take whatever is ready next: no feature may go to two. */
async function raced(directory, short) {
  const { repeats, ...size } = short
    ? { repeats: 1, processes: 4, mutations: 15 }
    : { repeats: 3, processes: 8, mutations: 40 };
  const scripts = await bundled(
    directory,
    ['gitstate', 'sqlite', 'redis'].map((name) => `contention-${name}`),
  );
  const beds = {};
  const stops = [];
  for (const [kind, durable] of Object.entries(durabilities)) {
    const { path } = makeRepository(directory, `raced-${kind}`, { durable });
    await (await openFilledStore(path, { features })).close();
    beds[`gitstate, ${kind}`] = bedOf(scripts['contention-gitstate'], path);
    if (hasSqlite) {
      const file = join(directory, `raced-${kind}.db`);
      makeDatabase(file, { features });
      beds[`SQLite, ${kind}`] = bedOf(scripts['contention-sqlite'], file, durable ? 'durable' : '');
    }
    if (hasRedis) {
      const { socket, stop } = await startRedis(directory, `redis-raced-${kind}`, { durable });
      stops.push(stop);
      await fillRedis(socket, { features });
      beds[`Redis, ${kind}`] = bedOf(scripts['contention-redis'], socket);
    }
  }
  try {
    const runs = await tournament(beds, { repeats, of: () => size });
    const rows = Object.entries(runs).map(([name, figures]) => {
      const base = runs[name.replace(/^\w+/, 'SQLite')];
      return {
        variant: name,
        samples: figures.length,
        ...typical(figures),
        ...(base ? { rate_to_sqlite: timesTheRate(figures, base) } : {}),
      };
    });
    return { title: `${size.processes} processes claim ${size.mutations} features each`, rows };
  } finally {
    for (const stop of stops) await stop();
  }
}

function bedOf(script, ...place) {
  const taken = new Set();
  return {
    script,
    argsOf: () => [...place, 'next'],
    check({ operations, results }) {
      if (results.length !== operations)
        throw new Error(`${results.length} of ${operations} claims were told`);
      for (const id of results) {
        if (taken.has(id)) throw new Error(`'${id}' was claimed twice`);
        taken.add(id);
      }
    },
  };
}
