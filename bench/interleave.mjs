import { setImmediate as turn } from 'node:timers/promises';

/** Measures variants side by side: each round runs every variant once, in a new order.
 *  @param variants `{ name, run, before, every }`; `before` is not timed; one with `every: 5` takes part in each
 *  fifth round only.
 *  @param warmups rounds before those that count.
 *  @returns by name, milliseconds by round. */
export async function interleave(variants, { rounds, warmups }) {
  const results = Object.fromEntries(variants.map(({ name }) => [name, new Map()]));
  const random = generator(20);
  for (let round = -warmups; round < rounds; round += 1) {
    for (const { name, run, before, every = 1 } of shuffled(variants, random)) {
      if (round % every !== 0) continue;
      before?.();
      const ms = await timed(run);
      if (round >= 0) results[name].set(round, ms);
    }
  }
  return results;
}

/** Milliseconds until `run` is done, with what it leaves to the same turn of the event loop. */
export async function timed(run) {
  const start = performance.now();
  await run();
  await turn();
  return performance.now() - start;
}

function shuffled(values, random) {
  const left = [...values];
  return values.map(() => left.splice(Math.floor(random() * left.length), 1)[0]);
}

/** The same numbers between 0 and 1 in every run (mulberry32), so that runs differ in nothing that is ours. */
function generator(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
