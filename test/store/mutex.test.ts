import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type ProcessIdentity, processStart, systemEnv } from '../../src/env.ts';
import { readContender } from '../../src/store/contender.ts';
import { Mutex } from '../../src/store/mutex.ts';
import { MutexQueue } from '../../src/store/mutex-queue.ts';
import { clearDeadRefLock } from '../../src/store/ref-lock.ts';

const env = systemEnv();
let scratch: string;
let script: string;
let gitDirectory: string;
let directory: string;
let mutex: Mutex;
let running: ChildProcessWithoutNullStreams[];
let workerPids: number[];

beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'gitstate-mutex-'));
  script = join(scratch, 'worker.mjs');
  const entryPoints = [join(import.meta.dirname, '../support/mutex-worker.ts')];
  await build({
    entryPoints,
    outfile: script,
    bundle: true,
    platform: 'node',
    format: 'esm',
    logLevel: 'error',
  });
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

beforeEach(() => {
  gitDirectory = mkdtempSync(join(scratch, 'git-'));
  directory = join(gitDirectory, 'gitstate', 'mutex');
  mutex = new Mutex({ directory, env });
  running = [];
  workerPids = [];
});
afterEach(async () => {
  mutex.close();
  // Under strace the worker is not the child, and goes on without it.
  for (const pid of workerPids) if (processStart(pid) !== null) process.kill(pid, 'SIGKILL');
  for (const child of running) await kill(child);
});

function start(command: string, args: string[]): ChildProcessWithoutNullStreams {
  const child = spawn(command, args);
  running.push(child);
  return child;
}

/** Starts a worker (see test/support/mutex-worker.ts) up to the point where it waits for `go`. */
function worker(...args: string[]) {
  return workerOf([process.execPath, script, ...args]);
}

/** A worker whose calls of link(2) are tampered with, as strace(1) says under `inject`. */
function tracedWorker(tampering: string, ...args: string[]) {
  const options = [
    '-f',
    '-qq',
    '-o',
    '/dev/null',
    '-e',
    'trace=link,linkat',
    '-e',
    `inject=link,linkat:${tampering}`,
  ];
  return workerOf(['strace', ...options, process.execPath, script, ...args]);
}

async function workerOf([command = '', ...args]: string[]) {
  const child = start(command, args);
  let said: string[] = [];
  let problem = '';
  child.stdout.on('data', (chunk) => {
    said = said.concat(String(chunk).trim().split('\n'));
  });
  child.stderr.on('data', (chunk) => {
    problem += chunk;
  });
  const hears = async (word: string) => {
    while (!said.includes(word)) {
      if (child.exitCode !== null)
        throw new Error(`worker exited ${child.exitCode} before '${word}': ${problem}`);
      await env.sleep(2);
    }
  };
  await hears('ready');
  await until(() => said.length >= 2);
  const pid = Number(said[1]);
  workerPids.push(pid);
  const ended = once(child, 'close').then(([code]) => ({ code, problem }));
  return { child, pid, ended, hears, said: () => said, go: () => child.stdin.end('go\n') };
}

async function kill(child: ChildProcessWithoutNullStreams): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

/** A process that exists until it is killed, in the part of a Git child. */
function sleeper(): ChildProcessWithoutNullStreams {
  return start('sleep', ['60']);
}

async function holdAndDie(...args: string[]): Promise<void> {
  const holder = await worker('hold', directory, ...args);
  holder.go();
  await holder.hears('held');
  await kill(holder.child);
}

/** A mutex as another process would see itself. */
function mutexOf(identity: Partial<ProcessIdentity>): Mutex {
  return new Mutex({ directory, env: { ...env, identity: { ...env.identity, ...identity } } });
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await env.sleep(2);
}

const pids = (children: readonly { pid: number }[]) => children.map(({ pid }) => pid);
const tickets = () => readdirSync(join(directory, 'queue'));
const files = () => readdirSync(directory).filter((name) => name !== 'queue');

const strace = spawnSync('strace', ['-f', '-o', '/dev/null', 'true']).status === 0;

describe('many processes', () => {
  it('lets one in at a time, and each in its turn', async () => {
    const counter = join(gitDirectory, 'counter');
    const log = join(gitDirectory, 'log');
    writeFileSync(counter, '0');
    const workers = await Promise.all(
      Array.from({ length: 8 }, () => worker('count', directory, counter, log, '50')),
    );
    for (const { go } of workers) go();
    for (const { ended } of workers) expect(await ended).toEqual({ code: 0, problem: '' });

    expect(readFileSync(counter, 'utf8')).toBe('400');
    const firstHalf = readFileSync(log, 'utf8').trim().split('\n').slice(0, 200);
    const shares = workers.map(({ child }) => firstHalf.filter((pid) => pid === String(child.pid)).length);
    expect(Math.min(...shares)).toBeGreaterThan(12);
    expect(Math.max(...shares)).toBeLessThan(38);
    expect(files()).toEqual([]);
    expect(tickets()).toEqual([]);
  });

  it('lets one in at a time while holders and waiters are killed', async () => {
    const counter = join(gitDirectory, 'counter');
    const log = join(gitDirectory, 'log');
    writeFileSync(counter, '0');
    const args = ['count', directory, counter, log] as const;
    const victims = await Promise.all(Array.from({ length: 4 }, () => worker(...args, '100000')));
    const others = await Promise.all(Array.from({ length: 3 }, () => worker(...args, '60')));
    for (const { go } of [...victims, ...others]) go();
    for (const [index, { child }] of victims.entries()) {
      await until(() => Number(readFileSync(counter, 'utf8')) > 15 * (index + 1));
      await kill(child);
    }
    for (const { ended } of others) expect(await ended).toEqual({ code: 0, problem: '' });
    const logged = readFileSync(log, 'utf8').trim().split('\n').length;
    // Each victim may have died between its two files.
    expect(Number(readFileSync(counter, 'utf8')) - logged).toBeGreaterThanOrEqual(0);
    expect(Number(readFileSync(counter, 'utf8')) - logged).toBeLessThanOrEqual(victims.length);
  });
});

describe('two at the same moment', () => {
  it.skipIf(!strace)('do not both get the lock that both found free', async () => {
    const slow = () => tracedWorker('delay_enter=300000', 'hold', directory);
    const both = await Promise.all([slow(), slow()]);
    for (const { go } of both) go();
    await until(() => both.flatMap(({ said }) => said()).includes('held') && tickets().length === 1);
    expect(both.filter(({ said }) => said().includes('held')).length).toBe(1);
  });

  it('do not both clear up after the same dead one', async () => {
    await mutexOf({ started: '1' }).acquire();
    const dead = readContender(join(directory, 'lock'))!;
    const [first, second] = [new MutexQueue(directory, env), new MutexQueue(directory, env)];
    const act = () => true;
    expect(first.asExecutorOf(dead, () => second.asExecutorOf(dead, act))).toBe(false);
    expect(first.asExecutorOf(dead, act)).toBe(true);
    first.close();
    second.close();
  });
});

describe('a dead holder', () => {
  it('is replaced', async () => {
    await holdAndDie();
    expect(mutex.holder()?.liveness).toBe('dead');
    const held = await mutex.acquire({ deadlineMs: 5000 });
    expect(mutex.holder()?.identity).toEqual(env.identity);
    held.release();
    expect(mutex.holder()).toBeNull();
  });

  it('is replaced without waiting', async () => {
    await holdAndDie();
    const held = await mutex.acquire({ deadlineMs: 0 });
    held.release();
  });

  it('is known by its start time when its process id is in use again', async () => {
    await mutexOf({ started: '1' }).acquire();
    const held = await mutex.acquire({ deadlineMs: 1000 });
    held.release();
  });

  it('is replaced when the one that was about to replace it is dead as well', async () => {
    (await mutex.acquire()).release();
    await mutexOf({ started: '1' }).acquire();
    const { id } = readContender(join(directory, 'lock'))!;
    const right = join(directory, `takeover-${id}`);
    const successor = { id: 'b'.repeat(20), identity: { ...env.identity, started: '2' } };
    writeFileSync(right, `${JSON.stringify(successor)}\n`);
    const held = await mutex.acquire({ deadlineMs: 5000 });
    held.release();
    expect(files().filter((name) => name.startsWith('takeover-'))).toEqual([]);
  });

  it('is replaced by one of many', async () => {
    await holdAndDie();
    const counter = join(gitDirectory, 'counter');
    const log = join(gitDirectory, 'log');
    writeFileSync(counter, '0');
    const workers = await Promise.all(
      Array.from({ length: 4 }, () => worker('count', directory, counter, log, '3')),
    );
    for (const { go } of workers) go();
    for (const { ended } of workers) expect(await ended).toEqual({ code: 0, problem: '' });
    expect(readFileSync(counter, 'utf8')).toBe('12');
  });
});

describe('the queue', () => {
  it('goes on when a waiter is killed', async () => {
    const held = await mutex.acquire();
    const [first, second] = [await worker('once', directory), await worker('once', directory)];
    first.go();
    await until(() => tickets().length === 1);
    second.go();
    await until(() => tickets().length === 2);
    await kill(first.child);
    held.release();
    expect(await second.ended).toEqual({ code: 0, problem: '' });
    expect(tickets()).toEqual([]);
  });

  it('passes a waiter that is stopped, and lets it in when it goes on', async () => {
    const held = await mutex.acquire();
    const [first, second] = [await worker('once', directory), await worker('once', directory)];
    first.go();
    await until(() => tickets().length === 1);
    second.go();
    await until(() => tickets().length === 2);
    first.child.kill('SIGSTOP');
    held.release();
    expect(await second.ended).toEqual({ code: 0, problem: '' });
    first.child.kill('SIGCONT');
    expect(await first.ended).toEqual({ code: 0, problem: '' });
  });

  it('serves the acquirers of one process in their order', async () => {
    const order: number[] = [];
    const held = await mutex.acquire();
    const all = [1, 2, 3, 4].map(async (number) => {
      const next = await mutex.acquire();
      order.push(number);
      next.release();
    });
    held.release();
    held.release();
    await Promise.all(all);
    expect(order).toEqual([1, 2, 3, 4]);
  });

  it('lets no second one in when a holder lets go twice', async () => {
    const held = await mutex.acquire();
    held.release();
    const next = await mutex.acquire();
    held.release();
    await expect(mutex.acquire({ deadlineMs: 30 })).rejects.toMatchObject({ code: 'LOCKED' });
    next.release();
    const last = await mutex.acquire({ deadlineMs: 0 });
    last.release();
  });
});

describe('a holder that keeps the mutex beyond the deadline', () => {
  it('is named when it lives, and the place in the queue given up', async () => {
    const holder = await worker('hold', directory);
    holder.go();
    await holder.hears('held');
    const failure = mutex.acquire({ deadlineMs: 60 });
    await expect(failure).rejects.toMatchObject({
      code: 'LOCKED',
      retryable: true,
      details: { holder: { pid: holder.child.pid }, liveness: 'alive', path: join(directory, 'lock') },
    });
    expect(tickets()).toEqual([]);
  });

  it.each([
    ['host', { host: 'elsewhere.example' }],
    ['boot', { boot: '00000000-0000-0000-0000-000000000000' }],
    ['process id namespace', { pidns: 'pid:[1]' }],
  ])('is never judged when it is of another %s', async (_, difference) => {
    const other = { ...difference, pid: 2 ** 22 + 1, started: '1' };
    await mutexOf(other).acquire();
    await expect(mutex.acquire({ deadlineMs: 60 })).rejects.toMatchObject({
      code: 'LOCKED',
      details: { holder: other, liveness: 'unknown', waited_ms: expect.any(Number) },
    });
    expect(mutex.holder()?.identity).toMatchObject(other);
  });

  it.each([
    ['empty', ''],
    ['garbled', 'not a lock\n'],
    ['cut short', '{"id":"aaaaaaaaaaaaaaaaaaaa","identity":{"host'],
  ])('keeps it when the lock is %s, whatever its age', async (_, text) => {
    (await mutex.acquire()).release();
    const lock = join(directory, 'lock');
    writeFileSync(lock, text);
    utimesSync(lock, 1, 1);
    await expect(mutex.acquire({ deadlineMs: 60 })).rejects.toMatchObject({
      code: 'LOCKED',
      message: expect.stringContaining(lock),
      details: { holder: null, liveness: 'unknown', path: lock },
    });
    expect(readFileSync(lock, 'utf8')).toBe(text);
  });
});

describe('children', () => {
  it('are visible in the lock as soon as they are noted', async () => {
    const child = sleeper();
    const held = await mutex.acquire();
    mutex.noteChild(child.pid!);
    expect(pids(new Mutex({ directory, env }).holder()!.children)).toEqual([child.pid]);
    held.release();
    expect(pids(mutex.children)).toEqual([child.pid]);
    await kill(child);
    const next = await mutex.acquire();
    expect(pids(mutex.holder()!.children)).toEqual([]);
    next.release();
  });

  it('pass from a dead holder to the next, and on until somebody lets go after they died', async () => {
    const [child, other] = [sleeper(), sleeper()];
    await holdAndDie(String(child.pid));
    await holdAndDie(String(other.pid));
    const whileAlive = await mutex.acquire({ deadlineMs: 5000 });
    expect(pids(whileAlive.inherited)).toEqual([child.pid, other.pid]);
    whileAlive.release();
    await kill(child);
    await kill(other);
    const afterwards = await mutex.acquire();
    expect(pids(afterwards.inherited)).toEqual([child.pid, other.pid]);
    afterwards.release();
    const last = await mutex.acquire();
    expect(last.inherited).toEqual([]);
    last.release();
  });

  it('stay on record when a process exits while it holds the mutex', async () => {
    const child = sleeper();
    const holder = await worker('exit', directory, String(child.pid));
    holder.go();
    await holder.ended;
    expect(files()).toEqual(['orphans']);
    const held = await mutex.acquire({ deadlineMs: 0 });
    expect(pids(held.inherited)).toEqual([child.pid]);
    held.release();
  });

  it('may each be read although the record of the last was cut short', async () => {
    const [child, next] = [sleeper(), sleeper()];
    const held = await mutex.acquire();
    mutex.noteChild(child.pid!);
    writeFileSync(join(directory, 'lock'), '\n{"pid":17,"sta', { flag: 'a' });
    mutex.noteChild(next.pid!);
    expect(pids(mutex.holder()!.children)).toEqual([child.pid, next.pid]);
    held.release();
  });

  describe('and the lock of our ref', () => {
    const lockFile = () => join(gitDirectory, 'gitstate.lock');
    const clear = () => clearDeadRefLock({ lockFile: lockFile(), children: mutex.children, env });
    const left = () => readdirSync(gitDirectory).includes('gitstate.lock');

    it('is removed when all are dead', async () => {
      const child = sleeper();
      mutex.noteChild(child.pid!);
      writeFileSync(lockFile(), '');
      await kill(child);
      expect(clear()).toBe(true);
      expect(left()).toBe(false);
      expect(clear()).toBe(false);
    });

    it('stays while one lives', async () => {
      const [child, other] = [sleeper(), sleeper()];
      mutex.noteChild(child.pid!);
      mutex.noteChild(other.pid!);
      writeFileSync(lockFile(), '');
      await kill(child);
      expect(clear()).toBe(false);
      expect(left()).toBe(true);
    });

    it('stays when none was noted', () => {
      writeFileSync(lockFile(), '');
      expect(clear()).toBe(false);
      expect(left()).toBe(true);
    });

    it('stays when it is older than they are', async () => {
      writeFileSync(lockFile(), '');
      utimesSync(lockFile(), Date.now() / 1000 - 10, Date.now() / 1000 - 10);
      const child = sleeper();
      mutex.noteChild(child.pid!);
      await kill(child);
      expect(clear()).toBe(false);
      expect(left()).toBe(true);
    });
  });
});

describe('the directory', () => {
  it('has no files left after close', async () => {
    const held = await mutex.acquire();
    const waiting = new Mutex({ directory, env });
    await expect(waiting.acquire({ deadlineMs: 20 })).rejects.toMatchObject({ code: 'LOCKED' });
    held.release();
    waiting.close();
    mutex.close();
    expect(files()).toEqual([]);
    expect(tickets()).toEqual([]);
  });

  it('loses what the killed left there to those that come later', async () => {
    await holdAndDie();
    (await mutex.acquire()).release();
    const later = new Mutex({ directory, env });
    (await later.acquire()).release();
    later.close();
    mutex.close();
    expect(files()).toEqual([]);
  });

  it('is made again when somebody deletes it', async () => {
    (await mutex.acquire()).release();
    rmSync(join(gitDirectory, 'gitstate'), { recursive: true });
    const held = await mutex.acquire();
    expect(mutex.holder()?.identity).toEqual(env.identity);
    held.release();
  });

  it.each(['gitstate', 'gitstate/mutex', 'gitstate/mutex/queue'])(
    'is refused when %s is a symbolic link',
    async (name) => {
      const target = join(gitDirectory, 'target');
      mkdirSync(target);
      mkdirSync(join(gitDirectory, name, '..'), { recursive: true });
      symlinkSync(target, join(gitDirectory, name));
      await expect(mutex.acquire()).rejects.toMatchObject({ code: 'READ_ONLY' });
      expect(readdirSync(target)).toEqual([]);
    },
  );

  it.skipIf(!strace)('may lie where there are no hard links', async () => {
    const child = sleeper();
    const holder = await tracedWorker('error=EPERM', 'hold', directory, String(child.pid));
    holder.go();
    await holder.hears('held');
    expect(pids(mutex.holder()!.children)).toEqual([child.pid]);
    await expect(mutex.acquire({ deadlineMs: 60 })).rejects.toMatchObject({ code: 'LOCKED' });
    process.kill(holder.pid, 'SIGKILL');
    const held = await mutex.acquire({ deadlineMs: 5000 });
    expect(pids(held.inherited)).toEqual([child.pid]);
    held.release();
  });

  it.skipIf(!strace).each([
    ['ENOSPC', 'no space left'],
    ['EROFS', 'cannot write to'],
    ['EIO', 'cannot use'],
  ])('may fail with %s', async (error, message) => {
    const failing = await tracedWorker(`error=${error}`, 'once', directory);
    failing.go();
    expect(await failing.ended).toEqual({ code: 9, problem: expect.stringContaining(message) });
  });
});
