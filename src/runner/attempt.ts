import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { type Env, processStart } from '../env.ts';
import { ErrorTail, type Log } from './logs.ts';
import { endGroup } from './process-group.ts';
import type { Child } from './renewal.ts';

/** How a command ended. */
export interface Ending {
  status: number | null;
  signal: string | null;
  /** Why it did not even start. */
  failure: string | null;
  /** The end of its error output. */
  errorTail: string;
  /** Whether it was ended from here. */
  aborted: boolean;
}

export interface Attempt {
  command: readonly string[];
  cwd: string;
  variables: Record<string, string>;
  log: Log;
  env: Env;
  graceMs: number;
  /** Ends the command. */
  abort: AbortSignal;
  onStart(child: Child): void;
}

type Running = ChildProcessByStdio<null, null, Readable>;

/** How long its error output is read on after a command's whole group has ended: somebody else may hold it open. */
const drainMs = 1000;

/** Runs a command to its end, as the leader of a process group. What it leaves behind in that group is ended, too: the
 *  worktree may be gone next, or be another attempt's. */
export async function runAttempt(attempt: Attempt): Promise<Ending> {
  const tail = new ErrorTail();
  const ending = { status: null, signal: null, failure: null, aborted: false };
  if (attempt.abort.aborted) return { ...ending, errorTail: '', aborted: true };
  let child: Running;
  try {
    child = start(attempt);
  } catch (error) {
    return { ...ending, errorTail: '', failure: (error as Error).message };
  }
  const exited = exitOf(child);
  const drained = copy(child.stderr, attempt.log, tail);
  let aborted = false;
  const onAbort = () => {
    aborted = true;
    if (child.pid !== undefined) void endGroup(child.pid, attempt);
  };
  attempt.abort.addEventListener('abort', onAbort);
  if (child.pid !== undefined) attempt.onStart({ pid: child.pid, started: processStart(child.pid) });
  const exit = await exited;
  if (child.pid !== undefined) await endGroup(child.pid, attempt);
  attempt.abort.removeEventListener('abort', onAbort);
  await Promise.race([drained, attempt.env.sleep(drainMs)]);
  child.stderr.destroy();
  await drained;
  return { ...ending, ...exit, errorTail: tail.text(), aborted };
}

/** Its output goes straight into the log, however much it is; only the error output passes through here. */
function start({ command, cwd, variables, log }: Attempt): Running {
  const [program, ...args] = command;
  return spawn(program!, args, {
    cwd,
    env: variables,
    detached: true,
    windowsHide: true,
    stdio: ['ignore', log.file.fd, 'pipe'],
  }) as Running;
}

function exitOf(child: Running): Promise<Pick<Ending, 'status' | 'signal' | 'failure'>> {
  return new Promise((resolve) => {
    child.once('exit', (status, signal) => resolve({ status, signal, failure: null }));
    // Without a process id there will be no exit.
    child.once('error', (error) => {
      if (child.pid === undefined) resolve({ status: null, signal: null, failure: error.message });
    });
  });
}

/** Reads no faster than the log takes it. A log that cannot be written does not stop the command. */
async function copy(stream: Readable, { file }: Log, tail: ErrorTail): Promise<void> {
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      tail.add(chunk);
      await file.write(chunk).catch(() => {});
    }
  } catch {
    // The stream was destroyed: nothing more is wanted of it.
  }
}
