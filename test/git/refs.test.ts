import { execFile } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, describe, expect, test } from 'vitest';
import { isLooseAt, lockPath, RefStore } from '../../src/git/refs.ts';
import { openRepository } from '../../src/git/repository.ts';
import { Git } from '../../src/git/run.ts';
import { cloneRepository, makeRepository, temporaryDirectory } from '../support/repo.ts';
import { bundle, isRunning } from './processes.ts';

const identity = { name: 'Zoë', email: 'z@example.com' };
const open: RefStore[] = [];
afterEach(() => {
  for (const refs of open.splice(0)) refs.close();
});

interface Options {
  fsync?: boolean;
  onChild?: (pid: number) => void;
  deadlineMs?: number;
}

async function refsOf(path: string, options: Options = {}): Promise<RefStore> {
  const repository = await openRepository({ cwd: path, variables: process.env });
  const refs = new RefStore(repository, { fsync: true, identity, ...options });
  open.push(refs);
  return refs;
}

/** A repository with two commits that a ref can go between. */
function withTwoCommits() {
  const repository = makeRepository();
  const first = repository.git('rev-parse', 'HEAD');
  const second = repository.git('commit-tree', '-m', 'second', '-p', first, 'HEAD^{tree}');
  const held = (ref: string) => repository.git('for-each-ref', '--format=%(objectname)', ref) || null;
  return { ...repository, first, second, held };
}

const ref = 'refs/heads/state';

describe.each([true, false])('a move (flushed: %s)', (fsync) => {
  test('happens if the ref holds what it should, and not otherwise', async () => {
    const { path, first, second, held } = withTwoCommits();
    const refs = await refsOf(path, { fsync });
    const steps = [
      { oldOid: second, newOid: first, result: 'failed', value: null },
      { oldOid: null, newOid: first, result: 'moved', value: first },
      { oldOid: null, newOid: second, result: 'failed', value: first },
      { oldOid: second, newOid: first, result: 'failed', value: first },
      { oldOid: first, newOid: second, result: 'moved', value: second },
      { oldOid: undefined, newOid: first, result: 'moved', value: first },
      { oldOid: first, newOid: first, result: 'moved', value: first },
      { oldOid: second, newOid: null, result: 'failed', value: first },
      { oldOid: first, newOid: null, result: 'moved', value: null },
      { oldOid: null, newOid: null, result: 'moved', value: null },
      { oldOid: undefined, newOid: 'f'.repeat(40), result: 'failed', value: null },
    ];
    for (const { oldOid, newOid, result, value } of steps) {
      expect([await refs.transact([{ ref, oldOid, newOid }]), held(ref)]).toEqual([result, value]);
    }
    expect(refs.lastFailure).toContain('f'.repeat(40));
  });

  test('of several refs happens to all or to none', async () => {
    const { path, first, second, held } = withTwoCommits();
    const refs = await refsOf(path, { fsync });
    const create = (name: string) => ({ ref: name, oldOid: null, newOid: first });
    expect(await refs.transact([create(ref), create('refs/tags/deep/er/one')])).toBe('moved');
    const moves = [
      { ref, oldOid: first, newOid: second },
      { ref: 'refs/tags/deep/er/one', oldOid: second, newOid: null },
    ];
    expect(await refs.transact(moves)).toBe('failed');
    expect([held(ref), held('refs/tags/deep/er/one')]).toEqual([first, first]);
  });
});

test('transactions asked for at once come one after the other', async () => {
  const { path, first, second, held } = withTwoCommits();
  const refs = await refsOf(path);
  const results = await Promise.all([
    refs.transact([{ ref, oldOid: null, newOid: first }]),
    refs.transact([{ ref, oldOid: null, newOid: second }]),
    refs.transact([{ ref, oldOid: first, newOid: second }]),
  ]);
  expect([results, held(ref)]).toEqual([['moved', 'failed', 'moved'], second]);
});

test('packed refs count, and packing beside us does no harm', async () => {
  const { path, first, second, held, git } = withTwoCommits();
  const refs = await refsOf(path);
  await refs.transact([{ ref, oldOid: null, newOid: first }]);
  git('pack-refs', '--all', '--prune');
  expect(await refs.transact([{ ref, oldOid: null, newOid: second }])).toBe('failed');
  expect(await refs.transact([{ ref, oldOid: first, newOid: second }])).toBe('moved');
  git('pack-refs', '--all', '--prune');
  expect(await refs.transact([{ ref, oldOid: second, newOid: null }])).toBe('moved');
  expect(held(ref)).toBeNull();
});

test('a name that is a directory of another ref is refused', async () => {
  const { path, first, held } = withTwoCommits();
  const refs = await refsOf(path);
  await refs.transact([{ ref, oldOid: null, newOid: first }]);
  expect(await refs.transact([{ ref: `${ref}/below`, oldOid: null, newOid: first }])).toBe('failed');
  expect(await refs.transact([{ ref: 'refs/heads', oldOid: null, newOid: first }]).catch(String)).toContain(
    'TypeError',
  );
  expect(held(ref)).toBe(first);
});

test('a lock that was left behind makes it fail, and nothing is touched', async () => {
  const { path, first, second, held } = withTwoCommits();
  const refs = await refsOf(path);
  await refs.transact([{ ref, oldOid: null, newOid: first }]);
  const lock = lockPath(await openRepository({ cwd: path, variables: process.env }), ref);
  expect(lock).toBe(join(path, '.git/refs/heads/state.lock'));
  writeFileSync(lock, '');
  expect(await refs.transact([{ ref, oldOid: first, newOid: second }])).toBe('failed');
  expect(refs.lastFailure).toContain('state.lock');
  expect([existsSync(lock), held(ref)]).toEqual([true, first]);
  rmSync(lock);
  expect(await refs.transact([{ ref, oldOid: first, newOid: second }])).toBe('moved');
});

test('the reflog says who and why', async () => {
  const { path, first, git } = withTwoCommits();
  await (await refsOf(path)).transact([{ ref, oldOid: null, newOid: first }]);
  expect(git('reflog', '--format=%gn <%ge> %gs', ref)).toBe('Zoë <z@example.com> gitstate');
});

test('the child is announced before it is told to lock anything', async () => {
  const { path, first, second, held } = withTwoCommits();
  const seen: unknown[] = [];
  const refs = await refsOf(path, { onChild: (pid) => seen.push([pid > 0, held(ref)]) });
  await refs.transact([{ ref, oldOid: null, newOid: first }]);
  await refs.transact([{ ref, oldOid: first, newOid: second }]);
  expect(seen).toEqual([
    [true, null],
    [true, first],
  ]);
});

test('a child that has looked at another packed-refs is not asked any more', async () => {
  const { path, first, second, git, held } = withTwoCommits();
  const children: number[] = [];
  const refs = await refsOf(path, { onChild: (pid) => void children.push(pid) });
  await refs.transact([{ ref, oldOid: null, newOid: first }]);
  await refs.transact([{ ref, oldOid: first, newOid: second }]);
  git('pack-refs', '--all', '--prune');
  expect(await refs.transact([{ ref, oldOid: second, newOid: first }])).toBe('moved');
  expect(await refs.transact([{ ref, oldOid: first, newOid: second }])).toBe('moved');
  expect(children[1]).toBe(children[0]);
  expect(children[2]).not.toBe(children[1]);
  expect(children[3]).toBe(children[2]);
  expect(held(ref)).toBe(second);
});

test('a child that is killed or hangs is a failure, after which nothing can land', async () => {
  const { path, first, held } = withTwoCommits();
  let child = 0;
  const refs = await refsOf(path, {
    onChild: (pid) => {
      child = pid;
      process.kill(pid, 'SIGSTOP');
    },
    deadlineMs: 200,
  });
  expect(await refs.transact([{ ref, oldOid: null, newOid: first }])).toBe('failed');
  expect(() => process.kill(child, 0)).toThrow('ESRCH');
  expect(held(ref)).toBeNull();
});

test('a child that cannot be started is a failure', async () => {
  const { path, first } = withTwoCommits();
  const repository = await openRepository({ cwd: path, variables: process.env });
  const git = new Git({ ...repository.git.context, variables: { PATH: temporaryDirectory() } });
  const refs = new RefStore({ ...repository, git }, { fsync: true, identity });
  expect(await refs.transact([{ ref, oldOid: null, newOid: first }])).toBe('failed');
  expect(refs.lastFailure).toContain('ENOENT');
});

test('refs are listed by their full names', async () => {
  const { path, first, second } = withTwoCommits();
  const refs = await refsOf(path);
  const names = ['refs/leases/a', 'refs/leases/b/c', 'refs/leasesx'].slice(0, 2);
  await refs.transact(
    names.map((name, index) => ({ ref: name, oldOid: null, newOid: index ? second : first })),
  );
  expect(await refs.list('refs/leases/')).toEqual(
    new Map([
      ['refs/leases/a', first],
      ['refs/leases/b/c', second],
    ]),
  );
  expect(await refs.list('refs/none/')).toEqual(new Map());
});

test('a linked worktree and a bare repository move the same refs', async () => {
  const { path, first, second, held, git } = withTwoCommits();
  const linked = join(temporaryDirectory(), 'linked');
  git('worktree', 'add', '-q', '-b', 'side', linked);
  expect(await (await refsOf(linked)).transact([{ ref, oldOid: null, newOid: first }])).toBe('moved');
  expect(await (await refsOf(path)).transact([{ ref, oldOid: first, newOid: second }])).toBe('moved');
  expect(held(ref)).toBe(second);
  const bare = cloneRepository(path, '--bare');
  expect(
    await (await refsOf(bare.path)).transact([{ ref: 'refs/heads/main', oldOid: first, newOid: null }]),
  ).toBe('moved');
});

test('SHA-256 names are taken', async () => {
  const { path, git } = makeRepository({ objectFormat: 'sha256' });
  const head = git('rev-parse', 'HEAD');
  const refs = await refsOf(path);
  expect(await refs.transact([{ ref, oldOid: null, newOid: head }])).toBe('moved');
  expect(git('rev-parse', ref)).toBe(head);
});

test.each(['main', 'refs/heads/a b', 'refs/heads/x\ndelete refs/heads/main', '-x', 'refs/heads/../x'])(
  'the name %j is not handed to Git',
  async (name) => {
    const { path, first, held } = withTwoCommits();
    const refs = await refsOf(path);
    await expect(refs.transact([{ ref: name, newOid: first }])).rejects.toThrow(TypeError);
    expect(held('refs/heads/main')).toBe(first);
  },
);

test('four processes that add 25 commits each lose none', async () => {
  const repository = makeRepository();
  const script = await bundle('increment-worker.ts');
  const run = promisify(execFile);
  const paths = [repository.path];
  for (const name of ['w1', 'w2', 'w3']) {
    const linked = join(temporaryDirectory(), name);
    repository.git('worktree', 'add', '-q', '-b', name, linked);
    paths.push(linked);
  }
  repository.git('branch', 'state');
  const results = await Promise.all(
    paths.map((path, index) => run('node', [script, path, ref, `p${index}`, '25'])),
  );
  expect(results.map(({ stdout }) => stdout.trim())).toEqual(['25', '25', '25', '25']);
  const subjects = repository.git('log', '--format=%s', ref).split('\n');
  expect(subjects).toHaveLength(101);
  expect(new Set(subjects).size).toBe(101);
  expect(repository.git('fsck', '--strict', '--full', '--no-dangling')).toBe('');
  expect(existsSync(join(repository.path, '.git/refs/heads/state.lock'))).toBe(false);
  expect(readFileSync(join(repository.path, '.git/logs/refs/heads/state'), 'utf8').split('\n')).toHaveLength(
    102,
  );
});

test('idle Git processes do not keep a program alive, and end with it', async () => {
  const repository = makeRepository();
  const script = await bundle('idle-worker.ts');
  const { stdout } = await promisify(execFile)('node', [script, repository.path], { timeout: 20_000 });
  const pid = Number(stdout);
  expect(pid).toBeGreaterThan(0);
  await expect.poll(() => isRunning(pid)).toBe(false);
});

describe('a ref that is a file', () => {
  test('is confirmed without asking Git, and only where it holds just that', async () => {
    const { path, git } = makeRepository();
    const repository = await openRepository({ cwd: path, variables: process.env });
    const oid = git('rev-parse', 'main');
    expect(isLooseAt(repository, 'refs/heads/main', oid)).toBe(true);
    expect(isLooseAt(repository, 'refs/heads/main', '1'.repeat(40))).toBe(false);
    expect(isLooseAt(repository, 'refs/heads/nope', oid)).toBe(false);
    git('pack-refs', '--all');
    expect(isLooseAt(repository, 'refs/heads/main', oid)).toBe(false);
  });
});
