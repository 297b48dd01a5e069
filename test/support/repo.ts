import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll } from 'vitest';

const made: string[] = [];
afterAll(() => {
  for (const path of made.splice(0)) rmSync(path, { recursive: true, force: true, maxRetries: 5 });
});

/** A new empty directory, removed after the tests of the file. Its path has no symbolic links. */
export function temporaryDirectory(name = 'gitstate-test-'): string {
  const path = realpathSync(mkdtempSync(join(tmpdir(), name)));
  made.push(path);
  return path;
}

/** The environment of a well-behaved user: a name, no hooks, no settings. What the code under test gets is
 *  `process.env`, which is hostile. */
export const userEnvironment: Record<string, string> = {
  PATH: process.env.PATH ?? '',
  HOME: tmpdir(),
  LC_ALL: 'C',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_AUTHOR_NAME: 'A User',
  GIT_AUTHOR_EMAIL: 'user@example.com',
  GIT_COMMITTER_NAME: 'A User',
  GIT_COMMITTER_EMAIL: 'user@example.com',
};

interface GitOptions {
  input?: string | Uint8Array;
  env?: Record<string, string>;
}

/** Runs Git as the user would, in `cwd`. @returns what it printed, without white space at both ends. */
export function runGit(cwd: string, args: readonly string[], { input, env }: GitOptions = {}): string {
  const { status, stdout, stderr, error } = spawnSync('git', args, {
    cwd,
    input,
    env: { ...userEnvironment, ...env },
    maxBuffer: 2 ** 30,
  });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`git ${args.join(' ')}: ${stderr.toString()}`);
  return stdout.toString().trim();
}

export interface TestRepository {
  /** Top level, or the Git directory if the repository is bare. */
  path: string;
  git(...args: string[]): string;
  gitWithInput(input: string | Uint8Array, ...args: string[]): string;
  /** Writes a file of the work tree, with its directories. */
  write(file: string, text: string): void;
  /** Commits everything. @returns the commit. */
  commit(message?: string): string;
}

/** Wraps a repository that exists, or a worktree of one. */
export function repositoryAt(path: string): TestRepository {
  const git = (...args: string[]) => runGit(path, args);
  return {
    path,
    git,
    gitWithInput: (input, ...args) => runGit(path, args, { input }),
    write(file, text) {
      mkdirSync(dirname(join(path, file)), { recursive: true });
      writeFileSync(join(path, file), text);
    },
    commit(message = 'work') {
      git('add', '-A');
      git('commit', '-q', '--allow-empty', '-m', message);
      return git('rev-parse', 'HEAD');
    },
  };
}

interface RepositoryOptions {
  bare?: boolean;
  objectFormat?: 'sha1' | 'sha256';
  /** Whether it has a first commit with one file, on the branch `main`. */
  empty?: boolean;
  /** Name of its directory. */
  name?: string;
}

/** Makes a real repository in a temporary directory. */
export function makeRepository(options: RepositoryOptions = {}): TestRepository {
  const { bare = false, objectFormat = 'sha1', empty = bare, name = 'repository' } = options;
  const path = join(temporaryDirectory(), name);
  mkdirSync(path);
  const flags = [`--object-format=${objectFormat}`, '--initial-branch=main', ...(bare ? ['--bare'] : [])];
  runGit(path, ['init', '-q', ...flags]);
  const repository = repositoryAt(path);
  if (!empty) {
    repository.write('README', 'a project\n');
    repository.commit('begin');
  }
  return repository;
}

/** Clones `from`, which may be a path or URL. */
export function cloneRepository(from: string, ...flags: string[]): TestRepository {
  const path = join(temporaryDirectory(), 'clone');
  runGit(dirname(path), ['clone', '-q', ...flags, from, path]);
  return repositoryAt(path);
}
