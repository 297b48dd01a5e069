import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { homedir, userInfo } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { type ConfigEntry, GitConfig } from './config.ts';
import type { Variables } from './environment.ts';
import { replaceFile } from './files.ts';
import { type Location, locateRepository } from './locate.ts';
import { bindRepository, openRepository, type Repository, type RepositoryFacts } from './repository.ts';

interface Memory {
  /** What every file that the facts depend on looked like; null where there was none. */
  stamps: Record<string, string | null>;
  facts: Omit<RepositoryFacts, 'config'> & { config: readonly ConfigEntry[] };
}

interface OpenOptions {
  cwd: string;
  variables: Variables;
  /** Directory for what is remembered, relative to the common directory. It may be deleted at any time. */
  cacheDirectory: string;
}

/** Variables with which only Git itself can say what holds. */
const decisive =
  /^GIT_(?:DIR|WORK_TREE|COMMON_DIR|OBJECT_DIRECTORY|CEILING_DIRECTORIES|DISCOVERY_.*|QUARANTINE_PATH|CONFIG|CONFIG_PARAMETERS|CONFIG_COUNT)$/;

/** Settings that may hold secrets are not copied: who needs them asks Git. */
const secret = /^(?:http|credential|sendemail|imap)\.|token|password|secret/i;

/** Opens a repository as `openRepository` does, but without any Git process if nothing has changed that the answer
 *  depends on: Git itself, the places, owners and every configuration file. Settings that may hold secrets (`http.*`,
 *  `credential.*`) are missing from a repository opened in this way. @throws as `openRepository`. */
export async function openRemembered({ cwd, variables, cacheDirectory }: OpenOptions): Promise<Repository> {
  const asked = Object.keys(variables).some((name) => decisive.test(name) && variables[name] !== undefined);
  const location = asked ? null : locateRepository(cwd);
  if (location === null) return openRepository({ cwd, variables });
  const path = join(location.commonDir, cacheDirectory, `repository-${keyOf(location, variables)}.json`);
  const facts = recall(path, location);
  if (facts !== null) return bindRepository({ ...facts, cwd: resolve(cwd) }, variables);
  const repository = await openRepository({ cwd, variables });
  const agrees = repository.gitDir === location.gitDir && repository.workTree === location.workTree;
  if (agrees) await remember(path, { repository, location, variables });
  return repository;
}

const lookups = [
  'HOME',
  'XDG_CONFIG_HOME',
  'GIT_CONFIG_GLOBAL',
  'GIT_CONFIG_SYSTEM',
  'GIT_CONFIG_NOSYSTEM',
  'PATH',
  'GIT_EXEC_PATH',
] as const;

function keyOf(location: Location, variables: Variables): string {
  const parts = [1, location, userInfo().uid, lookups.map((name) => variables[name] ?? null)];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16);
}

/** A file that is written anew, changed, replaced or given away has another stamp. */
function stampOf(path: string): string | null {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
  if (stat === undefined) return null;
  // Of a directory only who owns it: it changes all the time.
  if (stat.isDirectory()) return `directory ${stat.uid}`;
  return [stat.dev, stat.ino, stat.size, stat.mtimeNs, stat.ctimeNs, stat.uid].join(' ');
}

function recall(path: string, location: Location): RepositoryFacts | null {
  try {
    const { uid } = userInfo();
    const stat = lstatSync(path);
    // Somebody else's file, or a link to one, is no memory of ours.
    if (!stat.isFile() || (uid !== -1 && stat.uid !== uid)) return null;
    const { stamps, facts } = JSON.parse(readFileSync(path, 'utf8')) as Memory;
    const agrees = facts.gitDir === location.gitDir && facts.commonDir === location.commonDir;
    if (!agrees || Object.entries(stamps).some(([file, stamp]) => stampOf(file) !== stamp)) return null;
    return { ...facts, config: new GitConfig(facts.config) };
  } catch {
    return null;
  }
}

interface Opened {
  repository: Repository;
  location: Location;
  variables: Variables;
}

async function remember(path: string, { repository, location, variables }: Opened): Promise<void> {
  // Which files count then depends on the branch, and so on every checkout.
  if (repository.config.entries.some(({ key }) => key.startsWith('includeif.onbranch:'))) return;
  const { git: _git, shallow: _shallow, quarantined: _quarantined, ...facts } = repository;
  const stamps = Object.fromEntries(
    dependencies({ repository, location, variables }).map((file) => [file, stampOf(file)]),
  );
  const config = facts.config.entries.filter(({ key }) => !secret.test(key));
  const memory: Memory = { stamps, facts: { ...facts, config } };
  try {
    mkdirSync(dirname(path), { recursive: true });
    await replaceFile(path, JSON.stringify(memory), { mode: 0o600, fsync: false });
  } catch {
    // A repository that cannot be written is opened with Git each time.
  }
}

/** Every file whose change could change the facts, those that do not exist yet included. */
function dependencies({ repository, location, variables }: Opened): string[] {
  const { workTree, gitDir, commonDir } = location;
  const home = variables.HOME ?? homedir();
  const base = repository.git.context.cwd;
  const files = [workTree, join(workTree, '.git'), gitDir, commonDir, join(commonDir, 'config')];
  files.push(join(gitDir, 'config.worktree'), variables.GIT_CONFIG_SYSTEM ?? '/etc/gitconfig');
  if (variables.GIT_CONFIG_GLOBAL !== undefined) files.push(variables.GIT_CONFIG_GLOBAL);
  files.push(
    join(home, '.gitconfig'),
    join(variables.XDG_CONFIG_HOME ?? join(home, '.config'), 'git', 'config'),
  );
  for (const directory of (variables.PATH ?? '').split(delimiter)) files.push(join(directory, 'git'));
  for (const { key, value, origin } of repository.config.entries) {
    const from = resolve(base, origin.replace(/^file:/, ''));
    if (origin.startsWith('file:')) files.push(from);
    const included = /^include(?:if\..*)?\.path$/s.test(key) ? value : null;
    if (included !== null) files.push(resolve(dirname(from), included.replace(/^~\//, `${home}/`)));
  }
  return [...new Set(files.filter((file) => file !== '').map((file) => resolve(base, file)))];
}
