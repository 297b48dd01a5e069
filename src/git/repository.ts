import { realpathSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { GitStateError } from '../errors.ts';
import { GitConfig } from './config.ts';
import { discoveryEnvironment, type Variables } from './environment.ts';
import { firstMessage, gitFailed } from './failure.ts';
import type { ObjectFormat } from './ids.ts';
import { Git } from './run.ts';

export type GitVersion = readonly [major: number, minor: number, patch: number];

/** The oldest Git that has everything that is used here. */
const oldestVersion: GitVersion = [2, 34, 0];

/** What there is to know of a repository before anything is read from it. All paths are absolute. */
export interface RepositoryFacts {
  /** The directory from which it was found. */
  cwd: string;
  /** Git directory of the worktree we are in. */
  gitDir: string;
  /** Git directory that all worktrees share, without symbolic links. */
  commonDir: string;
  /** Top level of the worktree we are in; null where there is none, as inside a Git directory. */
  workTree: string | null;
  /** Top level of the main worktree; null if the repository is bare, or where Git cannot tell. */
  mainWorkTree: string | null;
  /** Name of the linked worktree we are in; null in the main one. */
  worktreeName: string | null;
  bare: boolean;
  objectFormat: ObjectFormat;
  /** Where new objects go. */
  objectsDir: string;
  refFormat: 'files' | 'reftable';
  version: GitVersion;
  config: GitConfig;
}

export interface Repository extends RepositoryFacts {
  /** Whether we run inside a receive hook, whose objects and refs may yet be refused. */
  readonly quarantined: boolean;
  /** Git, bound to this repository. */
  readonly git: Git;
  /** Whether history is cut off (`git clone --depth`), as it is now. */
  shallow(): boolean;
}

/** Compares Git versions: whether `version` is `wanted` or newer. */
export function isAtLeast(
  version: GitVersion,
  ...wanted: [major: number, minor: number, patch?: number]
): boolean {
  for (const [index, number] of wanted.entries()) {
    const difference = (version[index] ?? 0) - (number ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return true;
}

/** Finds the repository of `cwd` as Git does, with `GIT_DIR`, `GIT_WORK_TREE` and `GIT_COMMON_DIR` honoured. Two Git
 *  processes side by side.
 *  @throws GIT_NOT_FOUND (none, or older than 2.34), NOT_A_REPOSITORY, GIT_FAILED. */
export async function openRepository(from: { cwd: string; variables: Variables }): Promise<Repository> {
  const { variables } = from;
  const cwd = resolve(from.cwd);
  const git = new Git({ cwd, variables });
  const env = discoveryEnvironment(variables);
  const [found, settings] = await Promise.all([
    git.run(discovery, { env: { ...env, GIT_TRACE2_EVENT: '2' }, okStatuses: [0, 128] }),
    git.run(['config', '--list', '-z', '--includes', '--show-origin'], { env, okStatuses: [0, 1, 128] }),
  ]);
  const { version, messages } = splitTrace(found.stderr);
  requireVersion(version ?? parseVersion(await git.text(['version'])));
  const lines = found.stdout.toString().split('\n').slice(0, -1);
  const [bareHere, gitDir, commonDir, objectFormat, objectsDir, workTree = null] = lines;
  if (objectsDir === undefined) throw discoveryFailure(messages, cwd);
  const config = GitConfig.parse(settings.stdout);
  const common = realpathSync(commonDir!);
  const facts = {
    cwd,
    gitDir: gitDir!,
    commonDir: common,
    workTree,
    bare: bareHere === 'true' || (config.bool('core.bare', false) && variables.GIT_WORK_TREE === undefined),
    objectFormat: objectFormat as ObjectFormat,
    objectsDir,
    refFormat: config.get('extensions.refstorage')?.startsWith('reftable') ? 'reftable' : 'files',
    version: version ?? oldestVersion,
    worktreeName: dirname(gitDir!) === join(common, 'worktrees') ? basename(gitDir!) : null,
    config,
  } as const;
  return bindRepository({ ...facts, mainWorkTree: mainWorkTreeOf(facts) }, variables);
}

/** Makes a repository of facts found earlier. No Git process runs. */
export function bindRepository(facts: RepositoryFacts, variables: Variables): Repository {
  const { commonDir, gitDir, workTree } = facts;
  return {
    ...facts,
    quarantined: Boolean(variables.GIT_QUARANTINE_PATH),
    git: new Git({ cwd: workTree ?? commonDir, variables, gitDir, workTree }),
    shallow: () => (statSync(join(commonDir, 'shallow'), { throwIfNoEntry: false })?.size ?? 0) > 0,
  };
}

/** The top level comes last: where there is no worktree Git stops there, and the other lines have been printed. */
const discovery = [
  'rev-parse',
  '--path-format=absolute',
  '--is-bare-repository',
  '--absolute-git-dir',
  '--git-common-dir',
  '--show-object-format',
  '--git-path',
  'objects',
  '--show-toplevel',
] as const;

function parseVersion(text: string): GitVersion | undefined {
  const match = /(\d+)\.(\d+)(?:\.(\d+))?/.exec(text);
  return match === null ? undefined : [Number(match[1]), Number(match[2]), Number(match[3] ?? 0)];
}

/** Git's event trace opens with its version, which saves a process. */
function splitTrace(stderr: string): { version: GitVersion | undefined; messages: string } {
  const lines = stderr.split('\n');
  const opening = lines.find((line) => line.startsWith('{"event":"version"'));
  return {
    version: opening === undefined ? undefined : parseVersion(/"exe":"([^"]*)"/.exec(opening)?.[1] ?? ''),
    messages: lines.filter((line) => !line.startsWith('{"event"')).join('\n'),
  };
}

function requireVersion(version: GitVersion | undefined): void {
  if (version === undefined || isAtLeast(version, ...oldestVersion)) return;
  throw new GitStateError('GIT_NOT_FOUND', `git ${version.join('.')} is too old`, {
    hint: `install Git ${oldestVersion.slice(0, 2).join('.')} or newer`,
    details: { version: version.join('.') },
  });
}

function discoveryFailure(stderr: string, cwd: string): GitStateError {
  const said = firstMessage(stderr);
  const details = { cwd, stderr };
  if (/dubious ownership|unsafe repository/.test(stderr)) {
    const advice = /git config --global --add safe\.directory .*/.exec(stderr)?.[0];
    return new GitStateError('NOT_A_REPOSITORY', said, {
      hint: `if you trust its owner: \`${advice ?? 'git config --global --add safe.directory <path>'}\``,
      details,
    });
  }
  if (/not a git repository|cannot use bare repository/i.test(stderr)) {
    return new GitStateError('NOT_A_REPOSITORY', `no Git repository at '${cwd}'`, {
      hint: 'run `git init` first, or go to a repository',
      details,
    });
  }
  return gitFailed({ command: 'rev-parse', status: 128, stderr, details: { cwd } });
}

function mainWorkTreeOf(facts: Omit<RepositoryFacts, 'mainWorkTree'>): string | null {
  const { bare, config, commonDir, worktreeName, workTree } = facts;
  if (bare) return null;
  if (worktreeName === null && workTree !== null) return workTree;
  const configured = config.get('core.worktree');
  if (configured !== undefined) return resolve(commonDir, configured);
  return basename(commonDir) === '.git' ? dirname(commonDir) : null;
}
