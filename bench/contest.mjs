import { fork } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { median, quantile } from './stats.mjs';

/** The worker scripts in one file each, so that they start fast. @returns their paths by name. */
export async function bundled(directory, names) {
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

/** One race of many processes, and whether everything that they did is there.
 *  @param bed `script` and `argsOf(index)` of its workers, and `check(race)`, which throws if something is lost and may
 *  return figures of its own. A bed can be raced on again: `begin` is called before each race. */
export async function contest(bed, { processes, mutations }) {
  const from = bed.from ?? 0;
  const before = await bed.begin?.();
  const args = Array.from({ length: processes }, (_, index) =>
    [...bed.argsOf(index), from, mutations].map(String),
  );
  const { startMs, finishes, latencies, results } = await race(bed.script, args);
  bed.from = from + mutations;
  const operations = processes * mutations;
  if (latencies.length !== operations) throw new Error(`${latencies.length} of ${operations} were done`);
  const figures = await bed.check({ processes, from, mutations, operations, before, results });
  const times = finishes.map((finish) => finish - startMs);
  return {
    operations_per_s: operations / (Math.max(...times) / 1000),
    ...figures,
    median_ms: median(latencies),
    p95_ms: quantile(latencies, 0.95),
    p99_ms: quantile(latencies, 0.99),
    max_ms: Math.max(...latencies),
    slowest_to_fastest: Math.max(...times) / Math.min(...times),
  };
}

/** Races on all beds in turn, `repeats` times. @returns by name, the figures of each race.
 *  @param of processes and mutations for a bed. */
export async function tournament(beds, { repeats, of }) {
  const runs = Object.fromEntries(Object.keys(beds).map((name) => [name, []]));
  for (let round = 1; round <= repeats; round += 1) {
    for (const [name, bed] of Object.entries(beds)) runs[name].push(await contest(bed, of(bed)));
  }
  return runs;
}

/** The median of each figure. */
export function typical(runs) {
  return Object.fromEntries(Object.keys(runs[0]).map((key) => [key, median(runs.map((run) => run[key]))]));
}

/** How many times the rate of `base` a variant reached, by race. */
export function timesTheRate(runs, base) {
  return median(runs.map((run, round) => run.operations_per_s / base[round].operations_per_s));
}

/** Starts a worker for each list of arguments, lets them go at the same moment, and waits for the last. */
async function race(script, args) {
  const children = args.map((own) => fork(script, own));
  try {
    await Promise.all(children.map(messageOf));
    const results = Promise.all(children.map(messageOf));
    const startMs = Date.now();
    for (const child of children) child.send('go');
    const answers = await results;
    await Promise.all(children.map(endOf));
    const finishes = answers.map(({ finishMs }) => finishMs);
    const latencies = answers.flatMap((answer) => answer.latencies);
    return { startMs, finishes, latencies, results: answers.flatMap((answer) => answer.results) };
  } finally {
    // Where one has failed, the others write on until they are stopped.
    for (const child of children) child.kill();
    await Promise.all(children.map(endOf));
  }
}

function messageOf(child) {
  return new Promise((resolve, reject) => {
    child.once('message', resolve);
    child.once('exit', (status, signal) => reject(new Error(`a worker ended with ${signal ?? status}`)));
  });
}

function endOf(child) {
  const ended = child.exitCode !== null || child.signalCode !== null;
  return ended ? undefined : new Promise((resolve) => child.once('exit', resolve));
}
