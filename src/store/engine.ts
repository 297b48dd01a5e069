import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { currentSchema, type Schema } from '../codec/migrate.ts';
import { defaultTagPrefix, leaseRef, seenRefOf, tagRef } from '../codec/tag.ts';
import type { Feature } from '../core/entities.ts';
import { parseDuration } from '../core/time.ts';
import type { Env } from '../env.ts';
import { GitStateError } from '../errors.ts';
import { committerIdentity, type Identity } from '../git/identity.ts';
import { isFullRefName } from '../git/ids.ts';
import { type NewObject, newObject } from '../git/objects.ts';
import { writePack } from '../git/pack.ts';
import { PackPile } from '../git/pack-pile.ts';
import { CatFileReader } from '../git/reader.ts';
import { isLooseAt, RefStore } from '../git/refs.ts';
import { openRemembered } from '../git/remembered.ts';
import type { Repository } from '../git/repository.ts';
import { ObjectWriter } from '../git/writer.ts';
import { SnapshotCache } from './cache.ts';
import { clocksDiffer } from './clocks.ts';
import { type HeldLease, readLease } from './lease.ts';
import { isJoining, startMaintenance } from './maintenance.ts';
import { goneFault, movedFault } from './moved.ts';
import { Mutex } from './mutex.ts';
import { type Point, resolvePoint } from './point.ts';
import { defaultWorktreeRoot } from './proposals/claim-code.ts';
import { emptySnapshot, holds, readSnapshot, type Snapshot, type Wanted } from './snapshot.ts';
import { type Writers, writersOf } from './writers.ts';

export interface EngineOptions {
  cwd: string;
  env: Env;
  /** Short name or full ref of the state branch; else `gitstate.branch`, else `gitstate`. */
  branch?: string | undefined;
  /** The remote that shares the state; else `gitstate.remote`. */
  remote?: string | undefined;
  /** Registers what is to be done when the process exits by itself. */
  onExit?: ((callback: () => void) => void) | undefined;
  /** The schema that is written, and how older ones are brought up to it. */
  schema?: Schema | undefined;
}

const clockWarningMs = 60_000;

/** So often a process that goes on looks whether maintenance is due; each looks once when it ends. */
const lookEvery = 16;

/** From this many objects on, a process that writes once makes a pack of them. */
const packFrom = 40;

/** An open repository with everything that reading and writing the state needs. */
export class Engine {
  readonly repository: Repository;
  readonly env: Env;
  readonly branchRef: string;
  readonly identity: Identity;
  readonly reader: CatFileReader;
  readonly refs: RefStore;
  readonly mutex: Mutex;
  /** Our own folder in the common Git directory. */
  readonly directory: string;
  readonly schema: Schema;
  readonly cacheDirectory: string;
  readonly durable: boolean;
  readonly driftMs: number;
  /** Whether renewals stand on the branch, too: `gitstate.leases` is `branch`. */
  readonly renewsOnBranch: boolean;
  /** Folder for worktrees, relative to the main worktree or absolute. */
  readonly worktreeRoot: string;
  /** The remote that shares the state; undefined where none is named. */
  readonly remoteName: string | undefined;
  /** What the names of checkpoints' tags begin with. */
  readonly tagPrefix: string;
  readonly #writer: ObjectWriter;
  readonly #packs: PackPile;
  readonly #cache: SnapshotCache;
  /** Whether the branch itself was there at the last `tip`, so that the state does not stand on its remote's alone. */
  #branchSeen = false;
  #standsOn: string | null = null;
  #latest: Snapshot = emptySnapshot;
  /** The tip that was found to hold all that gitstate had put on the branch. */
  #unmoved: string | null = null;
  /** The tip whose commit and tree were read or written by this process. */
  #sound: string | null = null;
  #cacheTried = false;
  /** How often objects were written. */
  #writes = 0;
  readonly #leases = new Map<string, HeldLease>();
  /** When the newest lease was made that this process has seen. */
  #newestLeaseMs = 0;
  #clockWarnedMs = Number.NEGATIVE_INFINITY;
  /** The tree under each lease. Git knows it anyway; other readers find it once it was written. */
  #emptyTreeWritten = false;

  private constructor(repository: Repository, options: EngineOptions) {
    const { config, commonDir, objectsDir, objectFormat } = repository;
    this.repository = repository;
    this.env = options.env;
    this.branchRef = branchRefOf(options.branch ?? config.get('gitstate.branch') ?? 'gitstate');
    this.remoteName = options.remote ?? (config.get('gitstate.remote') || undefined);
    this.identity = committerIdentity(config, options.env.variables);
    this.directory = join(commonDir, 'gitstate');
    this.schema = options.schema ?? currentSchema;
    this.cacheDirectory = join(this.directory, 'cache');
    this.durable = config.bool('gitstate.durable', true);
    this.driftMs = parseDuration(config.get('gitstate.drift') ?? '') ?? 30_000;
    this.renewsOnBranch = config.get('gitstate.leases') === 'branch';
    this.worktreeRoot = config.get('gitstate.worktreeRoot')?.replace(/\/+$/, '') || defaultWorktreeRoot;
    this.tagPrefix = tagPrefixOf(config.get('gitstate.tagPrefix') || defaultTagPrefix);
    this.reader = new CatFileReader(repository);
    this.mutex = new Mutex({
      directory: join(this.directory, 'mutex'),
      env: options.env,
      onExit: options.onExit,
    });
    this.refs = new RefStore(repository, {
      fsync: this.durable,
      identity: this.identity,
      onChild: (pid, { isNew }) => {
        if (isNew) this.mutex.noteChild(pid);
      },
    });
    const storage = { objectsDir, objectFormat, fsync: this.durable };
    this.#writer = new ObjectWriter(storage);
    this.#packs = new PackPile(storage, () => !isJoining(this));
    this.#cache = new SnapshotCache(this.cacheDirectory, this.branchRef, this.schema.version);
  }

  /** @throws GIT_NOT_FOUND, NOT_A_REPOSITORY */
  static async open(options: EngineOptions): Promise<Engine> {
    const { cwd, env } = options;
    const repository = await openRemembered({
      cwd,
      variables: env.variables,
      cacheDirectory: 'gitstate/cache',
    });
    const engine = new Engine(repository, options);
    // Without anything to build upon all of the state will have to be read.
    if (engine.#known.commit === null) engine.reader.warm();
    return engine;
  }

  /** The branch as a fetch left it, ours or the user's, for a clone that has none of its own yet: there is never a
   *  second root. */
  get trackingRefs(): string[] {
    const remote = this.remoteName ?? 'origin';
    return [
      seenRefOf(remote, this.branchRef),
      `refs/remotes/${remote}/${this.branchRef.slice('refs/heads/'.length)}`,
    ];
  }

  /** The commit at which the state stands: that of the branch, else that of its remote-tracking branch.
   *  @param expected where it probably is, which is quickly confirmed. */
  async tip(expected: string | null = this.#known.commit): Promise<string | null> {
    if (expected !== null && isLooseAt(this.repository, this.branchRef, expected)) {
      this.#branchSeen = true;
      this.#standsOn = null;
      return expected;
    }
    const local = await this.reader.resolve(this.branchRef);
    this.#branchSeen = local !== null;
    this.#standsOn = null;
    for (const ref of local === null ? this.trackingRefs : []) {
      const tracked = await this.reader.resolve(ref);
      if (tracked === null) continue;
      this.#standsOn = ref;
      return tracked;
    }
    return local;
  }

  /** The ref that stood in for the branch when `tip` was last called; null where the branch itself was there. */
  get standsOn(): string | null {
    return this.#standsOn;
  }

  /** A commit at which the branch was found; null where none was needed yet. */
  get knownTip(): string | null {
    return this.#unmoved;
  }

  /** Whether the branch was there when `tip` was last called; it may be gone or made by now. */
  get branchSeen(): boolean {
    return this.#branchSeen;
  }

  /** The state of the branch as it is now. @throws CORRUPT_STATE also as `requireUnmoved` does. */
  async current(wanted: Wanted): Promise<Snapshot> {
    const tip = await this.tip();
    await this.requireUnmoved(tip);
    return this.at(tip, wanted);
  }

  /** What has been acknowledged stays in the history: a branch that was deleted, reset or pushed over is not followed.
   *  @param tip where the branch stands. @throws CORRUPT_STATE */
  async requireUnmoved(tip: string | null): Promise<void> {
    if (tip !== null && tip === this.#unmoved) return;
    const fault = tip === null ? await goneFault(this) : await movedFault(this, tip);
    if (fault) throw fault;
    this.#unmoved = tip;
  }

  /** Makes sure that what is about to be written upon is there: a state from the cache says nothing of it.
   *  @throws CORRUPT_STATE */
  async requireSound({ commit, tree }: Snapshot): Promise<void> {
    if (commit === null || commit === this.#sound) return;
    const objects = await Promise.all([commit, tree!.oid].map((oid) => this.reader.read(oid)));
    for (const [index, object] of objects.entries()) {
      if (object) continue;
      const oid = [commit, tree!.oid][index]!;
      throw new GitStateError('CORRUPT_STATE', `object ${oid} of the newest state is missing`, {
        hint: 'git state doctor --repair',
        details: { object: oid, commit },
      });
    }
    this.#sound = commit;
  }

  /** The commit of the state that is kept on disk; null where there is none in one piece. */
  async cachedCommit(): Promise<string | null> {
    return this.#cache.read()?.commit ?? null;
  }

  /** Whether the file of the cache is there and cannot be used. */
  get cacheIsDamaged(): Promise<boolean> {
    return this.#cache.isDamaged();
  }

  /** The newest state that is known: this process's own, at first that of the cache. */
  get #known(): Snapshot {
    if (!this.#cacheTried) {
      this.#cacheTried = true;
      this.#latest = this.#cache.read() ?? emptySnapshot;
    }
    return this.#latest;
  }

  /** The state as of the tip `commit`; the next call reads only what has changed since. */
  async at(commit: string | null, wanted: Wanted): Promise<Snapshot> {
    if (commit === null) return emptySnapshot;
    if (this.#known.commit === commit && holds(this.#known, wanted)) return this.#known;
    try {
      this.#latest = await readSnapshot(this.reader, commit, this.#latest, wanted, this.schema);
    } catch (error) {
      throw await this.#withCulprit(error, commit);
    }
    this.#cache.offer(this.#latest);
    return this.#latest;
  }

  /** The lease of a feature's claim, to be shown. One that was read before is confirmed by its ref where that is a
   *  file; whoever decides by a lease reads it anew. */
  async shownLease(session: string, feature: Feature): Promise<HeldLease | null> {
    const ref = leaseRef(session, feature.id);
    const known = this.#leases.get(ref);
    if (known && known.claim_id === feature.claim?.id && isLooseAt(this.repository, ref, known.oid))
      return known;
    const lease = await this.lease(session, feature);
    if (lease) this.#leases.set(ref, lease);
    else this.#leases.delete(ref);
    return lease;
  }

  /** The lease of a feature's claim as it is now. */
  async lease(session: string, feature: Feature): Promise<HeldLease | null> {
    const lease = await readLease(this.reader, session, feature);
    if (lease) this.#newestLeaseMs = Math.max(this.#newestLeaseMs, lease.madeMs);
    return lease;
  }

  /** Says that our own clock or that of the newest commit is wrong, where they differ by more than the allowance; once
   *  a minute at most, else null. */
  clockWarning(): string | null {
    const nowMs = this.env.now();
    const newestMs = Math.max(this.#latest.at * 1000, this.#newestLeaseMs);
    if (newestMs - nowMs <= this.driftMs || nowMs - this.#clockWarnedMs < clockWarningMs) return null;
    this.#clockWarnedMs = nowMs;
    return `${clocksDiffer(nowMs, newestMs)}: set the clock that is wrong, or leases end too early or too late`;
  }

  /** Takes a snapshot that this process itself has just published. */
  landed(snapshot: Snapshot): void {
    this.#latest = snapshot;
    this.#unmoved = snapshot.commit;
    this.#sound = snapshot.commit;
    this.#cache.offer(snapshot);
  }

  /** The whole state as of any commit. */
  async past(commit: string): Promise<Snapshot> {
    try {
      return await readSnapshot(this.reader, commit, this.#latest, 'all', this.schema);
    } catch (error) {
      throw await this.#withCulprit(error, commit);
    }
  }

  /** The commit that a user's words name. @throws CHECKPOINT_NOT_FOUND, COMMIT_NOT_FOUND, INVALID_INPUT */
  point(snapshot: Pick<Snapshot, 'commit' | 'state'>, text: string, session: string | null): Promise<Point> {
    const { reader, repository, branchRef, tagPrefix, env } = this;
    const context = { reader, repository, branchRef, tagPrefix, tip: snapshot.commit, state: snapshot.state };
    const writers = this.writers.bind(this);
    return resolvePoint({ ...context, session, nowMs: env.now(), writers }, text);
  }

  /** Files of a session's checkpoints as of `commit`, with the commits that last wrote them. */
  writers(commit: string, session: string): Promise<Writers> {
    const { repository, reader, branchRef } = this;
    return writersOf(
      { repository, reader, branchRef, directory: join(this.directory, 'cache') },
      commit,
      session,
    );
  }

  /** Stores objects: a few loose ones for a start, then one small pack each time. */
  async write(objects: readonly NewObject[]): Promise<void> {
    this.#requireWritable();
    this.#writes += 1;
    if (this.#writes % lookEvery === 0) startMaintenance(this);
    const fresh = this.#emptyTreeWritten ? objects.filter((object) => !isEmptyTree(object)) : objects;
    if (fresh.length === 0) return;
    if (this.#writes === 1 && fresh.length < packFrom) await this.#writer.write(fresh);
    else await this.#packs.add(fresh);
    this.#emptyTreeWritten ||= objects.some(isEmptyTree);
  }

  /** Stores a blob of any size as its content comes in. @param size bytes. @returns its object id. */
  async writeBlob(size: number, content: Readable): Promise<string> {
    this.#requireWritable();
    return this.#writer.writeStream('blob', size, content);
  }

  #requireWritable(): void {
    if (!this.repository.quarantined) return;
    throw new GitStateError(
      'READ_ONLY',
      'inside a receive hook nothing can be written: the push may yet be refused',
      {
        hint: 'run it from a post-receive hook, or outside of hooks',
      },
    );
  }

  /** Stores objects in a pack that no `git gc` takes away. */
  async keep(objects: readonly NewObject[]): Promise<void> {
    const { objectsDir, objectFormat } = this.repository;
    const options = { objectsDir, objectFormat, fsync: this.durable };
    // One more, so that it is another pack: one that the gc has on its list goes whether it is kept or not.
    const mark = newObject(objectFormat, 'blob', `kept from a gc ${this.env.randomId()}\n`);
    await writePack(options, [...objects, mark], { keep: true });
  }

  /** Stops the Git processes and leaves the queue of writers. */
  async close(): Promise<void> {
    this.reader.close();
    this.refs.close();
    this.mutex.close();
    await this.#cache.flush();
    await this.#packs.close();
    if (this.#writes > 0) startMaintenance(this);
  }

  /** Says which commit brought the damage, where Git can tell. */
  async #withCulprit(error: unknown, tip: string): Promise<unknown> {
    if (!(error instanceof GitStateError) || error.code !== 'CORRUPT_STATE') return error;
    const { path } = error.details;
    if (typeof path !== 'string') return error;
    const args = ['rev-list', '-1', '--end-of-options', tip, '--', path.replace(/^\//, '')];
    const { stdout } = await this.repository.git.run(args, { okStatuses: [0, 1, 128] });
    const commit = stdout.toString().trim() || null;
    const message =
      commit === null ? error.message : `${error.message} (since commit ${commit.slice(0, 12)})`;
    const { hint, details } = error;
    return new GitStateError('CORRUPT_STATE', message, {
      hint: hint ?? 'git state doctor',
      details: { ...details, commit },
    });
  }
}

function isEmptyTree({ type, body }: NewObject): boolean {
  return type === 'tree' && body.byteLength === 0;
}

function tagPrefixOf(prefix: string): string {
  if (isFullRefName(tagRef(prefix, 's', 'name'))) return prefix;
  throw new GitStateError('INVALID_INPUT', `'${prefix}' is no beginning of a tag's name`, {
    hint: 'give `git config gitstate.tagPrefix` a value such as state/',
  });
}

function branchRefOf(name: string): string {
  const ref = name.startsWith('refs/') ? name : `refs/heads/${name}`;
  const short = ref.replace(/^refs\/heads\//, '');
  const fault = /[\x00-\x20~^:?*[\\\x7f]|\.\.|@\{|\/\/|^\/|\/$|^-|\.$|\.lock(\/|$)|(^|\/)\./.test(short);
  if (ref.startsWith('refs/heads/') && short !== '' && short !== '@' && !fault) return ref;
  throw new GitStateError('INVALID_INPUT', `'${name}' is no name for a branch`, {
    hint: 'give --branch or `git config gitstate.branch` a name such as gitstate',
  });
}
