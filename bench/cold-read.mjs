import { spawn } from 'node:child_process';
import { openStore } from '../dist/index.js';
import { peakKib } from './memory.cjs';

/** Prints the milliseconds of one first read, in a process of its own and without its start.
 *  Arguments: what is read how, and the repository. */

const [way, cwd] = process.argv.slice(2);

const ways = {
  /** All features as the library gives them. */
  async list() {
    const store = await openStore({ cwd, session: 's' });
    const { features } = await store.list();
    return { read: features.length, end: () => store.close() };
  },
  /** The same files as a script would read them, which checks nothing. */
  async archive() {
    let read = 0;
    await each(cwd, (path, text) => {
      if (!path.includes('/features/')) return;
      JSON.parse(text);
      read += 1;
    });
    return { read, end: () => {} };
  },
};

const startMs = performance.now();
const { read, end } = await ways[way]();
const ms = performance.now() - startMs;
await end();
console.log(JSON.stringify({ ms, read, max_rss_mib: Math.round(peakKib() / 1024) }));

/** Reads the tar that `git archive` writes: blocks of 512 bytes, a header of one and then the file. */
async function each(path, take) {
  const git = spawn('git', ['archive', '--format=tar', 'gitstate'], { cwd: path });
  let rest = Buffer.alloc(0);
  for await (const chunk of git.stdout) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    for (;;) {
      const size = Number.parseInt(rest.toString('latin1', at + 124, at + 135), 8);
      const end = at + 512 + Math.ceil((size || 0) / 512) * 512;
      if (at + 512 > rest.length || end > rest.length) break;
      const name = text(rest, at, 100);
      const prefix = text(rest, at + 345, 155);
      if (rest[at + 156] === 0x30) {
        take(prefix ? `${prefix}/${name}` : name, rest.toString('utf8', at + 512, at + 512 + size));
      }
      at = end;
    }
    rest = rest.subarray(at);
  }
}

function text(bytes, start, length) {
  const end = bytes.indexOf(0, start);
  return bytes.toString('utf8', start, Math.min(end, start + length));
}
