import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { featureOf } from './repository.mjs';
import { programOf } from './tools.mjs';

/** The same features in a Redis of its own, on a socket in a directory of the benchmark, with a log of what was done
 *  that is flushed before each answer or once a second. No history: only the newest state is kept. */

const server = programOf('redis-server');
export const redisClient = programOf('redis-cli');
export const hasRedis = server !== null;

const claimScript = `local id = redis.call('ZPOPMIN', KEYS[1])[1]
if not id then return false end
redis.call('HSET', 'feature:' .. id, 'status', 'in_progress', 'worker', ARGV[1], 'lease_end', ARGV[2])
return id`;
const updateScript = `if redis.call('EXISTS', KEYS[1]) == 0 then return false end
redis.call('HSET', KEYS[1], 'data', ARGV[1])
return ARGV[1]`;

/** What `redis-cli` is called with to claim the next feature from a shell. */
export const claimArguments = (worker) => ['EVAL', claimScript, '1', 'ready', worker, leaseEnd()];

/** Starts a server. @returns the path of its socket, and what ends it. */
export async function startRedis(directory, name, { durable }) {
  const folder = join(directory, name);
  mkdirSync(folder);
  const socket = join(folder, 'redis.sock');
  const flushed = durable ? 'always' : 'everysec';
  const settings = {
    port: '0',
    unixsocket: socket,
    dir: folder,
    save: '',
    appendonly: 'yes',
    appendfsync: flushed,
  };
  const args = Object.entries(settings).flatMap(([key, value]) => [`--${key}`, value]);
  const child = spawn(server, args, { stdio: 'ignore' });
  const stop = async () => {
    process.off('exit', kill);
    child.kill();
    if (child.exitCode === null) await once(child, 'exit');
  };
  const kill = () => child.kill();
  process.once('exit', kill);
  await untilReady(socket, child);
  return { socket, stop };
}

async function untilReady(socket, child) {
  for (let attempt = 1; ; attempt += 1) {
    const redis = new Redis(socket);
    try {
      return await redis.call('PING');
    } catch (error) {
      if (attempt === 200 || child.exitCode !== null) throw error;
      await sleep(25);
    } finally {
      redis.close();
    }
  }
}

/** Fills an empty server with `features` pending features. */
export async function fillRedis(socket, { features }) {
  const redis = new Redis(socket);
  for (let index = 0; index < features; index += 1) {
    const { id, name, priority, phase, data } = featureOf(index);
    const fields = { name, status: 'pending', priority, phase, data: JSON.stringify(data) };
    await redis.call('HSET', `feature:${id}`, ...Object.entries(fields).flat());
    await redis.call('ZADD', 'ready', Number(priority.slice(1)) * 100 + phase, id);
  }
  redis.close();
}

/** One connection, over which one command after the other is sent. */
export class Redis {
  #socket;
  #input = Buffer.alloc(0);
  #settle = null;

  constructor(path) {
    this.#socket = connect(path);
    this.#socket.setNoDelay?.(true);
    this.#socket.on('data', (chunk) => this.#take(chunk));
    this.#socket.on('error', (error) => this.#settle?.reject(error));
  }

  claim(worker) {
    return this.#changed('EVAL', claimScript, 1, 'ready', worker, leaseEnd());
  }

  update(id, data) {
    return this.#changed('EVAL', updateScript, 1, `feature:${id}`, JSON.stringify(data));
  }

  async data(id) {
    return JSON.parse(await this.call('HGET', `feature:${id}`, 'data'));
  }

  /** @returns a string, a number or null; lists are not asked for. */
  call(...words) {
    const parts = words.map((word) => `$${Buffer.byteLength(String(word))}\r\n${word}\r\n`);
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
      this.#socket.write(`*${words.length}\r\n${parts.join('')}`);
    });
  }

  close() {
    this.#socket.destroy();
  }

  async #changed(...words) {
    const answer = await this.call(...words);
    if (answer === null) throw new Error('nothing was changed');
    return answer;
  }

  #take(chunk) {
    this.#input = Buffer.concat([this.#input, chunk]);
    const end = this.#input.indexOf('\r\n');
    if (end < 0) return;
    const [kind, text] = [this.#input.toString('latin1', 0, 1), this.#input.toString('utf8', 1, end)];
    const length = kind === '$' ? Number(text) : -1;
    if (this.#input.length < end + 2 + (length < 0 ? 0 : length + 2)) return;
    const body = this.#input.toString('utf8', end + 2, end + 2 + Math.max(length, 0));
    this.#input = Buffer.alloc(0);
    if (kind === '-') this.#settle.reject(new Error(text));
    else if (kind === '$') this.#settle.resolve(length < 0 ? null : body);
    else this.#settle.resolve(kind === ':' ? Number(text) : text);
  }
}

function leaseEnd() {
  return String(Date.now() + 900_000);
}
