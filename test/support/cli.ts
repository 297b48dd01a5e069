import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeRepository, type TestRepository, temporaryDirectory } from './repo.ts';

/** The command as it is shipped. */
export const commandFile = fileURLToPath(new URL('../../dist/git-state.cjs', import.meta.url));

export interface Ended {
  status: number | null;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  cwd?: string;
  env?: Record<string, string>;
  input?: string;
}

/** Variables of every run: the user's hostile ones, and a time zone that does not depend on the machine. */
export function commandEnvironment(env: Record<string, string> = {}): NodeJS.ProcessEnv {
  return { ...process.env, TZ: 'UTC', TERM: 'xterm', ...env };
}

/** Starts a program. Its input is open until somebody ends it. */
export function start(program: string, args: readonly string[], { cwd, env }: RunOptions = {}): ChildProcess {
  return spawn(program, args, { cwd, env: commandEnvironment(env), stdio: 'pipe' });
}

/** Waits for the end of a process. */
export async function ended(child: ChildProcess): Promise<Ended> {
  const texts = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]!.setEncoding('utf8').on('data', (text: string) => {
      texts[name] += text;
    });
  }
  const status = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject).on('close', resolve);
  });
  return { status, ...texts };
}

/** Runs a program to its end. */
export function execute(program: string, args: readonly string[], options: RunOptions = {}): Promise<Ended> {
  const child = start(program, args, options);
  child.stdin!.on('error', () => {}).end(options.input ?? '');
  return ended(child);
}

/** Runs `git-state` to its end. */
export function gitState(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
  return execute(process.execPath, [commandFile, ...args], options);
}

/** Runs a command line on a terminal of 80 columns. */
export function onTerminal(line: string, options: RunOptions = {}): Promise<Ended> {
  return execute('script', terminalArguments(line), withCommand(options));
}

/** As `onTerminal`, for a command line that goes on until a key is pressed. */
export function startOnTerminal(line: string, options: RunOptions = {}): ChildProcess {
  return start('script', terminalArguments(line), withCommand(options));
}

function terminalArguments(line: string): string[] {
  const sized = `stty cols 80 rows 24 2>/dev/null; ${line}`;
  return process.platform === 'darwin'
    ? ['-q', '/dev/null', 'sh', '-c', sized]
    : ['-qec', sized, '/dev/null'];
}

/** Resolves once a process has printed, from now on, what `pattern` matches. */
export function printed(child: ChildProcess, pattern: RegExp): Promise<string> {
  let text = '';
  return new Promise((resolve, reject) => {
    child.stdout!.setEncoding('utf8').on('data', (piece: string) => {
      text += piece;
      if (pattern.test(text)) resolve(text);
    });
    child.on('close', (status) => reject(new Error(`ended with ${status} after: ${text}`)));
  });
}

let folder: string | undefined;

/** Adds a folder with `git-state` in it to the path, so that Git finds it. */
export function withCommand(options: RunOptions = {}): RunOptions {
  if (folder === undefined) {
    folder = join(temporaryDirectory(), 'bin');
    mkdirSync(folder);
    symlinkSync(commandFile, join(folder, 'git-state'));
  }
  return { ...options, env: { PATH: `${folder}:${process.env.PATH}`, ...options.env } };
}

export interface Answered extends Ended {
  /** Standard output as JSON. */
  json: Record<string, unknown>;
}

/** A repository in which commands run. */
export interface Workplace {
  repository: TestRepository;
  /** Runs words split at spaces; words that hold some are given as a list. */
  run(args: string | readonly string[], options?: RunOptions): Promise<Ended>;
  /** As `run`, for commands that have to succeed. @returns standard output without its last newline. */
  ok(args: string | readonly string[], options?: RunOptions): Promise<string>;
  /** As `ok`, with `--json`. */
  json<T = Record<string, unknown>>(args: string | readonly string[], options?: RunOptions): Promise<T>;
  /** The error that a command ends with, from `--json`. */
  error(args: string | readonly string[], options?: RunOptions): Promise<Refusal>;
  /** As `ok`, as a terminal of 100 columns would show it. */
  human(args: string | readonly string[], options?: RunOptions): Promise<string>;
}

export interface Refusal {
  status: number | null;
  code: string;
  message: string;
  hint: string | null;
  retryable: boolean;
  details: Record<string, unknown>;
}

/** A new repository, with a session called S unless `init` is false. */
export async function makeWorkplace({ session = true }: { session?: boolean } = {}): Promise<Workplace> {
  const repository = makeRepository();
  const words = (args: string | readonly string[]) => (typeof args === 'string' ? args.split(' ') : args);
  const run: Workplace['run'] = (args, options) =>
    gitState(words(args), { cwd: repository.path, ...options });
  const ok: Workplace['ok'] = async (args, options) => {
    const { status, stdout, stderr } = await run(args, options);
    if (status !== 0) throw new Error(`${args} ended with ${status}: ${stderr}${stdout}`);
    return stdout.replace(/\n$/, '');
  };
  const place: Workplace = {
    repository,
    run,
    ok,
    async json<T>(args: string | readonly string[], options?: RunOptions) {
      const text = await ok(['--json', ...words(args)], options);
      if (text.includes('\n')) throw new Error(`more than one line: ${text}`);
      const value = JSON.parse(text) as { schema_version: number };
      if (Object.keys(value)[0] !== 'schema_version' || value.schema_version !== 1) {
        throw new Error(`no schema version first: ${text}`);
      }
      return value as T;
    },
    async error(args, options) {
      const { status, stderr } = await run(['--json', ...words(args)], options);
      const last = stderr.trim().split('\n').at(-1)!;
      const { schema_version, error } = JSON.parse(last) as { schema_version: number; error: Refusal };
      if (schema_version !== 1) throw new Error(`no schema version: ${stderr}`);
      return { ...error, status };
    },
    human: (args, options) => ok(args, { ...options, env: { GITSTATE_FORCE_TTY: '100', ...options?.env } }),
  };
  if (session) {
    await ok('init');
    await ok('session start S');
  }
  return place;
}
