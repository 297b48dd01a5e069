import { compete } from './contention-worker.mjs';
import { Sqlite } from './sqlite.mjs';

const [file, durable, feature, from, mutations] = process.argv.slice(2);

async function prepare() {
  const sqlite = new Sqlite(file, { durable: durable !== '' });
  await sqlite.ask('SELECT count(*) FROM features');
  const mutate = (n) =>
    feature === 'next' ? sqlite.claim(`W-${process.pid}-${n}`) : sqlite.update(feature, { n });
  return { mutate, close: () => sqlite.close() };
}

await compete({ from: Number(from), mutations: Number(mutations), prepare });
