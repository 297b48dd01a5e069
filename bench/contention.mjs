import { fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { addWorktree } from './porcelain.mjs';
import { featureFile, featureId, makeRepository, openFilledStore } from './repository.mjs';
import { median, quantile } from './stats.mjs';

const features = 1000;

/** Many processes write to one branch at the same time, each to a feature of its own. */
export async function contention({ directory, short }) {
  const tables = [];
  for (const processes of [8, 40]) tables.push(await contentionOf(processes, { directory, short }));
  return tables;
}

async function contentionOf(processes, { directory, short }) {
  const shares = { processes, mutations: short ? 15 : 40 };
  const alone = { processes: 1, mutations: shares.processes * shares.mutations };
  const repeats = short ? 1 : 3;
  const scripts = await bundled(directory, ['contention-gitstate', 'contention-porcelain']);
  const contests = {
    'porcelain behind a lock file': porcelainContest(directory, scripts, shares),
    gitstate: gitstateContest(directory, scripts, { ...shares, durable: false }),
    'gitstate, durable': gitstateContest(directory, scripts, { ...shares, durable: true }),
    'gitstate, one process': gitstateContest(directory, scripts, { ...alone, durable: false }),
  };
  for (const name of Object.keys(contests)) contests[name] = await contests[name];
  const runs = Object.fromEntries(Object.keys(contests).map((name) => [name, []]));
  for (let round = 1; round <= repeats; round += 1) {
    for (const [name, bed] of Object.entries(contests)) runs[name].push(await contest(bed, round));
  }
  const note = `${shares.processes} processes, ${shares.mutations} mutations each; every commit and value was found again`;
  return { title: `contention, ${processes} processes`, rows: rowsOf(runs), note };
}

function rowsOf(runs) {
  const [porcelain] = Object.values(runs);
  return Object.entries(runs).map(([name, figures]) => {
    const { commits_per_s, ...others } = typical(figures);
    const times = figures.map((run, round) => run.commits_per_s / porcelain[round].commits_per_s);
    return {
      variant: name,
      samples: figures.length,
      commits_per_s,
      to_porcelain: median(times),
      ...others,
      ...(name === 'gitstate' ? { target: { key: 'to_porcelain', least: 8 } } : {}),
    };
  });
}

/** The worker scripts in one file each, so that they start fast. @returns their paths by name. */
async function bundled(directory, names) {
  const here = fileURLToPath(new URL('.', import.meta.url));
  const shim = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);";
  await build({
    entryPoints: names.map((name) => join(here, `${name}.mjs`)),
    outdir: directory,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    banner: { js: shim },
    logLevel: 'error',
  });
  return Object.fromEntries(names.map((name) => [name, join(directory, `${name}.mjs`)]));
}

async function gitstateContest(directory, scripts, { durable, processes, mutations }) {
  const repository = await filledRepository(directory, `contention-${processes}-${mutations}-${durable}`, {
    durable,
  });
  const files = filesOf(repository, processes);
  const read = (file) => repository.git(['cat-file', 'blob', `gitstate:${file}`]);
  const argsOf = (index) => [repository.path, featureId(index)];
  const script = scripts['contention-gitstate'];
  return { repository, branch: 'gitstate', files, read, script, argsOf, mutations };
}

async function porcelainContest(directory, scripts, { processes, mutations }) {
  const repository = await filledRepository(directory, `contention-porcelain-${processes}`, {
    durable: false,
  });
  const worktree = addWorktree(repository, 'porcelain');
  const files = filesOf(repository, processes);
  const read = (file) => readFileSync(join(worktree, file), 'utf8');
  const argsOf = (index) => [worktree, files[index]];
  const script = scripts['contention-porcelain'];
  return { repository, branch: 'porcelain', files, read, script, argsOf, mutations };
}

async function filledRepository(directory, name, { durable }) {
  const repository = makeRepository(directory, name, { durable });
  const store = await openFilledStore(repository.path, { features });
  await store.close();
  return repository;
}

/** The file that each process writes. */
function filesOf({ git }, processes) {
  return Array.from({ length: processes }, (_, index) => featureFile(git, featureId(index)));
}

/** One race, and whether all of it is in the history. */
async function contest({ repository, branch, files, read, script, argsOf, mutations }, round) {
  const before = { landed: commitsOn(repository, branch), made: commitsIn(repository) };
  const args = files.map((_, index) => [...argsOf(index), (round - 1) * mutations, mutations].map(String));
  const { startMs, finishes, latencies } = await race(script, args);
  const landed = commitsOn(repository, branch) - before.landed;
  if (landed !== latencies.length) throw new Error(`${landed} of ${latencies.length} commits landed`);
  for (const file of files) {
    const { n } = JSON.parse(read(file)).data;
    if (n !== round * mutations) throw new Error(`'${file}' holds ${n} instead of ${round * mutations}`);
  }
  const times = finishes.map((finish) => finish - startMs);
  return {
    commits_per_s: landed / (Math.max(...times) / 1000),
    attempts_per_commit: (commitsIn(repository) - before.made) / landed,
    median_ms: median(latencies),
    p95_ms: quantile(latencies, 0.95),
    p99_ms: quantile(latencies, 0.99),
    max_ms: Math.max(...latencies),
    slowest_to_fastest: Math.max(...times) / Math.min(...times),
  };
}

/** Starts a worker for each list of arguments, lets them go at the same moment, and waits for the last. */
async function race(script, args) {
  const children = args.map((own) => fork(script, own));
  await Promise.all(children.map(messageOf));
  const results = Promise.all(children.map(messageOf));
  const startMs = Date.now();
  for (const child of children) child.send('go');
  const answers = await results;
  const latencies = answers.flatMap((answer) => answer.latencies);
  return { startMs, finishes: answers.map(({ finishMs }) => finishMs), latencies };
}

function messageOf(child) {
  return new Promise((resolve, reject) => {
    child.once('message', resolve);
    child.once('exit', (status, signal) => reject(new Error(`a worker ended with ${signal ?? status}`)));
  });
}

function commitsOn({ git }, branch) {
  return Number(git(['rev-list', '--count', branch]));
}

/** All commits that are stored, those of lost races too. */
function commitsIn({ git }) {
  const types = git(['cat-file', '--batch-all-objects', '--batch-check=%(objecttype)']).split('\n');
  return types.filter((type) => type === 'commit').length;
}

function typical(runs) {
  return Object.fromEntries(Object.keys(runs[0]).map((key) => [key, median(runs.map((run) => run[key]))]));
}
