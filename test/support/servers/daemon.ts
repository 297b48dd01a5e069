import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { startProcess } from './process.ts';
import { type GitServer, isExecutable } from './server.ts';

const program = join(execFileSync('git', ['--exec-path'], { encoding: 'utf8' }).trim(), 'git-daemon');

/** What to install where there is no `git daemon`; null where there is one. */
export const daemonMissing: string | null = isExecutable(program)
  ? null
  : 'git daemon is not installed; it is in the package git-daemon or git';

export interface DaemonServer extends GitServer {
  port: number;
  signal(name: NodeJS.Signals): void;
}

/** Serves a folder of bare repositories by `git daemon`, to everybody, pushes too. */
export async function startDaemon(folder: string): Promise<DaemonServer> {
  const { port, signal, stop } = await startProcess((port) => [
    program,
    ...[
      '--listen=127.0.0.1',
      `--port=${port}`,
      '--reuseaddr',
      '--max-connections=0',
      '--log-destination=stderr',
    ],
    ...['--export-all', '--enable=receive-pack', '--informative-errors', `--base-path=${folder}`],
  ]);
  return { url: (name) => `git://127.0.0.1:${port}/${name}`, port, env: {}, signal, stop };
}
