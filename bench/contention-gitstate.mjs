import { openStore } from '../dist/index.js';
import { compete } from './contention-worker.mjs';

/** `next` for a feature claims whatever is ready. */
const [cwd, feature, from, mutations] = process.argv.slice(2);

async function prepare() {
  const store = await openStore({ cwd });
  await store.show({ feature: feature === 'next' ? 'F0000' : feature });
  const mutate = async (n) => {
    if (feature !== 'next') return store.update({ feature, data: { n } });
    return (await store.claim({ worker: `W-${process.pid}-${n}` })).feature.id;
  };
  return { mutate, close: () => store.close() };
}

await compete({ from: Number(from), mutations: Number(mutations), prepare });
