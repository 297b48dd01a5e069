import { once } from 'node:events';

/** Runs `mutate` for each number behind `from`, when the parent says so, and reports how long each took and what it gave.
 *  @param prepare gives `mutate` and `close`. */
export async function compete({ from, mutations, prepare }) {
  const { mutate, close } = await prepare();
  process.send('ready');
  await once(process, 'message');
  const [latencies, results] = [[], []];
  for (let n = from + 1; n <= from + mutations; n += 1) {
    const start = performance.now();
    results.push(await mutate(n));
    latencies.push(performance.now() - start);
  }
  const finishMs = Date.now();
  process.send({ finishMs, latencies, results: results.filter((result) => typeof result === 'string') });
  await close();
  process.disconnect();
}
