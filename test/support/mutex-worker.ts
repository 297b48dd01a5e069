import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { systemEnv } from '../../src/env.ts';
import { Mutex } from '../../src/store/mutex.ts';

/** A process that uses the mutex, for tests that need more than one: it prints `ready` and its process id, waits for
 *  a line on its standard input and does what its arguments say.
 *  `count <dir> <counter> <log> <times>`  reads and rewrites the counter under the mutex, logs its name each time
 *  `hold <dir> [<child>]`                 takes the mutex, notes the child, prints `held`, keeps it
 *  `once <dir>`                           prints `waiting`, takes the mutex, prints `held`, lets go
 *  `exit <dir>`                           takes the mutex and exits with it */
const [action, directory = '', ...rest] = process.argv.slice(2);
const env = systemEnv();
const mutex = new Mutex({ directory, env, onExit: (callback) => process.once('exit', callback) });
const say = (word: string) => process.stdout.write(`${word}\n`);

async function count(counter: string, log: string, times: number): Promise<void> {
  for (let n = 0; n < times; n += 1) {
    const held = await mutex.acquire();
    const value = readFileSync(counter, 'utf8');
    await env.sleep(1);
    if (readFileSync(counter, 'utf8') !== value) throw new Error('another process wrote under the mutex');
    // In one write, so that a kill leaves the old number or the new one.
    writeFileSync(counter, String(Number(value) + 1), { flag: 'r+' });
    appendFileSync(log, `${process.pid}\n`);
    held.release();
  }
}

async function act(): Promise<void> {
  if (action === 'count') return count(rest[0] ?? '', rest[1] ?? '', Number(rest[2]));
  if (action === 'once') say('waiting');
  const held = await mutex.acquire();
  if (rest[0] !== undefined) mutex.noteChild(Number(rest[0]));
  say('held');
  if (action === 'hold') await env.sleep(60_000);
  if (action === 'once') held.release();
}

const input = createInterface({ input: process.stdin });
input.once('line', () => {
  input.close();
  act().then(
    () => process.exit(0),
    (error: unknown) => {
      process.stderr.write(`${error}\n`);
      process.exit(9);
    },
  );
});
say(`ready\n${process.pid}`);
