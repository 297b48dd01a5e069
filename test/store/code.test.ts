import { existsSync, readFileSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { makeRepository, temporaryDirectory } from '../support/repo.ts';
import { addFeatures, codeOf, makeStore, openTestStore } from '../support/store.ts';

test('a claim with a worktree gets one on a branch of its own, hidden from git status', async () => {
  const { repository, store } = await makeStore({ steps: ['plan'], name: 'a repository ü' });
  await addFeatures(store, ['003']);
  const claim = await store.claim({ worker: 'W1', worktree: true });
  expect(claim.worktree).toBe(join(repository.path, '.worktrees/003'));
  expect(claim.branch).toBe('feature/003');
  expect(claim.feature).toMatchObject({ branch: 'feature/003', worktree: '.worktrees/003' });
  expect(repository.git('status', '--porcelain')).toBe('');
  expect(repository.git('-C', claim.worktree!, 'symbolic-ref', '--short', 'HEAD')).toBe('feature/003');
  expect(repository.git('rev-list', '--count', 'gitstate')).toBe('4');
  expect(readFileSync(join(repository.path, '.git/info/exclude'), 'utf8')).toContain('/.worktrees/');
});

test('inside the worktree neither ids nor token are needed', async () => {
  const { repository, store } = await makeStore({ steps: ['plan'] });
  await store.sessionStart({ session: 'other' });
  await store.planLoad({ session: 's', features: [{ id: '1' }, { id: '2' }] });
  const { worktree } = await store.claim({ session: 's', worker: 'W1', worktree: true });
  const inside = await openTestStore(worktree!);
  expect(await inside.stepDone({ step: 'plan' })).toMatchObject({ id: '1', steps_completed: ['plan'] });
  expect(await inside.heartbeat()).toMatchObject({ feature: '1' });
  expect(await inside.claimCheck()).toMatchObject({ feature: '1', held: true });
  expect(await codeOf(inside.complete({ feature: '2' }))).toBe('INVALID_TRANSITION');
  expect(await inside.complete({ summary: 'done' })).toMatchObject({ id: '1', status: 'completed' });
  expect(realpathSync(inside.repository.commonDir)).toBe(realpathSync(join(repository.path, '.git')));
});

test('the next attempt goes on in the same worktree with what was there', async () => {
  const { repository, store } = await makeStore();
  await addFeatures(store, ['1']);
  const first = await store.claim({ worker: 'W1', worktree: true });
  repository.write('.worktrees/1/left.txt', 'uncommitted');
  await store.fail({ feature: '1', token: first.token!, error: 'x' });
  const second = await store.claim({ worker: 'W2', worktree: true });
  expect(second.worktree).toBe(first.worktree);
  expect(readFileSync(join(second.worktree!, 'left.txt'), 'utf8')).toBe('uncommitted');
});

test('a worktree that was deleted by hand is made again, on its branch', async () => {
  const { repository, store } = await makeStore();
  await addFeatures(store, ['1']);
  const first = await store.claim({ worker: 'W1', worktree: true });
  repository.write('.worktrees/1/work.txt', 'work');
  repository.git('-C', first.worktree!, 'add', '-A');
  repository.git('-C', first.worktree!, 'commit', '-qm', 'work');
  await store.release({ feature: '1', token: first.token! });
  rmSync(first.worktree!, { recursive: true });
  const second = await store.claim({ worker: 'W2', worktree: true });
  expect(existsSync(join(second.worktree!, 'work.txt'))).toBe(true);
});

test('a branch that somebody else has is left alone', async () => {
  const { repository, store } = await makeStore();
  await store.sessionStart({ session: 't' });
  repository.git('branch', 'feature/1');
  await store.planLoad({ session: 's', features: [{ id: '1' }, { id: '2' }] });
  await store.planLoad({ session: 't', features: [{ id: '2' }] });
  expect((await store.claim({ session: 's', worker: 'W1', worktree: true })).branch).toBe('feature/s-1');
  expect((await store.claim({ session: 's', worker: 'W2', worktree: true })).branch).toBe('feature/2');
  const other = await store.claim({ session: 't', worker: 'W3', worktree: true });
  expect(other).toMatchObject({ branch: 'feature/t-2', worktree: join(repository.path, '.worktrees/t-2') });
});

test('where the worktree cannot be made the claim is given back', async () => {
  const { repository, store } = await makeStore();
  await addFeatures(store, ['1']);
  expect(await codeOf(store.claim({ worker: 'W1', worktree: true, base: 'nowhere' }))).toBe(
    'COMMIT_NOT_FOUND',
  );
  expect(await store.show({ feature: '1' })).toMatchObject({ status: 'pending', worker_id: null });
  const claim = await store.claim({ worker: 'W1', worktree: true });
  await store.release({ feature: '1', token: claim.token! });
  repository.git('worktree', 'remove', '--force', claim.worktree!);
  const elsewhere = join(temporaryDirectory(), 'mine');
  repository.git('worktree', 'add', '-q', elsewhere, 'feature/1');
  const refusal = await store.claim({ worker: 'W1', worktree: true }).catch((error) => error);
  expect(refusal).toMatchObject({ code: 'BRANCH_EXISTS', details: { worktree: elsewhere } });
  expect(await store.show({ feature: '1' })).toMatchObject({ status: 'pending', worker_id: null });
});

test('a worktree root that leads out by a link is refused; another one can be configured', async () => {
  const { repository, store } = await makeStore();
  await addFeatures(store, ['1', '2']);
  symlinkSync(temporaryDirectory(), join(repository.path, '.worktrees'));
  expect(await codeOf(store.claim({ worker: 'W1', worktree: true }))).toBe('USAGE');
  const root = join(temporaryDirectory(), 'work trees');
  repository.git('config', 'gitstate.worktreeRoot', root);
  const fresh = await openTestStore(repository.path);
  expect((await fresh.claim({ feature: '2', worker: 'W1', worktree: true })).worktree).toBe(join(root, '2'));
});

test('a bare repository needs a configured root', async () => {
  const bare = makeRepository({ bare: true });
  const store = await openTestStore(bare.path);
  await store.init();
  await store.sessionStart();
  await addFeatures(store, ['1']);
  expect(await codeOf(store.claim({ worker: 'W1', worktree: true }))).toBe('USAGE');
  expect((await store.list()).features[0]).toMatchObject({ status: 'pending' });
});

test('only worktrees of finished features without work of their own are pruned', async () => {
  const { repository, store } = await makeStore();
  await addFeatures(store, ['1', '2', '3', '4']);
  const claims = [];
  for (let index = 1; index <= 4; index += 1)
    claims.push(await store.claim({ worker: `W${index}`, worktree: true }));
  repository.write('.worktrees/2/dirty.txt', 'x');
  repository.write('.worktrees/3/own.txt', 'x');
  repository.git('-C', claims[2]!.worktree!, 'add', '-A');
  repository.git('-C', claims[2]!.worktree!, 'commit', '-qm', 'own');
  for (const { feature, token } of claims.slice(0, 3))
    await store.complete({ feature: feature.id, token: token! });
  const { worktrees } = await store.worktreeList();
  expect(
    worktrees.map(({ feature, dirty, unpushed, removable }) => [feature, dirty, unpushed, removable]).sort(),
  ).toEqual([
    ['1', false, false, true],
    ['2', true, false, false],
    ['3', false, true, false],
    ['4', false, false, false],
  ]);
  expect((await store.worktreePrune({ dryRun: true })).worktrees.map(({ feature }) => feature)).toEqual([
    '1',
  ]);
  expect((await store.worktreePrune()).worktrees.map(({ feature }) => feature)).toEqual(['1']);
  expect(existsSync(claims[0]!.worktree!)).toBe(false);
  expect((await store.worktreePrune({ unpushed: true })).worktrees.map(({ feature }) => feature)).toEqual([
    '3',
  ]);
  expect(repository.git('rev-parse', '--verify', 'feature/3')).toMatch(/^[0-9a-f]{40}$/);
  expect(existsSync(claims[1]!.worktree!)).toBe(true);
});
