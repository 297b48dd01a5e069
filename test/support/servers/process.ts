import { type ChildProcess, spawn } from 'node:child_process';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll } from 'vitest';
import { freePort, serverEnvironment } from './server.ts';

/** A server that runs as a process group of its own. */
export interface ServerProcess {
  port: number;
  /** Sends a signal to every process of the group: after SIGSTOP connections are taken and nothing is answered,
   *  until SIGCONT. What sshd started for a connection is not of its group and goes on. */
  signal(name: NodeJS.Signals): void;
  stop(): Promise<void>;
}

const running = new Set<ServerProcess>();
afterAll(async () => {
  await Promise.all([...running].map((server) => server.stop()));
});

/** Runs a program until the pipe at descriptor 3 closes, which it does when this process ends, however it ends.
 *  What is left of the program's group goes with it: the Git processes and hooks that it started. */
const guard = `"$@" <&- 3<&- & server=$!
{ cat <&3; kill -TERM "$server"; kill -CONT 0; sleep 2; kill -KILL 0; } >/dev/null 2>&1 &
exec 3<&-
wait "$server"
kill -KILL 0`;

/** Starts a server on a free port of 127.0.0.1 and waits until it takes connections.
 *  @param command what to run for a port. @throws with what the program said, if it ends before. */
export async function startProcess(
  command: (port: number) => readonly string[],
  env: Record<string, string> = serverEnvironment,
): Promise<ServerProcess> {
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort();
    const child = spawn('/bin/sh', ['-c', guard, 'guard', ...command(port)], {
      env,
      cwd: '/',
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    });
    const said = await untilListening(child, port);
    if (said === null) return serverProcess(child, port);
    // Another process may have taken the port in between.
    if (attempt === 5) throw new Error(`${command(port)[0]} does not start: ${said}`);
  }
}

function serverProcess(child: ChildProcess, port: number): ServerProcess {
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const server: ServerProcess = {
    port,
    signal: (name) => process.kill(-child.pid!, name),
    async stop() {
      running.delete(server);
      // A stopped guard would not see its pipe close.
      if (child.exitCode === null && child.signalCode === null) server.signal('SIGCONT');
      child.stdio[3]!.destroy();
      await ended;
    },
  };
  // This process may end while the server runs; the guard then ends it.
  child.unref();
  for (const stream of child.stdio) (stream as Socket | null)?.unref();
  running.add(server);
  return server;
}

/** @returns null once the port answers, or what the process said if it ended. */
async function untilListening(child: ChildProcess, port: number): Promise<string | null> {
  let said = '';
  let over = false;
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      said = `${said}${text}`.slice(-4000);
    });
  }
  child.once('exit', () => {
    over = true;
  });
  while (!over) {
    if (await answers(port)) return null;
    await sleep(3);
  }
  child.stdio[3]!.destroy();
  return said || 'it said nothing';
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
      .once('connect', () => {
        socket.destroy();
        resolve(true);
      })
      .once('error', () => resolve(false));
  });
}
