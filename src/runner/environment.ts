import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';
import { GitStateError } from '../errors.ts';
import type { Claim, Run } from './run.ts';

type Variables = Readonly<Record<string, string | undefined>>;

/** What ties Git to one repository or to one command of it (`git rev-parse --local-env-vars`, without the settings that
 *  people hand over in `GIT_CONFIG_*`): Git in the worktree has to find its own. */
const tied = new Set([
  'GIT_ALTERNATE_OBJECT_DIRECTORIES',
  'GIT_COMMON_DIR',
  'GIT_CONFIG',
  'GIT_DIR',
  'GIT_GRAFT_FILE',
  'GIT_IMPLICIT_WORK_TREE',
  'GIT_INDEX_FILE',
  'GIT_INTERNAL_SUPER_PREFIX',
  'GIT_NAMESPACE',
  'GIT_NO_REPLACE_OBJECTS',
  'GIT_OBJECT_DIRECTORY',
  'GIT_PREFIX',
  'GIT_QUARANTINE_PATH',
  'GIT_REFLOG_ACTION',
  'GIT_REPLACE_REF_BASE',
  'GIT_SHALLOW_FILE',
  'GIT_WORK_TREE',
  'OLDPWD',
]);

/** The environment of a command: the user's own, what it works on, and nothing of another repository or claim. */
export function commandEnvironment(
  { env, session }: Run,
  claim: Claim,
  { step, summaryFile }: { step: string | null; summaryFile: string },
): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const [name, value] of Object.entries(env.variables)) {
    if (value !== undefined && !tied.has(name) && !name.startsWith('GITSTATE_')) environment[name] = value;
  }
  return Object.assign(environment, {
    PWD: claim.worktree,
    GITSTATE_SESSION: session,
    GITSTATE_FEATURE: claim.id,
    GITSTATE_FEATURE_NAME: claim.feature.name,
    GITSTATE_STEP: step ?? '',
    GITSTATE_WORKER: claim.worker,
    GITSTATE_TOKEN: claim.token,
    GITSTATE_BRANCH: claim.branch,
    GITSTATE_WORKTREE: claim.worktree,
    GITSTATE_ATTEMPT: String(claim.attempt),
    GITSTATE_SUMMARY_FILE: summaryFile,
  });
}

/** Refuses a command that could only fail, before it costs every feature its attempts. A path with a slash that is
 *  not absolute is looked up in each worktree. @throws USAGE */
export function requireProgram(program: string | undefined, { PATH = '' }: Variables): void {
  if (!program) throw new GitStateError('USAGE', 'no command was given', { hint: 'name it behind --' });
  const places = program.includes('/') ? [program] : PATH.split(delimiter).map((dir) => join(dir, program));
  if ((program.includes('/') && !isAbsolute(program)) || places.some(isProgram)) return;
  throw new GitStateError('USAGE', `no program '${program}'`, {
    hint: 'give its full path, or put it on the PATH; shell syntax needs a shell: -- sh -c "..."',
  });
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
