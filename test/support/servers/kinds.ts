import { type Ended, execute } from '../cli.ts';
import { makeRepository, type TestRepository, temporaryDirectory, userEnvironment } from '../repo.ts';
import { daemonMissing, startDaemon } from './daemon.ts';
import { type HttpServer, httpMissing, startHttp, type Way } from './http.ts';
import { addBareRepository, pathMissing, startPath } from './path.ts';
import { type GitServer, settingsEnvironment } from './server.ts';
import { sshMissing, startSsh } from './ssh.ts';

/** A bare repository `repository.git` with one commit on `main`, and how a client with all rights gets to it. */
export interface Served {
  server: GitServer;
  bare: TestRepository;
  url: string;
  env: Record<string, string>;
}

/** A kind of server, with the right to push. */
export interface Kind {
  name: string;
  /** What to install where it cannot be started. */
  missing: string | null;
  /** Whether something can stand between the client and the server. */
  network: boolean;
  start(folder: string): Promise<Omit<Served, 'bare'>>;
}

/** Every server there is. */
export const kinds: readonly Kind[] = [
  { name: 'a path', missing: pathMissing, network: false, start: (folder) => open(startPath(folder)) },
  {
    ...{ name: 'file://', missing: pathMissing, network: false },
    start: (folder) => open(startPath(folder, { scheme: 'file' })),
  },
  { name: 'git daemon', missing: daemonMissing, network: true, start: (folder) => open(startDaemon(folder)) },
  { name: 'sshd', missing: sshMissing, network: true, start: (folder) => open(startSsh(folder)) },
  httpBy('header'),
  httpBy('userinfo'),
  httpBy('helper'),
];

/** One kind by its name. */
export function kindOf(name: string): Kind {
  return kinds.find((kind) => kind.name === name)!;
}

async function open(starting: Promise<GitServer>): Promise<Omit<Served, 'bare'>> {
  const server = await starting;
  return { server, url: server.url('repository.git'), env: server.env };
}

function httpBy(way: Way): Kind {
  const start = async (folder: string) => {
    const server: HttpServer = await startHttp(folder, { clone: 'closed' });
    const { url, settings } = server.access('repository.git', way);
    return { server, url, env: settingsEnvironment(settings) };
  };
  return { name: `HTTP with a ${way}`, missing: httpMissing, network: true, start };
}

/** Starts a server of that kind with its repository. */
export async function serve(kind: Kind): Promise<Served> {
  const folder = temporaryDirectory();
  const bare = addBareRepository(folder);
  const served = { bare, ...(await kind.start(folder)) };
  await gitOk(makeRepository().path, ['push', '-q', served.url, 'main'], served.env);
  return served;
}

/** The way to a served repository through a port in front of its server. */
export function through<S extends Pick<Served, 'url' | 'env'>>(served: S, { port }: { port: number }): S {
  const direct = new URL(served.url);
  const moved = new URL(served.url);
  moved.port = String(port);
  const env = Object.entries(served.env).map(([key, value]) => [key, value.replace(direct.host, moved.host)]);
  return { ...served, url: moved.href, env: Object.fromEntries(env) };
}

/** Runs Git with the settings of a well-behaved user who is never asked anything. Does not block this process. */
export function git(cwd: string, args: readonly string[], env: Record<string, string> = {}): Promise<Ended> {
  return execute('git', args, { cwd, env: { ...userEnvironment, GIT_TERMINAL_PROMPT: '0', ...env } });
}

/** As `git`, for what has to succeed. @returns standard output without white space at both ends. */
export async function gitOk(
  cwd: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<string> {
  const { status, stdout, stderr } = await git(cwd, args, env);
  if (status !== 0) throw new Error(`git ${args.join(' ')}: ${stderr}`);
  return stdout.trim();
}

/** Clones a served repository. @returns the path of the clone. */
export async function cloneServed(
  { url, env }: Pick<Served, 'url' | 'env'>,
  ...flags: string[]
): Promise<string> {
  const path = temporaryDirectory();
  await gitOk(path, ['clone', '-q', ...flags, url, 'clone'], env);
  return `${path}/clone`;
}

/** Commits in a clone. @returns the commit. */
export async function commitIn(cwd: string, message = 'work'): Promise<string> {
  await gitOk(cwd, ['commit', '-q', '--allow-empty', '-m', message]);
  return gitOk(cwd, ['rev-parse', 'HEAD']);
}
