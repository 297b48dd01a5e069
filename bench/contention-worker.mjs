import { once } from 'node:events';

/** Runs `mutate` for each number behind `from`, when the parent says so, and reports how long each took.
 *  @param prepare gives `mutate` and `close`. */
export async function compete({ from, mutations, prepare }) {
  const { mutate, close } = await prepare();
  process.send('ready');
  await once(process, 'message');
  const latencies = [];
  for (let n = from + 1; n <= from + mutations; n += 1) {
    const start = performance.now();
    await mutate(n);
    latencies.push(performance.now() - start);
  }
  process.send({ finishMs: Date.now(), latencies });
  await close();
  process.disconnect();
}
