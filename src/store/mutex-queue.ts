import {
  appendFileSync,
  constants,
  copyFileSync,
  linkSync,
  mkdirSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { type Env, processStart } from '../env.ts';
import { GitStateError } from '../errors.ts';
import { type Contender, codeOf, livenessOfContender, readContender, statOf } from './contender.ts';
import { livenessOfChild, type NotedChild } from './ref-lock.ts';

const ticketName = /^\d{12}-[a-z2-7]{20}$/;
const sweptName = /^(p-\d+|takeover)-[a-z2-7]{20}$/;
const noHardLinks: ReadonlySet<unknown> = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']);

/** How long a holder or a first waiter may stay unchanged before it is asked whether it lives. */
export const suspectAfterMs = 20;
/** How long the first waiter may leave a free lock alone before the next one passes it. */
const idleMaxMs = 500;
/** Files of others that a new process examines, so that what the dead left behind does not pile up. */
const sweepMax = 4;

/** Copies a file to a path where there is none. @returns false when `path` is taken. */
function copyAnew(from: string, path: string): boolean {
  try {
    copyFileSync(from, path, constants.COPYFILE_EXCL);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

/** One process's place among all that want the mutex of `directory`: its identity file and its ticket.
 *
 *  Tickets are links to the identity file with a rising number in `queue/`. They keep the order and nothing else, so
 *  a lost ticket costs a turn, never a lock. Names of tickets and identity files are used once, so anybody may remove
 *  those of the dead. Methods throw what the file system throws. */
export class MutexQueue {
  readonly #directory: string;
  readonly #queue: string;
  readonly #env: Env;
  #own: { id: string; path: string } | null = null;
  #children: NotedChild[] = [];
  /** Whether a child was noted since they were last examined. */
  #childIsNew = false;
  #ticket: string | null = null;
  #first = { name: '', idleSinceMs: 0 };

  constructor(directory: string, env: Env) {
    this.#directory = directory;
    this.#queue = join(directory, 'queue');
    this.#env = env;
  }

  get children(): readonly NotedChild[] {
    return this.#children;
  }

  /** Own id and identity file, made when first needed, and again if somebody deleted it. */
  identity(): { id: string; path: string } {
    if (this.#own !== null && statOf(this.#own.path) !== undefined) return this.#own;
    this.#prepareDirectories();
    const own = this.write(this.#children);
    this.#own = own;
    this.#sweep(own.path);
    return own;
  }

  /** Writes a file about this process and `children` under a new name, which nobody knows before it is linked or
   *  renamed. */
  write(children: readonly NotedChild[]): { id: string; path: string } {
    const id = this.#env.randomId();
    const path = this.newPath(id);
    const lines = [{ id, identity: this.#env.identity }, ...children].map((line) => JSON.stringify(line));
    try {
      writeFileSync(path, `${lines.join('\n')}\n`, { flag: 'wx' });
    } catch (error) {
      rmSync(path, { force: true });
      throw error;
    }
    return { id, path };
  }

  newPath(id = this.#env.randomId()): string {
    return join(this.#directory, `p-${this.#env.identity.pid}-${id}`);
  }

  /** Makes the identity file appear at `path` as well, whole and at once. @returns its id; null when `path` is taken. */
  link(path: string): string | null {
    const { id, path: own } = this.identity();
    try {
      linkSync(own, path);
    } catch (error) {
      // A file server may answer the repetition of a request whose answer was lost.
      if (codeOf(error) === 'EEXIST') return readContender(path)?.id === id ? id : null;
      if (!noHardLinks.has(codeOf(error))) throw error;
      return copyAnew(own, path) ? id : null;
    }
    return id;
  }

  /** Whether the file at `path` is a link to the identity file. What is none may still be a copy of it, where the file
   *  system knows no links. */
  isLinked(path: string): boolean {
    const own = this.#own && statOf(this.#own.path);
    return own?.ino !== undefined && own.ino === statOf(path)?.ino;
  }

  /** Adds a child to the identity file, and to its copy `lock` where that is no link. */
  noteChild(pid: number, lock: string | null): void {
    const started = processStart(pid);
    if (this.#children.some((known) => known.pid === pid && known.started === started)) return;
    const child = { pid, started, notedAt: this.#env.now() };
    const { path } = this.identity();
    this.#children.push(child);
    this.#childIsNew = true;
    // On a new line in case the last one was cut short.
    const line = `\n${JSON.stringify(child)}\n`;
    appendFileSync(path, line);
    if (lock !== null && !this.isLinked(lock)) appendFileSync(lock, line);
  }

  /** Drops dead children from the identity file; for a process that neither holds nor waits. Nothing is done until one
   *  more was noted: that keeps the list short, and to look at each child each time takes long. */
  forgetDeadChildren(): void {
    if (!this.#childIsNew) return;
    this.#childIsNew = false;
    const left = this.#children.filter((child) => livenessOfChild(child, this.#env) !== 'dead');
    if (left.length === this.#children.length) return;
    this.#children = left;
    this.#discard();
  }

  /** How many wait. */
  get length(): number {
    return this.#tickets().length;
  }

  /** Counts the waiters ahead; the first call takes a ticket.
   *  @param lockIsFree whether the first of them could take the lock: if it does not, the queue passes it. */
  ahead(lockIsFree: boolean): number {
    let tickets = this.#tickets();
    if (this.#ticket === null) {
      const last = Number(tickets.at(-1)?.slice(0, 12) ?? 0);
      this.#ticket = `${String(last + 1).padStart(12, '0')}-${this.#env.randomId()}`;
    }
    const own = this.#ticket;
    // It is missing at first, and when others took this process for stopped: then it gets its old place again.
    if (!tickets.includes(own)) this.link(join(this.#queue, own));
    tickets = tickets.filter((name) => name < own);
    if (lockIsFree) return this.#passIdle(tickets);
    this.#first.name = '';
    return tickets.length;
  }

  /** Gives up the place in the queue. */
  leave(): void {
    if (this.#ticket !== null) rmSync(join(this.#queue, this.#ticket), { force: true });
    this.#ticket = null;
    this.#first.name = '';
  }

  /** Gives up the place and removes the identity file. */
  close(): void {
    this.leave();
    this.#discard();
  }

  /** Runs `act` with the sole right to remove or replace what the dead process left under names that are used again.
   *  To look who left a file and then remove it could hit a live successor; under this right nobody else removes it
   *  in between, and the dead do not write again.
   *  @returns false, without running it, while another process has the right. */
  asExecutorOf(dead: Contender, act: () => boolean): boolean {
    const right = join(this.#directory, `takeover-${dead.id}`);
    if (this.link(right) === null) {
      const other = readContender(right);
      if (other !== null && livenessOfContender(other, this.#env) === 'dead') this.#removeOf(other, right);
      return false;
    }
    try {
      return act();
    } finally {
      rmSync(right, { force: true });
    }
  }

  #removeOf(dead: Contender, path: string): void {
    this.asExecutorOf(dead, () => {
      if (readContender(path)?.id === dead.id) rmSync(path, { force: true });
      return true;
    });
  }

  #discard(): void {
    if (this.#own !== null) rmSync(this.#own.path, { force: true });
    this.#own = null;
  }

  #tickets(): string[] {
    this.identity();
    return readdirSync(this.#queue)
      .filter((name) => ticketName.test(name))
      .sort();
  }

  /** Removes the tickets at the front that nobody will use: of the dead, and of one that leaves a free lock alone
   *  (stopped, or on a machine that is gone). A live owner puts its ticket back. */
  #passIdle(tickets: string[]): number {
    const nowMs = performance.now();
    const [name] = tickets;
    if (name !== this.#first.name) this.#first = { name: name ?? '', idleSinceMs: nowMs };
    const idleMs = nowMs - this.#first.idleSinceMs;
    if (idleMs < suspectAfterMs) return tickets.length;
    const firstAlive = tickets.findIndex((ticket) => !this.#isDead(join(this.#queue, ticket)));
    const dead = firstAlive === -1 ? tickets.length : firstAlive;
    const passed = dead === 0 && idleMs >= idleMaxMs ? 1 : dead;
    for (const ticket of tickets.slice(0, passed)) rmSync(join(this.#queue, ticket), { force: true });
    return tickets.length - passed;
  }

  #isDead(path: string): boolean {
    const contender = readContender(path);
    return contender !== null && livenessOfContender(contender, this.#env) === 'dead';
  }

  #prepareDirectories(): void {
    for (const path of [dirname(this.#directory), this.#directory, this.#queue]) {
      if (statOf(path) === undefined) mkdirSync(path, { recursive: true });
      if (statOf(path)?.isDirectory()) continue;
      throw new GitStateError('READ_ONLY', `'${path}' is a link or a file where gitstate needs a directory`, {
        hint: 'see what put it there with `git state doctor`',
        details: { path },
      });
    }
  }

  /** Removes some of what killed processes left. Which ones is left to chance, so that all have their turn. */
  #sweep(own: string): void {
    const names = readdirSync(this.#directory).filter((name) => sweptName.test(name));
    const from = Math.floor(this.#env.now()) % (names.length || 1);
    for (const name of [...names.slice(from), ...names.slice(0, from)].slice(0, sweepMax)) {
      const path = join(this.#directory, name);
      const left = readContender(path);
      if (path === own || left === null || livenessOfContender(left, this.#env) !== 'dead') continue;
      if (name.startsWith('p-')) rmSync(path, { force: true });
      else this.#removeOf(left, path);
    }
  }
}
