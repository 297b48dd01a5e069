import { GitStateError } from '../errors.ts';
import { firstMessage, redactUrls } from './failure.ts';
import { type Oid, zeroOid } from './ids.ts';
import { type PushAnswer, parsePush } from './push-answer.ts';
import type { Repository } from './repository.ts';
import type { RunResult } from './run.ts';

/** Talking to the server behind a remote, with real `git fetch` and `git push`: their credentials, protocols and
 *  proxies. Only the refs that are named travel, nothing asks for a password, and nothing waits for ever. */

export interface RefUpdate {
  /** Full name on the server. */
  ref: string;
  /** What it holds afterwards; null: it is deleted. */
  newOid: Oid | null;
  /** What it has to hold on the server now; null: it must not exist; undefined: anything. */
  oldOid?: Oid | null | undefined;
}

interface FetchOptions {
  /** What the server probably has, so that nothing else is offered to it; empty: nothing is known of it. */
  have: readonly Oid[];
  /** Commits of history at most, for a branch that is met for the first time. */
  depth?: number | undefined;
}

interface TransportOptions {
  /** Name of a configured remote. */
  remote: string;
  /** Deadline of one exchange with the server, in milliseconds. */
  timeoutMs: number;
  /** Given to the server with each push (`git push --push-option`). */
  pushOptions?: readonly string[];
}

/** The name of a remote that is configured. @throws USAGE */
export function requireRemote({ config }: Pick<Repository, 'config'>, name: string): string {
  if (config.get(`remote.${name}.url`) !== undefined) return name;
  const known = remotesOf({ config });
  throw new GitStateError('USAGE', `no remote '${redactUrls(name)}' is configured here`, {
    hint:
      known.length > 0
        ? `there is ${known.map((remote) => `'${remote}'`).join(', ')}; see \`git remote -v\``
        : 'add it with `git remote add NAME URL`',
    details: { remotes: known },
  });
}

/** Names of the configured remotes, as Git lists them. */
export function remotesOf({ config }: Pick<Repository, 'config'>): string[] {
  const names = config.entries.flatMap(({ key }) => /^remote\.(.+)\.url$/s.exec(key)?.[1] ?? []);
  return [...new Set(names)];
}

export class Transport {
  readonly remote: string;
  readonly #repository: Repository;
  readonly #timeoutMs: number;
  readonly #pushOptions: readonly string[];

  constructor(repository: Repository, { remote, timeoutMs, pushOptions = [] }: TransportOptions) {
    this.remote = requireRemote(repository, remote);
    this.#repository = repository;
    this.#timeoutMs = timeoutMs;
    this.#pushOptions = pushOptions;
  }

  /** What the refs of these names and patterns hold on the server. @throws REMOTE_UNREACHABLE, REMOTE_REJECTED */
  async list(patterns: readonly string[]): Promise<Map<string, Oid>> {
    const result = await this.#run(['ls-remote', '--quiet', '--', this.remote, ...patterns]);
    if (result.status !== 0) throw failureOf(result, this.remote);
    const lines = result.stdout.toString().split('\n').slice(0, -1);
    return new Map(lines.map((line) => line.split('\t').reverse() as [string, Oid]));
  }

  /** Brings refs and what they reach. @returns whether each could be moved as its refspec says; where it could not,
   *  look at the refs. @throws REMOTE_UNREACHABLE, REMOTE_REJECTED */
  async fetch(refspecs: readonly string[], { have, depth }: FetchOptions): Promise<boolean> {
    const tips = have.map((oid) => `--negotiation-tip=${oid}`);
    const args = [
      // Without anything in common there is nothing to negotiate; else every ref of the user's would be offered.
      ...(tips.length === 0 ? ['-c', 'fetch.negotiationAlgorithm=noop'] : []),
      ...['-c', 'fetch.pruneTags=false', '-c', 'fetch.writeCommitGraph=false'],
      ...['fetch', '--quiet', '--no-tags', '--no-prune', '--no-write-fetch-head', '--no-auto-maintenance'],
      ...['--no-recurse-submodules', '--no-filter', '--refmap='],
      ...tips,
      ...(depth === undefined ? [] : [`--depth=${depth}`]),
      ...['--', this.remote, ...refspecs],
    ];
    const result = await this.#run(args);
    if (result.status === 0) return true;
    if (result.status === 1 || /couldn't find remote ref/.test(result.stderr)) return false;
    throw failureOf(result, this.remote);
  }

  /** Moves refs on the server, all or none, each only if it holds what it is said to hold.
   *  @returns `unclear` where the server may have moved them without our hearing of it.
   *  @throws REMOTE_UNREACHABLE where nothing was sent, REMOTE_REJECTED where the server refuses for good. */
  async push(updates: readonly RefUpdate[]): Promise<PushAnswer> {
    const zero = zeroOid(this.#repository.objectFormat);
    const conditions = updates.flatMap(({ ref, oldOid }) =>
      oldOid === undefined ? [] : [`--force-with-lease=${ref}:${oldOid ?? zero}`],
    );
    const refspecs = updates.map(({ ref, newOid, oldOid }) =>
      newOid === null ? `:${ref}` : `${oldOid === undefined ? '+' : ''}${newOid}:${ref}`,
    );
    const args = [
      // A mirror takes no refspecs; options of the user's pushes are not for ours.
      ...['-c', `remote.${this.remote}.mirror=false`, '-c', 'push.pushOption='],
      ...['push', '--porcelain', '--atomic', '--no-verify', '--no-signed', '--no-follow-tags'],
      ...['--recurse-submodules=no', ...this.#pushOptions.map((option) => `--push-option=${option}`)],
      ...[...conditions, '--', this.remote, ...refspecs],
    ];
    const result = await this.#run(args);
    const answer = parsePush(result);
    if (answer.kind !== 'failed') return answer;
    const failure = failureOf(result, this.remote);
    if (failure.code === 'REMOTE_REJECTED' || answer.nothingSent) throw failure;
    return { kind: 'unclear', message: failure.message };
  }

  async #run(args: readonly string[]): Promise<RunResult> {
    const { git } = this.#repository;
    const slowS = Math.max(1, Math.min(20, Math.floor(this.#timeoutMs / 2000)));
    const settings = ['-c', 'http.lowSpeedLimit=1', '-c', `http.lowSpeedTime=${slowS}`];
    const anyStatus = Array.from({ length: 256 }, (_, status) => status);
    try {
      return await git.run([...settings, ...args], {
        network: true,
        timeoutMs: this.#timeoutMs,
        okStatuses: anyStatus,
        env: this.#sshEnvironment(slowS),
      });
    } catch (error) {
      if (!(error instanceof GitStateError) || error.code !== 'GIT_FAILED') throw error;
      const seconds = Math.round(this.#timeoutMs / 100) / 10;
      const said = error.details.timeout
        ? `no answer within ${seconds} s`
        : String(error.details.stderr ?? '');
      return { status: 255, stdout: Buffer.alloc(0), stderr: said };
    }
  }

  /** Ssh asks at the terminal, and waits for a host for minutes, unless it is told otherwise. */
  #sshEnvironment(connectS: number): Record<string, string> {
    const { config, git } = this.#repository;
    const { GIT_SSH_COMMAND, GIT_SSH } = git.context.variables;
    if (GIT_SSH_COMMAND !== undefined || GIT_SSH !== undefined || config.get('core.sshcommand') !== undefined)
      return {};
    return { GIT_SSH_COMMAND: `ssh -o BatchMode=yes -o ConnectTimeout=${connectS}` };
  }
}

const unauthorised =
  /could not read (?:Username|Password)|Authentication failed|terminal prompts disabled|Permission denied|Host key verification failed|returned error: 401/i;
const refused =
  /returned error: 4\d\d|HTTP 4\d\d|does not appear to be a git repository|[Rr]epository .*not (?:found|exist)|not found|access denied|not exported|service not enabled|not valid: is this a git repository/i;

/** Says why an exchange with the server failed. Its words choose between codes; they decide nothing else.
 *  @returns REMOTE_REJECTED where the server answered and would again, else REMOTE_UNREACHABLE. */
function failureOf({ status, stderr }: Pick<RunResult, 'status' | 'stderr'>, remote: string): GitStateError {
  const said = firstMessage(stderr) || `exit status ${status}`;
  const details = { remote, status, stderr: redactUrls(stderr).slice(0, 4096) };
  if (unauthorised.test(stderr)) {
    return new GitStateError('REMOTE_REJECTED', `remote '${remote}' asks who you are: ${said}`, {
      hint: `nothing was changed; give Git credentials that work without a prompt (try \`git ls-remote ${remote}\`)`,
      details: { ...details, reason: 'authentication' },
    });
  }
  if (refused.test(stderr)) {
    return new GitStateError('REMOTE_REJECTED', `remote '${remote}' refuses: ${said}`, {
      hint: `nothing was changed; check its address and your rights there (\`git remote -v\`)`,
      details: { ...details, reason: 'refused' },
    });
  }
  return new GitStateError('REMOTE_UNREACHABLE', `remote '${remote}' cannot be reached: ${said}`, {
    hint: 'nothing was changed; try again',
    details,
  });
}
