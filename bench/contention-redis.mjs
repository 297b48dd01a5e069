import { compete } from './contention-worker.mjs';
import { Redis } from './redis.mjs';

const [socket, feature, from, mutations] = process.argv.slice(2);

async function prepare() {
  const redis = new Redis(socket);
  await redis.call('PING');
  const mutate = (n) =>
    feature === 'next' ? redis.claim(`W-${process.pid}-${n}`) : redis.update(feature, { n });
  return { mutate, close: () => redis.close() };
}

await compete({ from: Number(from), mutations: Number(mutations), prepare });
