import { existsSync } from 'node:fs';
import type { SimpleGit } from 'simple-git';
import { GitStateError } from '../errors.ts';
import { cleanEnvironment } from './environment.ts';
import { gitFailed } from './failure.ts';
import type { Repository } from './repository.ts';
import { fixedSettings } from './run.ts';

/** Ends of commands that simple-git would pass over in silence: it takes an empty stderr for success. */
class ExitError extends Error {
  readonly status: number | null;

  constructor(status: number | null, stderr: string) {
    super(stderr);
    this.status = status;
  }
}

interface PorcelainOptions {
  /** Worktree to work in; by default the repository as it was opened. */
  path?: string;
  userHooks?: boolean;
}

/** simple-git for commands whose output is worth parsing, in the same environment as all others. Loaded when needed.
 *  @throws NOT_A_REPOSITORY if there is no directory `path`. */
export async function openPorcelain(
  { git: { context }, commonDir }: Repository,
  { path, userHooks = false }: PorcelainOptions = {},
): Promise<SimpleGit> {
  const baseDir = path ?? (existsSync(context.cwd) ? context.cwd : commonDir);
  if (!existsSync(baseDir)) throw new GitStateError('NOT_A_REPOSITORY', `no directory '${baseDir}'`);
  const env = cleanEnvironment(context.variables);
  if (path === undefined) env.GIT_DIR = commonDir;
  const { simpleGit } = await import('simple-git');
  return simpleGit({
    baseDir,
    // `git worktree remove` asks `git status` whether anything would be lost, and that heeds the user's settings.
    config: [
      ...fixedSettings({ userHooks }),
      'status.showUntrackedFiles=normal',
      'diff.ignoreSubmodules=none',
    ],
    // It takes every variable of Git's for an attack; these have been through our own sieve.
    allowEnvironment: Object.keys(env),
    unsafe: unsafeAllowed,
    errors: (_error, { exitCode, stdErr }) =>
      exitCode === 0 ? undefined : new ExitError(exitCode, Buffer.concat(stdErr).toString()),
  }).env(env);
}

/** What our own settings and a clean environment contain; what users give is checked before it gets here. */
const unsafeAllowed = {
  allowUnsafeHooksPath: true,
  allowUnsafeFsMonitor: true,
  allowUnsafeEditor: true,
  allowUnsafePager: true,
  allowUnsafeAskPass: true,
  allowUnsafeSshCommand: true,
  allowUnsafeConfigPaths: true,
  // Git itself sets GIT_EXEC_PATH for the commands that it starts, such as `git state`.
  allowUnsafeExec: true,
  allowUnsafeGitProxy: true,
  allowUnsafeTemplateDir: true,
} as const;

/** Turns what simple-git throws into our error. */
export function toGitStateError(error: unknown, command: string): GitStateError {
  if (error instanceof GitStateError) return error;
  const { message } = error as Error;
  return gitFailed({
    command,
    status: error instanceof ExitError ? error.status : null,
    stderr: message,
    cause: error,
  });
}

const queues = new Map<string, Promise<unknown>>();

/** Runs `action` after all earlier ones of this process on the same repository: Git's worktree commands read each
 *  other's half-written records. */
export function inTurn<T>(commonDir: string, action: () => Promise<T>): Promise<T> {
  const turn = (queues.get(commonDir) ?? Promise.resolve()).then(action);
  queues.set(
    commonDir,
    turn.catch(() => {}),
  );
  return turn;
}
