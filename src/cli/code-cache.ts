import { createHash } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, isAbsolute, join } from 'node:path';
import { Script } from 'node:vm';

/** What V8 made of the command's code is kept in the user's cache folder, so that the next start need not compile it
 *  again. It is code that will be run: it is taken only from a file that nobody but this user can have written, and
 *  only for the same code and Node.js. Whatever is odd about it means that there is none; deleting it is always safe. */

interface Loaded {
  /** The function that the file consists of: the body of a CommonJS module. */
  run: (...scope: unknown[]) => void;
  /** Writes what was compiled by now, unless what is kept has seen these `words` of a command often enough. */
  keep(words: readonly string[]): void;
}

interface Kept {
  /** Of each command that was run, as often as it was. */
  words: readonly string[];
  code: Buffer;
}

/** The first run of a command may be the first one in a repository, too: later ones take other ways. */
const runsKept = 3;
const magic = 'gitstate-code 1';
/** What older versions have left is removed when something is written and this is its age. */
const ageMaxMs = 30 * 24 * 3600_000;

/** Compiles a file of ASCII text that is one function expression. */
export function loadScript(path: string, variables: NodeJS.ProcessEnv): Loaded {
  const source = readFileSync(path, 'latin1');
  const directory = cacheDirectory(variables);
  const file = directory && join(directory, fileName(path));
  const kept = file ? readKept(file) : null;
  const script = new Script(source, { filename: path, ...(kept ? { cachedData: kept.code } : {}) });
  const words = kept === null || script.cachedDataRejected ? [] : kept.words;
  return {
    run: script.runInThisContext() as Loaded['run'],
    keep: (used) => {
      const seen = (word: string) => words.filter((known) => known === word).length;
      const news = used.filter((word) => seen(word) < runsKept);
      if (directory === null || file === null || news.length === 0) return;
      writeKept(directory, file, { words: [...words, ...news], code: script.createCachedData() });
    },
  };
}

/** Null where there is no folder of which it could be told who writes there. */
function cacheDirectory({ XDG_CACHE_HOME, HOME }: NodeJS.ProcessEnv): string | null {
  if (process.getuid === undefined) return null;
  if (XDG_CACHE_HOME && isAbsolute(XDG_CACHE_HOME)) return join(XDG_CACHE_HOME, 'gitstate');
  return HOME && isAbsolute(HOME) ? join(HOME, '.cache', 'gitstate') : null;
}

function fileName(path: string): string {
  const { size, mtimeMs, ino } = statSync(path);
  const { version, arch, versions } = process;
  const parts = [path, size, mtimeMs, ino, version, versions.v8, arch];
  return `code-${digestOf(Buffer.from(JSON.stringify(parts))).slice(0, 20)}`;
}

function digestOf(data: Buffer): string {
  return createHash('sha1').update(data).digest('hex');
}

function isOurs({ uid, mode }: { uid: number; mode: number }): boolean {
  return uid === process.geteuid?.() && (mode & 0o022) === 0;
}

function readKept(file: string): Kept | null {
  let descriptor: number | null = null;
  try {
    descriptor = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    // Judged by the open file: a name can be given to another one meanwhile.
    const stat = fstatSync(descriptor);
    if (!stat.isFile() || !isOurs(stat)) return null;
    const data = readFileSync(descriptor);
    const end = data.indexOf(0x0a);
    const code = data.subarray(end + 1);
    const words = data.toString('latin1', magic.length + 42, end).split(' ');
    return data.toString('latin1', 0, end) === headerOf({ words, code }) ? { words, code } : null;
  } catch {
    return null;
  } finally {
    if (descriptor !== null) closeSync(descriptor);
  }
}

function headerOf({ words, code }: Kept): string {
  return `${magic} ${digestOf(code)} ${words.join(' ')}`;
}

function writeKept(directory: string, file: string, kept: Kept): void {
  const fresh = `${file}.${process.pid}.new`;
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const stat = lstatSync(directory);
    if (!stat.isDirectory() || !isOurs(stat)) return;
    const header = Buffer.from(`${headerOf(kept)}\n`);
    writeFileSync(fresh, Buffer.concat([header, kept.code]), { mode: 0o600, flag: 'wx' });
    renameSync(fresh, file);
    if (kept.words.length < 3) removeOld(directory, basename(file));
  } catch {
    // The next start compiles again.
    removeQuietly(fresh);
  }
}

function removeQuietly(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // There is nothing to be done about it.
  }
}

function removeOld(directory: string, except: string): void {
  const limit = Date.now() - ageMaxMs;
  for (const name of readdirSync(directory)) {
    const path = join(directory, name);
    if (name.startsWith('code-') && name !== except && lstatSync(path).mtimeMs < limit) {
      rmSync(path, { force: true });
    }
  }
}
