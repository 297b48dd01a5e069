import { type ChildProcessWithoutNullStreams, type SpawnOptions, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { kill } from 'node:process';
import { GitStateError, isGitStateError } from '../errors.ts';
import { cleanEnvironment, type Variables } from './environment.ts';
import { gitFailed } from './failure.ts';

export interface RunOptions {
  cwd?: string;
  /** What the command reads from its standard input; none by default. */
  input?: string | Uint8Array;
  /** Deadline: then the command and its children are killed. 60 s by default, 180 s for network commands. */
  timeoutMs?: number;
  /** Exit statuses that are no failure; `[0]` by default. */
  okStatuses?: readonly number[];
  /** Whether the command may talk to a remote and so needs the caller's credentials and injected settings. */
  network?: boolean;
  /** Whether the user's hooks run; they do not by default. */
  userHooks?: boolean;
  /** Variables set on top of the clean environment. */
  env?: Record<string, string>;
  signal?: AbortSignal;
}

export interface RunResult {
  status: number;
  stdout: Buffer;
  stderr: string;
}

export interface GitContext {
  cwd: string;
  variables: Variables;
  /** Absolute Git directory; without it Git looks for one, starting in `cwd`. */
  gitDir?: string;
  workTree?: string | null;
}

/** Settings of every command: no program of the user's runs, nothing of ours starts maintenance, output has no colour. */
const settings = [
  'core.fsmonitor=false',
  'gc.auto=0',
  'maintenance.auto=false',
  'core.warnAmbiguousRefs=false',
  'color.ui=false',
] as const;

/** The settings as `name=value`, hooks off unless `userHooks`. */
export function fixedSettings({ userHooks = false }: { userHooks?: boolean } = {}): string[] {
  return userHooks ? [...settings] : ['core.hooksPath=/dev/null', ...settings];
}

/** Kills a child that leads its own process group, and all that it started. */
export function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    kill(-pid, 'SIGKILL');
  } catch {
    // It has ended already.
  }
}

/** Runs `git` in a clean environment: the one place that knows how it is spawned. */
export class Git {
  readonly context: GitContext;

  constructor(context: GitContext) {
    this.context = context;
  }

  /** The environment that its commands get. */
  environment({ network = false, env }: Pick<RunOptions, 'network' | 'env'> = {}): Record<string, string> {
    const { variables, gitDir, workTree } = this.context;
    const environment = cleanEnvironment(variables, { network });
    if (gitDir !== undefined) environment.GIT_DIR = gitDir;
    if (gitDir !== undefined && workTree) environment.GIT_WORK_TREE = workTree;
    return Object.assign(environment, env);
  }

  /** Runs one command to its end.
   *  @throws GIT_FAILED unless the exit status is one of `okStatuses`; details have `timeout: true` after the
   *  deadline and `aborted: true` after the signal. @throws GIT_NOT_FOUND. */
  async run(args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#run(args, options);
      } catch (error) {
        if (attempt === readAttemptsMax || !mayRead(error)) throw error;
      }
    }
  }

  #run(args: readonly string[], options: RunOptions): Promise<RunResult> {
    const { input, network = false, okStatuses = [0], signal: abort } = options;
    const { timeoutMs = network ? 180_000 : 60_000 } = options;
    const command = args.find((arg) => !arg.startsWith('-')) ?? '';
    return new Promise((resolve, reject) => {
      const stdin = input === undefined ? 'ignore' : 'pipe';
      const { cwd, spawnArgs, spawnOptions } = this.#invocation(args, options);
      const child = spawn('git', spawnArgs, { ...spawnOptions, stdio: [stdin, 'pipe', 'pipe'] });
      const stdout: Buffer[] = [];
      const stderr: Buffer[] = [];
      const details: Record<string, unknown> = {};
      const stop = (why: 'timeout' | 'aborted') => {
        details[why] = true;
        killGroup(child.pid);
      };
      const onAbort = () => stop('aborted');
      const timer = setTimeout(() => stop('timeout'), timeoutMs);
      const settle = () => {
        clearTimeout(timer);
        abort?.removeEventListener('abort', onAbort);
      };
      if (abort?.aborted) onAbort();
      abort?.addEventListener('abort', onAbort);
      child.stdout?.on('data', (chunk: Buffer) => stdout.push(chunk));
      child.stderr?.on('data', (chunk: Buffer) => stderr.push(chunk));
      // A command may end before it has read all of its input; its exit status tells.
      child.stdin?.on('error', () => {});
      child.stdin?.end(input);
      child.on('error', (error) => {
        settle();
        reject(spawnFailure(error, { command, cwd }));
      });
      child.on('close', (status, signal) => {
        settle();
        const said = Buffer.concat(stderr).toString();
        const ok = status !== null && okStatuses.includes(status) && Object.keys(details).length === 0;
        if (ok) resolve({ status, stdout: Buffer.concat(stdout), stderr: said });
        else reject(gitFailed({ command, status, signal, stderr: said, details }));
      });
    });
  }

  /** Runs one command and returns what it printed, without white space at both ends. */
  async text(args: readonly string[], options?: RunOptions): Promise<string> {
    return (await this.run(args, options)).stdout.toString().trim();
  }

  /** Starts a process to talk to. It ends by itself when its standard input closes, so also when this process dies. */
  start(
    args: readonly string[],
    options: Pick<RunOptions, 'network' | 'env' | 'cwd'> = {},
  ): ChildProcessWithoutNullStreams {
    const { spawnArgs, spawnOptions } = this.#invocation(args, options);
    return spawn('git', spawnArgs, { ...spawnOptions, stdio: ['pipe', 'pipe', 'pipe'] });
  }

  #invocation(args: readonly string[], options: RunOptions) {
    const cwd = options.cwd ?? this.context.cwd;
    const config = fixedSettings(options).flatMap((setting) => ['-c', setting]);
    // Its own session: an interrupt at the terminal does not stop Git half-way, and nothing can ask there for a password.
    const spawnOptions: SpawnOptions & { detached: true } = {
      cwd,
      env: this.environment(options),
      detached: true,
      windowsHide: true,
    };
    return { cwd, spawnArgs: [...config, ...args], spawnOptions };
  }
}

const readAttemptsMax = 3;
const walkers: ReadonlySet<unknown> = new Set(['rev-list', 'log', 'diff-tree', 'merge-base']);

/** Whether a walk is worth another try: while packs are replaced Git may look for an object first in the new one, then in
 *  the old, and takes it for missing. */
function mayRead(error: unknown): boolean {
  if (!isGitStateError(error, 'GIT_FAILED')) return false;
  const { command, status } = error.details;
  return status === 128 && walkers.has(command);
}

/** Says why `git` could not be started at all. */
export function spawnFailure(
  error: NodeJS.ErrnoException,
  { command, cwd }: { command: string; cwd: string },
): GitStateError {
  if (error.code !== 'ENOENT') return gitFailed({ command, stderr: error.message, cause: error });
  if (!existsSync(cwd)) {
    return new GitStateError('NOT_A_REPOSITORY', `no directory '${cwd}'`, { details: { cwd }, cause: error });
  }
  return new GitStateError('GIT_NOT_FOUND', "no program 'git' on the PATH", {
    hint: 'install Git 2.34 or newer',
    details: { version: null },
    cause: error,
  });
}
