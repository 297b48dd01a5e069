import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import * as claim from '../../src/store/proposals/claim.ts';
import { proposals } from '../../src/store/proposals/registry.ts';
import { bundle } from '../support/bundle.ts';
import { expectSound } from '../support/oracle.ts';
import { repositoryAt, type TestRepository } from '../support/repo.ts';
import { makeStore, openTestStore } from '../support/store.ts';

let script: string;
beforeAll(async () => {
  script = await bundle('mixed-worker');
});

interface Run {
  out: string;
  signal: NodeJS.Signals | null;
}

function start(cwd: string, name: string, count?: number): { child: ChildProcess; ended: Promise<Run> } {
  const args = [script, cwd, name, ...(count === undefined ? [] : [String(count)])];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let out = '';
  child.stdout!.on('data', (chunk) => {
    out += chunk;
  });
  const ended = new Promise<Run>((resolve) => child.on('close', (_, signal) => resolve({ out, signal })));
  return { child, ended };
}

function said({ out }: Run, word: string): string[] {
  return [...out.matchAll(new RegExp(`^${word} (\\S+)$`, 'gm'))].map((match) => match[1]!);
}

/** How often each thing that the workers announce stands in the history. */
function historyOf(repository: TestRepository): Map<string, number> {
  const format = '%B%x00';
  const found = new Map<string, number>();
  for (const entry of repository.git('log', `--format=${format}`, 'gitstate').split('\0')) {
    const type = /^gitstate-op: (.*)$/m.exec(entry)?.[1];
    const args = /^gitstate-args: (.*)$/m.exec(entry)?.[1];
    if (type === undefined || args === undefined) continue;
    const { feature, message } = JSON.parse(args) as { feature?: string; message?: string };
    const about =
      type === 'note.add' ? message?.replace('note of ', 'note:') : `${type.split('.')[1]}:${feature}`;
    if (about !== undefined) found.set(about, (found.get(about) ?? 0) + 1);
  }
  return found;
}

function expectTold(runs: Run[], history: Map<string, number>): void {
  for (const run of runs) {
    for (const what of said(run, 'done')) {
      if (what.startsWith('beat:')) continue;
      expect(history.get(what), `${what} was acknowledged`).toBe(1);
    }
    for (const what of said(run, 'refused')) {
      if (!what.startsWith('add:shared-')) expect(history.get(what), `${what} was refused`).toBeUndefined();
    }
  }
  for (const [what, count] of history) expect(count, `${what} landed more than once`).toBe(1);
}

/** Where whoever holds the mutex is asked; there while it listens. */
const socketOf = (repository: TestRepository) => join(repository.path, '.git/gitstate/mutex/asks');

/** How many commits each move of the branch published. */
function groupSizes(repository: TestRepository): number[] {
  const log = readFileSync(join(repository.path, '.git/logs/refs/heads/gitstate'), 'utf8');
  const order = repository.git('rev-list', '--reverse', 'gitstate').split('\n');
  const position = new Map(order.map((oid, index) => [oid, index]));
  const tips = log
    .split('\n')
    .slice(0, -1)
    .map((line) => position.get(line.split(' ')[1]!)!);
  return tips.map((tip, index) => tip - (tips[index - 1] ?? -1));
}

test('proposals travel under names of their own', () => {
  expect(proposals.get('claim')).toBe(claim.featureClaim);
  const names = readdirSync('src/store/proposals').flatMap((file) =>
    [
      ...readFileSync(join('src/store/proposals', file), 'utf8').matchAll(
        /export const (\w+) = (?:ending)?[pP]roposal\(/g,
      ),
    ].map((match) => match[1]!),
  );
  expect(names.length).toBeGreaterThan(30);
  // The two ways to import have one name: neither process may take one for the other. A seal goes alone.
  expect(proposals.size).toBe(names.length - 2);
});

test('one process commits for others, and each gets the answer to its own', {
  timeout: 120_000,
}, async () => {
  const { repository } = await makeStore();
  const started = Array.from({ length: 6 }, (_, index) => start(repository.path, `w${index}`, 8));
  const runs = await Promise.all(started.map(({ ended }) => ended));
  const history = historyOf(repository);
  expectTold(runs, history);
  for (const run of runs) {
    expect(run.signal).toBe(null);
    expect(said(run, 'done').filter((what) => !what.startsWith('add:shared-'))).toHaveLength(8 * 5);
  }
  const shared = runs.flatMap((run) => said(run, 'done')).filter((what) => what.startsWith('add:shared-'));
  expect(shared).toHaveLength(8);
  // Without combining each commit is a move of its own.
  expect(Math.max(...groupSizes(repository))).toBeGreaterThan(1);
  expect(existsSync(socketOf(repository))).toBe(false);
  await expectSound(repository);
});

test('whoever dies while it commits for others, what was acknowledged stands once', {
  timeout: 180_000,
}, async () => {
  const { repository, store } = await makeStore();
  const lock = join(repository.path, '.git/gitstate/mutex/lock');
  const workers = Array.from({ length: 5 }, (_, index) => start(repository.path, `v${index}`));
  const all = [...workers];
  let killedHolders = 0;
  for (let kill = 0; kill < 8; ) {
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 12));
    let pid: number;
    try {
      pid = JSON.parse(readFileSync(lock, 'utf8').split('\n')[0]!).identity.pid;
    } catch {
      continue;
    }
    const index = workers.findIndex(({ child }) => child.pid === pid);
    // It hears what others ask for.
    if (index < 0 || !existsSync(socketOf(repository))) continue;
    // Before or after a compare-and-swap, or when it has just answered.
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 40));
    workers[index]!.child.kill('SIGKILL');
    kill += 1;
    killedHolders += 1;
    workers[index] = start(repository.path, `k${kill}`);
    all.push(workers[index]!);
  }
  while (Math.max(...groupSizes(repository)) < 2) await new Promise((resolve) => setTimeout(resolve, 100));
  for (const { child } of workers) child.kill('SIGKILL');
  const runs = await Promise.all(all.map(({ ended }) => ended));
  await store.close();
  const next = await openTestStore(repository.path);
  await next.note({ message: 'after', session: 's' });
  const history = historyOf(repository);
  expectTold(runs, history);
  // The test proves nothing unless holders died, some with operations under way that landed without an answer.
  expect(killedHolders).toBe(8);
  const unanswered = runs.flatMap((run) => {
    const heard = new Set(['done', 'refused', 'unknown'].flatMap((word) => said(run, word)));
    return said(run, 'begin').filter((what) => !heard.has(what));
  });
  expect(unanswered.length).toBeGreaterThan(5);
  expect(Math.max(...groupSizes(repository))).toBeGreaterThan(1);
  await expectSound(repository);
});

test('where no socket can stand, each waits for its turn', { timeout: 60_000 }, async () => {
  const { repository } = await makeStore();
  const path = join(repository.path, 'x'.repeat(100));
  mkdirSync(path);
  renameSync(join(repository.path, '.git'), join(path, '.git'));
  const started = ['p', 'q', 'r'].map((name) => start(path, name, 3));
  const runs = await Promise.all(started.map(({ ended }) => ended));
  const moved = repositoryAt(path);
  expectTold(runs, historyOf(moved));
  expect(
    runs.every((run) => said(run, 'done').some((what) => what === `complete:${run.out.split(':')[1]![0]}-3`)),
  ).toBe(true);
  expect(Math.max(...groupSizes(moved))).toBe(1);
});

test('what is asked in another version or with other settings is left alone', async () => {
  const { repository } = await makeStore();
  const workers = [start(repository.path, 'x'), start(repository.path, 'y'), start(repository.path, 'z')];
  const socket = await connected(socketOf(repository));
  const answers: string[] = [];
  socket.setEncoding('utf8').on('data', (text: string) => answers.push(...text.trim().split('\n')));
  const process = { host: 'h', boot: null, pidns: null, pid: 1, started: null };
  const by = { identity: { name: 'a', email: 'a@b' }, derivedWorker: 'w', process };
  const request = { session: 's', message: 'foreign' };
  const requests = [{ proposal: 'note', request, hash: '0', id: 'foreign-note-id-12345', repeat: 'never' }];
  const since = repository.git('rev-parse', 'gitstate');
  const ask = { version: 1, settings: 'others', since, by, requests };
  for (const text of [{ ...ask, version: 99 }, ask, 'nonsense']) socket.write(`${JSON.stringify(text)}\n`);
  while (answers.length < 3) await new Promise((resolve) => setTimeout(resolve, 5));
  for (const answer of answers)
    expect(JSON.parse(answer)).toEqual({ version: 1, taken: false, outcomes: [] });
  socket.destroy();
  for (const { child } of workers) child.kill('SIGKILL');
  await Promise.all(workers.map(({ ended }) => ended));
  expect(repository.git('log', '--format=%s', 'gitstate')).not.toContain('foreign');
});

/** A connection to whoever listens, as soon as somebody does. */
async function connected(path: string): Promise<Socket> {
  for (;;) {
    const socket = connect(path);
    const isOpen = await new Promise((resolve) => {
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    });
    if (isOpen) return socket.on('error', () => {});
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
