import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, readlinkSync } from 'node:fs';
import { hostname, setPriority, userInfo } from 'node:os';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Everything that differs from run to run. It reaches the rest of the code as an argument, so that a replayed
 *  history gives the same state, and a test can stop the clock. */
export interface Env {
  /** Milliseconds since 1970, UTC. */
  now(): number;
  /** A random name of 20 characters that satisfies the id rule. */
  randomId(): string;
  /** Environment variables, read once. */
  readonly variables: Readonly<Record<string, string | undefined>>;
  /** Who this process is, to other processes of the same machine and of others. */
  readonly identity: ProcessIdentity;
  /** Login name of the user; `user` where the system knows none. */
  readonly userName: string;
  sleep(delayMs: number): Promise<void>;
  /** Starts our own command in the background, in a session of its own; absent where it cannot be found. */
  background?(args: readonly string[], variables: Record<string, string>): void;
}

/** Names one process for good: a reused process id has another start time, a restarted machine another boot id. */
export interface ProcessIdentity {
  readonly host: string;
  /** Id of the machine's present boot; null where the system has none. */
  readonly boot: string | null;
  /** Process id namespace (containers); null where the system has none. */
  readonly pidns: string | null;
  readonly pid: number;
  /** Start time in the system's own unit; null where it cannot be read. */
  readonly started: string | null;
}

const alphabet = 'abcdefghijklmnopqrstuvwxyz234567';

const idBytes = 20;
let unused = Buffer.alloc(0);

/** The system is asked for random bytes for many ids at once, which takes as long as for one. */
function randomId(): string {
  if (unused.length === 0) unused = randomBytes(64 * idBytes);
  let id = '';
  for (const byte of unused.subarray(0, idBytes)) id += alphabet[byte % 32];
  unused = unused.subarray(idBytes);
  return id;
}

function readOrNull(read: () => string): string | null {
  try {
    return read().trim() || null;
  } catch {
    return null;
  }
}

/** Start time of a process in clock ticks since boot, from /proc; null when there is no such process or no /proc.
 *  One that was killed and not yet reaped by its parent is gone. */
export function processStart(pid: number): string | null {
  const stat = readOrNull(() => readFileSync(`/proc/${pid}/stat`, 'latin1'));
  if (stat === null) return null;
  // The command name stands in parentheses and may hold spaces, so fields are counted behind the last one.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' || fields[0] === 'X' ? null : (fields[19] ?? null);
}

function currentIdentity(): ProcessIdentity {
  return {
    host: hostname(),
    boot: readOrNull(() => readFileSync('/proc/sys/kernel/random/boot_id', 'latin1')),
    pidns: readOrNull(() => readlinkSync('/proc/self/ns/pid')),
    pid: process.pid,
    started: processStart(process.pid),
  };
}

/** What can be said of another process: it lives, it is gone, or nothing is provable from here. */
export type Liveness = 'alive' | 'dead' | 'unknown';

/** Judges whether the process of `identity` still lives. Provable only from the same host, boot and namespace. */
export function livenessOf(identity: ProcessIdentity, self: ProcessIdentity): Liveness {
  const provable =
    identity.host === self.host && identity.boot === self.boot && identity.pidns === self.pidns;
  if (!provable) return 'unknown';
  try {
    process.kill(identity.pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return 'dead';
  }
  if (identity.started === null) return 'unknown';
  const started = processStart(identity.pid);
  if (started === null) return self.started === null ? 'unknown' : 'dead';
  return started === identity.started ? 'alive' : 'dead';
}

/** The library is built beside the command; within the command itself there is no such place. */
function programBesideThis(): string | null {
  return import.meta.url === undefined ? null : fileURLToPath(new URL('git-state.cjs', import.meta.url));
}

function startBeside(program: string, args: readonly string[], variables: Record<string, string>): void {
  const child = spawn(process.execPath, [program, ...args], {
    cwd: dirname(program),
    env: variables,
    detached: true,
    stdio: 'ignore',
    windowsHide: true,
  });
  child.on('error', () => {});
  try {
    if (child.pid !== undefined) setPriority(child.pid, 10);
  } catch {
    // Then it runs as everybody else.
  }
  child.unref();
}

/** The real environment of this process.
 *  @param program the file of the command `git-state`. */
export function systemEnv(program = programBesideThis()): Env {
  let identity: ProcessIdentity | undefined;
  return {
    now: () => Date.now(),
    randomId,
    variables: process.env,
    get identity() {
      identity ??= currentIdentity();
      return identity;
    },
    get userName() {
      return readOrNull(() => userInfo().username) ?? 'user';
    },
    sleep: (delayMs) => new Promise((resolve) => setTimeout(resolve, delayMs)),
    ...(program !== null && existsSync(program)
      ? { background: (args, variables) => startBeside(program, args, variables) }
      : {}),
  };
}
