import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Coprocess, type Ending } from './coprocess.ts';
import { storageFailure } from './failure.ts';
import { flushPath, flushUpTo } from './files.ts';
import type { Identity } from './identity.ts';
import { isFullRefName, isOid, zeroOid } from './ids.ts';
import type { Oid } from './objects.ts';
import { packedRefsStamp } from './packed-refs.ts';
import { isAtLeast, type Repository } from './repository.ts';

/** One ref's part in a transaction. */
export interface RefMove {
  /** Full name, such as `refs/heads/main`. */
  ref: string;
  /** What the ref has to hold now; null: it must not exist; undefined: anything. */
  oldOid?: Oid | null | undefined;
  /** What it holds afterwards; null: it is deleted. */
  newOid: Oid | null;
}

interface RefStoreOptions {
  /** Whether refs are flushed to the disk before a move is done. */
  fsync: boolean;
  /** Who stands in the reflog. */
  identity: Identity;
  /** What stands in the reflog. */
  reflogMessage?: string;
  /** Told the id of the Git process that is about to lock refs, each time before it does; `isNew` until the first
   *  time that this does not fail. */
  onChild?: (pid: number, child: { isNew: boolean }) => void | Promise<void>;
  deadlineMs?: number;
}

/** Where a ref is kept if it is a file; refs of one worktree alone live in its own Git directory. */
export function refPath({ commonDir, gitDir }: Repository, ref: string): string {
  const perWorktree = /^refs\/(?:worktree|bisect|rewritten)\//.test(ref);
  return join(perWorktree ? gitDir : commonDir, ref);
}

/** Whether `ref` is a file of its own that holds `oid`. Such a file is what Git would read, so a ref that has not moved
 *  need not be asked for again; false says nothing: it may be packed, or in another format. */
export function isLooseAt(repository: Repository, ref: string, oid: Oid): boolean {
  if (repository.refFormat !== 'files') return false;
  try {
    return readFileSync(refPath(repository, ref), 'latin1') === `${oid}\n`;
  } catch {
    return false;
  }
}

/** The file by which Git locks `ref`. */
export function lockPath(repository: Repository, ref: string): string {
  if (repository.refFormat === 'reftable') return join(repository.commonDir, 'reftable', 'tables.list.lock');
  return `${refPath(repository, ref)}.lock`;
}

/** The line of `git update-ref --stdin` for a move. */
function commandOf({ ref, oldOid, newOid }: RefMove, zero: Oid): string {
  const valid = isFullRefName(ref) && [oldOid, newOid].every((oid) => oid == null || isOid(oid));
  if (!valid) throw new TypeError(`no move of a ref: ${JSON.stringify({ ref, oldOid, newOid })}`);
  const old = oldOid === undefined ? '' : ` ${oldOid ?? zero}`;
  if (newOid !== null) return `update ${ref} ${newOid}${old}\n`;
  return oldOid === null ? `verify ${ref} ${zero}\n` : `delete ${ref}${old}\n`;
}

const succeeded = 'start: ok\nprepare: ok\ncommit: ok\n';

/** Moves refs through one long-lived `git update-ref --stdin`: Git's own locks, reflogs, packed refs and formats. */
export class RefStore {
  /** What Git said at the last failure, for people to read: it decides nothing. */
  lastFailure: string | null = null;
  /** Whether Git was killed at the last failure, and so may have left its locks; one that gives up takes them away. */
  wasKilled = false;
  readonly #repository: Repository;
  readonly #options: RefStoreOptions;
  #coprocess: Coprocess | null = null;
  /** The last one that `onChild` was told of. */
  #told: Coprocess | null = null;
  /** Which `packed-refs` stood there before the process first looked at it. */
  #packedRefs: string | null = null;
  #output = '';
  #onReply: ((ending: Ending | null) => void) | null = null;
  #queue: Promise<unknown> = Promise.resolve();

  constructor(repository: Repository, options: RefStoreOptions) {
    this.#repository = repository;
    this.#options = options;
  }

  /** Starts Git before the first transaction needs it. */
  warm(): void {
    this.#coprocess ??= this.#start();
  }

  /** Moves all of `moves` or none. A crash may still leave some done, since Git moves one file after the other.
   *  @returns `failed` for whatever reason: the caller reads the refs again, and they decide. When it is
   *  returned, the Git process that tried has ended, so that nothing can land later.
   *  @throws DISK_FULL, READ_ONLY, GIT_FAILED if the refs moved and could not be flushed. */
  transact(moves: readonly RefMove[]): Promise<'moved' | 'failed'> {
    const turn = this.#queue.then(() => this.#transact(moves));
    this.#queue = turn.catch(() => {});
    return turn;
  }

  /** Refs at or below `prefix`, such as `refs/tags/`, with what they hold. */
  async list(prefix: string): Promise<Map<string, Oid>> {
    const { stdout } = await this.#repository.git.run([
      'for-each-ref',
      '--format=%(objectname) %(refname)',
      prefix,
    ]);
    const lines = stdout.toString().split('\n').slice(0, -1);
    return new Map(
      lines.map((line) => [line.slice(line.indexOf(' ') + 1), line.slice(0, line.indexOf(' '))]),
    );
  }

  /** Lets Git end, after the transactions that were asked for. */
  close(): void {
    this.#queue = this.#queue.then(() => this.#retire());
  }

  #retire(): void {
    this.#coprocess?.finish();
    this.#coprocess = null;
    this.#packedRefs = null;
  }

  async #transact(moves: readonly RefMove[]): Promise<'moved' | 'failed'> {
    const zero = zeroOid(this.#repository.objectFormat);
    const commands = moves.map((move) => commandOf(move, zero)).join('');
    const packedRefs = packedRefsStamp(this.#repository);
    if (this.#packedRefs !== null && this.#packedRefs !== packedRefs) this.#retire();
    this.#packedRefs ??= packedRefs;
    this.#coprocess ??= this.#start();
    const coprocess = this.#coprocess;
    if (coprocess.pid !== undefined) {
      await this.#options.onChild?.(coprocess.pid, { isNew: coprocess !== this.#told });
      this.#told = coprocess;
    }
    const ending = await new Promise<Ending | null>((resolve) => {
      this.#onReply = resolve;
      if (this.#coprocess !== coprocess) return resolve(processGone);
      coprocess.busy();
      coprocess.write(`start\n${commands}prepare\ncommit\n`);
    });
    this.#onReply = null;
    this.#output = '';
    if (ending !== null) {
      this.wasKilled = ending.signal !== null;
      this.lastFailure =
        ending.error?.message ?? (ending.stderr.trim() || `ended by ${ending.signal ?? ending.status}`);
      return 'failed';
    }
    coprocess.idle();
    if (this.#options.fsync) await this.#flush(moves);
    return 'moved';
  }

  #start(): Coprocess {
    const { git, version } = this.#repository;
    const { fsync, identity, reflogMessage = 'gitstate', deadlineMs = 30_000 } = this.#options;
    const durable = fsync && isAtLeast(version, 2, 36) ? ['-c', 'core.fsync=reference'] : [];
    const child = git.start(
      [
        ...durable,
        '-c',
        'core.filesRefLockTimeout=1000',
        'update-ref',
        '-m',
        reflogMessage,
        '--no-deref',
        '--stdin',
      ],
      { env: { GIT_COMMITTER_NAME: identity.name, GIT_COMMITTER_EMAIL: identity.email } },
    );
    this.#output = '';
    const coprocess = new Coprocess(child, {
      deadlineMs,
      onData: (chunk) => {
        this.#output += chunk.toString();
        if (this.#output === succeeded) this.#onReply?.(null);
      },
      onEnd: (ending) => {
        if (this.#coprocess !== coprocess) return;
        this.#coprocess = null;
        this.#onReply?.(ending);
      },
    });
    return coprocess;
  }

  async #flush(moves: readonly RefMove[]): Promise<void> {
    if (this.#repository.refFormat === 'reftable') return;
    try {
      await Promise.all(moves.map((move) => this.#flushRef(move)));
    } catch (error) {
      throw await storageFailure(error, this.#repository.commonDir);
    }
  }

  /** Git flushes the file at most; without its directory a power cut may bring back the old one. */
  async #flushRef({ ref, oldOid, newOid }: RefMove): Promise<void> {
    const { commonDir } = this.#repository;
    const path = refPath(this.#repository, ref);
    const mayBeNew = oldOid === null || oldOid === undefined;
    const flushDirectories = () =>
      mayBeNew ? flushUpTo(dirname(path), commonDir) : flushPath(dirname(path));
    if (newOid !== null && (await flushIfPresent(path, flushDirectories))) return;
    // Deleted, or packed by another process meanwhile: `packed-refs` was written in either case.
    await flushIfPresent(join(commonDir, 'packed-refs'), () => flushPath(commonDir));
    await flushNearest(dirname(path));
  }
}

/** Flushes a file and what `andDirectories` flushes, side by side. @returns whether the file was there. */
async function flushIfPresent(path: string, andDirectories: () => Promise<void>): Promise<boolean> {
  try {
    await Promise.all([flushPath(path), andDirectories()]);
    return true;
  } catch (error) {
    if (!isMissing(error)) throw error;
    return false;
  }
}

function isMissing(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '');
}

const processGone: Ending = {
  error: null,
  status: null,
  signal: null,
  stderr: 'git ended early',
  timeout: false,
};

/** Git removes directories of refs that become empty, so the one that still exists is flushed. */
async function flushNearest(path: string): Promise<void> {
  try {
    await flushPath(path);
  } catch (error) {
    if (!isMissing(error)) throw error;
    await flushNearest(dirname(path));
  }
}
