import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { expectSound } from '../support/oracle.ts';
import { addFeatures, codeOf, makeStore } from '../support/store.ts';

/** Feature 1 in its worktree with one commit of work; the checkpoint `point` is there. A second commit follows. */
async function atWork() {
  const { repository, store } = await makeStore({ steps: ['plan', 'build'] });
  await addFeatures(store, ['1']);
  const { token, worktree } = await store.claim({ worker: 'W1', worktree: true });
  const inside = (...args: string[]) => repository.git('-C', worktree!, ...args);
  const work = (file: string, text: string) => {
    writeFileSync(join(worktree!, file), text);
    inside('add', '-A');
    inside('commit', '-q', '-m', file);
    return inside('rev-parse', 'HEAD');
  };
  const recorded = work('first.txt', 'one\n');
  await store.checkpointCreate({ name: 'point' });
  const later = work('second.txt', 'two\n');
  const collect = () => {
    repository.git('reflog', 'expire', '--expire=now', '--expire-unreachable=now', '--all');
    repository.git('gc', '-q', '--prune=now');
  };
  return { repository, store, token: token!, worktree: worktree!, inside, work, recorded, later, collect };
}

const kept = (repository: { git(...args: string[]): string }) =>
  repository.git('for-each-ref', '--format=%(refname) %(objectname)', 'refs/gitstate/former');

test('the worktree goes back to the recorded head, and the head that it leaves is kept', async () => {
  const { repository, store, worktree, inside, recorded, later, collect } = await atWork();
  const moved = {
    feature: '1',
    branch: 'feature/1',
    worktree,
    from: later,
    to: recorded,
    kept: `refs/gitstate/former/s/1/${later}`,
  };
  const dry = await store.restore({ point: 'point', code: true, dryRun: true });
  expect(dry).toMatchObject({ commit: null, code: [moved] });
  expect([inside('rev-parse', 'HEAD'), kept(repository)]).toEqual([later, '']);
  expect(await store.restore({ point: 'point', code: true })).toMatchObject({ changed: true, code: [moved] });
  expect(inside('rev-parse', 'HEAD')).toBe(recorded);
  expect(inside('symbolic-ref', '--short', 'HEAD')).toBe('feature/1');
  expect(inside('status', '--porcelain')).toBe('');
  expect([existsSync(join(worktree, 'first.txt')), existsSync(join(worktree, 'second.txt'))]).toEqual([
    true,
    false,
  ]);
  collect();
  expect(repository.git('cat-file', '-t', later)).toBe('commit');
  expect(kept(repository)).toBe(`${moved.kept} ${later}`);
  expect(await store.restore({ point: 'point', code: true })).toMatchObject({ commit: null, code: [] });
  await expectSound(repository);
});

test('after the branch is deleted and everything unreachable collected, the recorded head comes back', async () => {
  const { repository, store, worktree, recorded, later, collect } = await atWork();
  rmSync(worktree, { recursive: true });
  repository.git('worktree', 'prune');
  repository.git('branch', '-q', '-D', 'feature/1');
  collect();
  expect(() => repository.git('cat-file', '-e', later)).toThrow();
  const { code } = await store.restore({ point: 'point', code: true });
  expect(code).toEqual([
    { feature: '1', branch: 'feature/1', worktree: null, from: null, to: recorded, kept: null },
  ]);
  expect(repository.git('show', 'feature/1:first.txt')).toBe('one');
  const again = await store.claim({ worker: 'W2', worktree: true });
  expect(readFileSync(join(again.worktree!, 'first.txt'), 'utf8').trim()).toBe('one');
  await expectSound(repository);
});

test('a branch that is checked out nowhere moves alone; one that was behind drops nothing', async () => {
  const { repository, store, worktree, recorded, later } = await atWork();
  rmSync(worktree, { recursive: true });
  repository.git('worktree', 'prune');
  expect(await store.restore({ point: 'point', code: true })).toMatchObject({
    code: [{ worktree: null, from: later, to: recorded, kept: `refs/gitstate/former/s/1/${later}` }],
  });
  expect(repository.git('rev-parse', 'feature/1')).toBe(recorded);
  const root = repository.git('rev-parse', 'main');
  repository.git('update-ref', 'refs/heads/feature/1', root);
  expect((await store.restore({ point: 'point', code: true })).code).toMatchObject([
    { from: root, to: recorded, kept: null },
  ]);
});

test.each<[string, (worktree: string) => void, string]>([
  ['a changed file', (worktree) => writeFileSync(join(worktree, 'first.txt'), 'changed'), 'first.txt'],
  ['a new file', (worktree) => writeFileSync(join(worktree, 'new ü.txt'), 'new'), 'new ü.txt'],
])('uncommitted work is never overwritten: %s', async (_, spoil, file) => {
  const { repository, store, worktree, inside, later } = await atWork();
  spoil(worktree);
  const tip = repository.git('rev-parse', 'gitstate');
  const text = readFileSync(join(worktree, file), 'utf8');
  for (const dryRun of [true, false]) {
    const error = await store.restore({ point: 'point', code: true, dryRun }).catch((thrown) => thrown);
    expect(error).toMatchObject({ code: 'CONFLICT', details: { worktree, files: [file] } });
  }
  expect([inside('rev-parse', 'HEAD'), repository.git('rev-parse', 'gitstate')]).toEqual([later, tip]);
  expect(readFileSync(join(worktree, file), 'utf8')).toBe(text);
});

test('nor is an ignored file where the code has one, or a folder, of that name', async () => {
  const { repository, store, worktree, inside, work } = await atWork();
  inside('rm', '-q', 'first.txt');
  work('.gitignore', 'first.txt\n');
  writeFileSync(join(worktree, 'first.txt'), 'precious');
  expect(inside('status', '--porcelain')).toBe('');
  const error = await store.restore({ point: 'point', code: true }).catch((thrown) => thrown);
  expect(error).toMatchObject({ code: 'CONFLICT', details: { files: ['first.txt'] } });
  expect(readFileSync(join(worktree, 'first.txt'), 'utf8')).toBe('precious');
  rmSync(join(worktree, 'first.txt'));
  mkdirSync(join(worktree, 'first.txt'));
  expect(await codeOf(store.restore({ point: 'point', code: true }))).toBe('CONFLICT');
  await expectSound(repository);
});

test('a branch checked out elsewhere, or being rebased, stays', async () => {
  const { repository, store, worktree, inside, later } = await atWork();
  inside('checkout', '-q', '--detach');
  repository.git('checkout', '-q', 'feature/1');
  const refused = await store.restore({ point: 'point', code: true }).catch((thrown) => thrown);
  expect(refused).toMatchObject({
    code: 'BRANCH_EXISTS',
    details: { branch: 'feature/1', worktree: repository.path },
  });
  repository.git('checkout', '-q', 'main');
  mkdirSync(join(repository.path, '.git/worktrees/1/rebase-merge'));
  writeFileSync(join(repository.path, '.git/worktrees/1/rebase-merge/head-name'), 'refs/heads/feature/1\n');
  expect(await codeOf(store.restore({ point: 'point', code: true }))).toBe('BRANCH_EXISTS');
  expect(repository.git('rev-parse', 'feature/1')).toBe(later);
  expect(existsSync(worktree)).toBe(true);
});

test('only a checkpoint has heads, and one that is gone is named', async () => {
  const { repository, store, token, worktree, collect } = await atWork();
  expect(await codeOf(store.restore({ point: 'gitstate~1', code: true }))).toBe('INVALID_INPUT');
  await store.sessionUpdate({ session: 's', autoCheckpoints: true });
  await store.stepDone({ feature: '1', step: 'plan', token });
  rmSync(worktree, { recursive: true });
  repository.git('worktree', 'prune');
  repository.git('branch', '-q', '-D', 'feature/1');
  collect();
  // An automatic checkpoint holds nothing.
  expect(await codeOf(store.restore({ point: '1.plan_complete', code: true }))).toBe('COMMIT_NOT_FOUND');
});

test('a hook of the user that guards branches has its say', async () => {
  const { repository, store, worktree, later } = await atWork();
  rmSync(worktree, { recursive: true });
  repository.git('worktree', 'prune');
  repository.git('config', 'core.hooksPath', join(repository.path, '.git/hooks'));
  const hook = join(repository.path, '.git/hooks/reference-transaction');
  writeFileSync(
    hook,
    '#!/bin/sh\n[ "$1" = prepared ] && grep -q refs/heads/feature/ && { echo guarded >&2; exit 1; }\nexit 0\n',
    { mode: 0o755 },
  );
  const error = await store.restore({ point: 'point', code: true }).catch((thrown) => thrown);
  expect(error.code).toBe('GIT_FAILED');
  expect(error.details.stderr).toContain('guarded');
  expect(repository.git('rev-parse', 'feature/1')).toBe(later);
  rmSync(hook);
  expect((await store.restore({ point: 'point', code: true })).code).toHaveLength(1);
});
