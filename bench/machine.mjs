import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, loadavg, release, tmpdir, totalmem, type } from 'node:os';
import { programOf } from './tools.mjs';

/** What the figures were measured on. */
export function machineOf(directory) {
  return {
    processor: `${cpus().length} x ${cpus()[0]?.model.trim() ?? 'unknown'}`,
    memory_gib: Math.round(totalmem() / 2 ** 30),
    system: `${type()} ${release()}`,
    gitstate: JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).version,
    node: process.version,
    git: execFileSync('git', ['version']).toString().trim().replace('git version ', ''),
    file_system: fileSystemOf(directory ?? tmpdir()),
    ...peers(),
  };
}

/** The first number of what each says of itself, where it is installed. */
function peers() {
  const asked = { sqlite: 'sqlite3', redis: 'redis-server', jq: 'jq' };
  return Object.fromEntries(
    Object.entries(asked).flatMap(([name, command]) => {
      const program = programOf(command);
      if (program === null) return [];
      const version = execFileSync(program, ['--version']).toString();
      return [[name, /\d+(?:\.\d+)+/.exec(version)?.[0] ?? version.trim()]];
    }),
  );
}

/** One, five and fifteen minutes. */
export function load() {
  return loadavg().map((value) => Math.round(value * 100) / 100);
}

/** Whether others keep the machine busy, so that times say little and only ratios count. */
export function isBusy() {
  return load()[0] > cpus().length / 2;
}

function fileSystemOf(directory) {
  try {
    return execFileSync('df', ['--output=fstype', directory]).toString().trim().split('\n').at(-1);
  } catch {
    return 'unknown';
  }
}
