import { renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Env, Liveness, ProcessIdentity } from '../env.ts';
import { GitStateError } from '../errors.ts';
import { codeOf, livenessOfContender, readContender, removeFile, statOf } from './contender.ts';
import { MutexQueue, suspectAfterMs } from './mutex-queue.ts';
import { areAllDead, type NotedChild } from './ref-lock.ts';

/** The mutex while it is held. */
export interface Held {
  /** Git children of dead holders, which may have left a lock of our ref. Look for it first of all (see
   *  `clearDeadRefLock`): where all of them are dead by now, `release` forgets them. */
  readonly inherited: readonly NotedChild[];
  /** Whether others held it or waited for it when it was asked for. */
  readonly contended: boolean;
  /** Lets the next one in; a second call does nothing. @throws READ_ONLY, GIT_FAILED. */
  release(): void;
}

/** Who holds the mutex. */
export interface MutexHolder {
  /** The lock file. */
  readonly path: string;
  /** Null where the lock is not a file that gitstate wrote. */
  readonly identity: ProcessIdentity | null;
  readonly liveness: Liveness;
  readonly children: readonly NotedChild[];
}

interface MutexOptions {
  /** `<common git dir>/gitstate/mutex`; made when first needed. */
  directory: string;
  env: Env;
  /** Registers what is to be done when the process exits by itself. */
  onExit?: (callback: () => void) => void;
}

/** Another way to what the mutex is wanted for, while somebody holds it. */
export interface Errand {
  /** Whether it can be tried now. */
  isOpen(): boolean;
  /** @returns whether it is under way, so that the place among those who wait is not needed. */
  begin(): Promise<boolean>;
  /** @returns whether all is done, so that no turn is needed. */
  finish(leftMs: number): Promise<boolean>;
}

const deadlineDefaultMs = 30_000;
/** The longest delay of `setTimeout`. */
const timerMaxMs = 2 ** 31 - 1;
/** How long a number of waiters is good for. */
const countEveryMs = 25;
/** A turn takes milliseconds; who has waited longer waits for something else, and need not look so often. */
const hurryMs = 200;

function translate(error: unknown, directory: string): unknown {
  if (error instanceof GitStateError || !(error instanceof Error)) return error;
  const code = String(codeOf(error));
  const options = { cause: error, details: { path: directory } };
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new GitStateError('DISK_FULL', `no space left for '${directory}'`, {
      ...options,
      hint: 'make room, then try again',
    });
  }
  if (code === 'EROFS' || code === 'EACCES' || code === 'EPERM') {
    return new GitStateError('READ_ONLY', `cannot write to '${directory}'`, {
      ...options,
      hint: 'see what is wrong with `git state doctor`',
    });
  }
  return new GitStateError('GIT_FAILED', `cannot use '${directory}': ${error.message}`, options);
}

/** A fair advisory lock for the writers of one repository, across processes. It makes contention cheap and recovery
 *  safe; that nothing gets lost rests on the compare-and-swap of the ref alone.
 *
 *  A holder that is provably dead is replaced at once. One that cannot be judged from here (another host, boot or
 *  process id namespace, or a file that is not ours) keeps the mutex: age proves nothing. */
export class Mutex {
  readonly #queue: MutexQueue;
  readonly #directory: string;
  readonly #lock: string;
  readonly #orphans: string;
  readonly #env: Env;
  /** Id in the lock while this process holds it. */
  #heldId: string | null = null;
  #seen = { stamp: '', judgedMs: 0, liveness: 'unknown' as Liveness };
  #busy = false;
  #contended = false;
  readonly #turns: (() => void)[] = [];

  constructor({ directory, env, onExit }: MutexOptions) {
    this.#queue = new MutexQueue(directory, env);
    this.#directory = directory;
    this.#lock = join(directory, 'lock');
    this.#orphans = join(directory, 'orphans');
    this.#env = env;
    onExit?.(() => {
      try {
        this.close();
      } catch {
        // The process ends, so others will see that what remains here is of a dead one.
      }
    });
  }

  /** Git children of this process that were noted and not yet found dead. */
  get children(): readonly NotedChild[] {
    return this.#queue.children;
  }

  /** Waits for its turn, first come, first served, then holds the mutex until `release`.
   *  @throws LOCKED (details {holder, liveness, path, waited_ms}) when the holder keeps it beyond the deadline,
   *  CONTENTION when others were faster all the time, DISK_FULL, READ_ONLY, GIT_FAILED. */
  async acquire({ deadlineMs = deadlineDefaultMs }: { deadlineMs?: number } = {}): Promise<Held> {
    return (await this.acquireUnless(null, { deadlineMs }))!;
  }

  /** How many wait for it. */
  get waiting(): number {
    return this.#turns.length + this.#queue.length;
  }

  /** As `acquire`, but does without a turn once `errand` is done. @returns null then. */
  async acquireUnless(
    errand: Errand | null,
    { deadlineMs = deadlineDefaultMs }: { deadlineMs?: number } = {},
  ): Promise<Held | null> {
    const sinceMs = performance.now();
    await this.#waitInProcess(sinceMs, deadlineMs);
    try {
      if (await this.#waitForLock(sinceMs, deadlineMs, errand)) return this.#held();
      this.#passOn();
      return null;
    } catch (error) {
      if (this.#heldId !== null) this.#removeLock();
      this.#passOn();
      throw translate(error, this.#directory);
    }
  }

  /** Writes down a Git child before it is told to lock our ref; it can be read in the lock at once. Whoever takes the
   *  mutex over from this process learns of it. @throws DISK_FULL, READ_ONLY, GIT_FAILED: then do not use the child. */
  noteChild(pid: number): void {
    try {
      this.#queue.noteChild(pid, this.#heldId === null ? null : this.#lock);
    } catch (error) {
      throw translate(error, this.#directory);
    }
  }

  /** Who holds the mutex now; null when it is free. */
  holder(): MutexHolder | null {
    const holder = readContender(this.#lock);
    if (holder === null) return null;
    const { identity, children } = holder;
    return { path: this.#lock, identity, liveness: livenessOfContender(holder, this.#env), children };
  }

  /** Removes what this process has in the directory. If it still holds the mutex, its children stay on record. */
  close(): void {
    if (this.#heldId !== null) {
      this.#addOrphans(this.children);
      this.#removeLock();
    }
    this.#queue.close();
  }

  async #waitInProcess(sinceMs: number, deadlineMs: number): Promise<void> {
    if (!this.#busy) {
      this.#busy = true;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const turn = () => {
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(
        () => {
          this.#turns.splice(this.#turns.indexOf(turn), 1);
          reject(this.#tooLate(sinceMs));
        },
        Math.min(deadlineMs, timerMaxMs),
      );
      this.#turns.push(turn);
    });
  }

  #passOn(): void {
    const turn = this.#turns.shift();
    if (turn === undefined) this.#busy = false;
    else turn();
  }

  /** @returns whether it holds the lock; else the errand is done. */
  async #waitForLock(sinceMs: number, deadlineMs: number, errand: Errand | null): Promise<boolean> {
    const leftMs = () => deadlineMs - (performance.now() - sinceMs);
    // Whoever can have it done asks at once: not even who holds the mutex need be known.
    if (errand?.isOpen() && (await errand.begin()) && (await errand.finish(leftMs()))) return false;
    this.#queue.forgetDeadChildren();
    this.#seen.stamp = '';
    this.#contended = false;
    if (this.#queue.length === 0 && this.#lockState() === 'free' && this.#take()) return true;
    this.#contended = true;
    let ahead = 0;
    let countedMs = Number.NEGATIVE_INFINITY;
    try {
      for (;;) {
        const lock = this.#lockState(ahead);
        if (lock === 'held' && errand?.isOpen() && (await errand.begin())) {
          this.#queue.leave();
          if (await errand.finish(leftMs())) return false;
          countedMs = Number.NEGATIVE_INFINITY;
        }
        // To list all that wait takes long where there are many: who is not next need not know how many there are.
        if (lock !== 'held' || performance.now() - countedMs >= countEveryMs) {
          ahead = this.#queue.ahead(lock !== 'held');
          countedMs = performance.now();
        }
        if (ahead === 0 && (lock === 'free' ? this.#take() : lock === 'dead' && this.#takeOver()))
          return true;
        if (leftMs() <= 0) throw this.#tooLate(sinceMs);
        const waitedMs = performance.now() - sinceMs;
        const delayMs = (waitedMs < hurryMs ? 1 : 5) + Math.min(2 * ahead, 20);
        await this.#env.sleep(Math.max(1, Math.min(delayMs, leftMs())));
      }
    } finally {
      this.#queue.leave();
    }
  }

  /** Asks whether the holder lives on the first look, then only while the lock does not change. */
  #lockState(ahead = 0): 'free' | 'held' | 'dead' {
    const stat = statOf(this.#lock);
    if (stat === undefined) return 'free';
    const nowMs = performance.now();
    const stamp = `${stat.ino} ${stat.ctimeMs}`;
    const first = this.#seen.stamp === '';
    if (!first && stamp !== this.#seen.stamp) {
      this.#seen = { stamp, judgedMs: nowMs, liveness: 'unknown' };
    } else if (first || nowMs - this.#seen.judgedMs >= suspectAfterMs * (1 + ahead)) {
      this.#seen = { stamp, judgedMs: nowMs, liveness: this.holder()?.liveness ?? 'unknown' };
    }
    return this.#seen.liveness === 'dead' ? 'dead' : 'held';
  }

  #take(): boolean {
    this.#heldId = this.#queue.link(this.#lock);
    return this.#heldId !== null;
  }

  /** Puts itself in the place of a dead holder, in one step: there is no moment in which a third one could get in. */
  #takeOver(): boolean {
    const dead = readContender(this.#lock);
    if (dead === null || livenessOfContender(dead, this.#env) !== 'dead') return false;
    return this.#queue.asExecutorOf(dead, () => {
      if (readContender(this.#lock)?.id !== dead.id) return false;
      // Before the lock that tells of them is gone: this process may be killed here, too.
      this.#addOrphans(dead.children);
      const path = this.#queue.newPath();
      const id = this.#queue.link(path);
      renameSync(path, this.#lock);
      this.#heldId = id;
      return true;
    });
  }

  #held(): Held {
    const inherited = this.#readOrphans();
    const allDead = areAllDead(inherited, this.#env);
    let released = false;
    const release = () => {
      if (released) return;
      released = true;
      try {
        if (this.#heldId === null) return;
        if (allDead) rmSync(this.#orphans, { force: true });
        this.#removeLock();
      } catch (error) {
        throw translate(error, this.#directory);
      } finally {
        this.#passOn();
      }
    };
    return { inherited, contended: this.#contended, release };
  }

  #removeLock(): void {
    const id = this.#heldId;
    this.#heldId = null;
    // Somebody may have deleted the lock by hand, and another process taken it.
    const isOwn = this.#queue.isLinked(this.#lock) || readContender(this.#lock)?.id === id;
    if (isOwn) removeFile(this.#lock);
  }

  #readOrphans(): readonly NotedChild[] {
    const { identity, children } = readContender(this.#orphans) ?? { identity: null, children: [] };
    const { host, boot, pidns } = this.#env.identity;
    const provable = identity?.host === host && identity.boot === boot && identity.pidns === pidns;
    return provable ? children : [];
  }

  #addOrphans(children: readonly NotedChild[]): void {
    if (children.length === 0) return;
    const { path } = this.#queue.write([...this.#readOrphans(), ...children]);
    renameSync(path, this.#orphans);
  }

  #tooLate(sinceMs: number): GitStateError {
    const waitedMs = Math.round(performance.now() - sinceMs);
    const holder = this.holder();
    const details = { path: this.#lock, waited_ms: waitedMs };
    if (holder === null) {
      return new GitStateError('CONTENTION', `no turn to write within ${waitedMs} ms`, {
        hint: 'try again, with fewer writers at a time',
        details,
      });
    }
    const { identity, liveness } = holder;
    const who = identity ? `process ${identity.pid} on '${identity.host}'` : 'a file not written by gitstate';
    const verb =
      liveness === 'alive' ? 'is held by' : liveness === 'dead' ? 'was left by dead' : 'is taken by';
    const hint = {
      alive: `try again when ${who} has ended`,
      dead: 'try again: another process is clearing it',
      unknown: identity
        ? `it cannot be seen from here whether ${who} still runs: look there, or ask \`git state doctor\``
        : `see what made '${this.#lock}', then run \`git state doctor\``,
    }[liveness];
    return new GitStateError('LOCKED', `'${this.#lock}' ${verb} ${who}`, {
      hint,
      details: { ...details, holder: identity, liveness },
    });
  }
}
