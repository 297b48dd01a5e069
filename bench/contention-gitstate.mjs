import { openStore } from '../dist/index.js';
import { compete } from './contention-worker.mjs';

const [cwd, feature, from, mutations] = process.argv.slice(2);

async function prepare() {
  const store = await openStore({ cwd });
  await store.show({ feature });
  return { mutate: (n) => store.update({ feature, data: { n } }), close: () => store.close() };
}

await compete({ from: Number(from), mutations: Number(mutations), prepare });
