import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { expectSound } from '../support/oracle.ts';
import { cloneRepository, runGit } from '../support/repo.ts';
import { addFeatures, codeOf, makeStore, openTestStore, testEnv } from '../support/store.ts';

test('the list tells each commit from one walk, and goes on from there in the cache', async () => {
  const { repository, store, env } = await makeStore({ steps: ['plan', 'build'] });
  await store.sessionUpdate({ session: 's', autoCheckpoints: true });
  await addFeatures(store, ['1', '2', '3']);
  const made = new Map<string, string>();
  const step = async (feature: string, name: string) => {
    const { commit } = await store.stepDone({ feature, step: name });
    made.set(`${feature}.${name}_complete`, commit!);
  };
  const listed = async (at?: string) => {
    const reopened = await openTestStore(repository.path);
    const { checkpoints } = await reopened.checkpointList(at === undefined ? {} : { at });
    return new Map(checkpoints.map(({ name, commit }) => [name, commit]));
  };
  await step('1', 'plan');
  await step('2', 'plan');
  made.set('one', (await store.checkpointCreate({ name: 'one' })).commit);
  expect(await listed()).toEqual(made);
  const then = new Map(made);
  const point = repository.git('rev-parse', 'gitstate');
  await step('3', 'plan');
  await store.update({ feature: '1', status: 'completed' });
  await store.retry({ feature: '1', from: 'plan' });
  env.offsetMs += 2000;
  await step('1', 'plan');
  await store.checkpointDelete({ name: 'one' });
  made.delete('one');
  expect(await listed()).toEqual(made);
  expect(await listed(point)).toEqual(then);
  expect(await listed()).toEqual(made);
  rmSync(join(repository.path, '.git/gitstate/cache'), { recursive: true });
  expect(await listed()).toEqual(made);
  // A branch that was put back by hand: what the cache knows is of another line.
  repository.git('update-ref', '-m', 'gitstate', 'refs/heads/gitstate', point);
  expect(await listed()).toEqual(then);
});

test('in a shallow clone tags tell the commits that the history cannot', async () => {
  const { repository, store } = await makeStore();
  await addFeatures(store, ['1']);
  const { commit } = await store.checkpointCreate({ name: 'one' });
  for (const message of ['a', 'b', 'c']) await store.note({ message });
  const clone = cloneRepository(`file://${repository.path}`, '--bare', '--depth=2', '--branch=gitstate');
  runGit(clone.path, ['fetch', '-q', 'origin', 'refs/tags/*:refs/tags/*']);
  const { checkpoints } = await (await openTestStore(clone.path)).checkpointList();
  expect(checkpoints).toMatchObject([{ name: 'one', commit }]);
});

test('tags stand under the prefix that is set, wherever one is made or looked for', async () => {
  const { repository, store } = await makeStore();
  await addFeatures(store, ['1']);
  await store.checkpointCreate({ name: 'old' });
  repository.git('config', 'gitstate.tagPrefix', 'refs-of/state-');
  const other = await openTestStore(repository.path);
  const made = await other.checkpointCreate({ name: 'one' });
  expect(made.tag).toBe('refs-of/state-s/one');
  expect(repository.git('tag', '--list')).toBe('gitstate/s/old\nrefs-of/state-s/one');
  expect(repository.git('cat-file', '-p', 'refs-of/state-s/one')).toContain('tag refs-of/state-s/one\n');
  // Without the copy that no setting prunes, the tag alone tells.
  repository.git('update-ref', '-d', 'refs/gitstate/checkpoints/s/one');
  expect(await other.checkpointShow({ name: 'one' })).toMatchObject({ commit: made.commit });
  await other.restore({ point: 'one' });
  await other.checkpointDelete({ name: 'one' });
  expect(repository.git('tag', '--list')).toBe('gitstate/s/old');
  await expectSound(repository);
  for (const bad of ['a..b', '-/ x', 'x~', '/']) {
    repository.git('config', 'gitstate.tagPrefix', bad);
    expect(await codeOf(openTestStore(repository.path))).toBe('INVALID_INPUT');
  }
});

test('a checkpoint whose code head is gone comes back without holding it', async () => {
  const { repository, store } = await makeStore();
  await addFeatures(store, ['1']);
  const { token, worktree, branch } = await store.claim({ worker: 'W1', worktree: true });
  repository.git('-C', worktree!, 'commit', '-q', '--allow-empty', '-m', 'work');
  await store.checkpointCreate({ name: 'one' });
  await store.checkpointDelete({ name: 'one' });
  await store.release({ feature: '1', token: token! });
  rmSync(worktree!, { recursive: true });
  repository.git('worktree', 'prune');
  repository.git('branch', '-q', '-D', branch!);
  repository.git('reflog', 'expire', '--expire=now', '--all');
  repository.git('gc', '-q', '--prune=now');
  const deleted = (await collect(store.log({ op: 'checkpoint.delete' })))[0]!.commit;
  const again = await openTestStore(repository.path, {}, testEnv());
  await again.undo({ commit: deleted });
  expect(await again.checkpointShow({ name: 'one' })).toMatchObject({ can_resume: false });
  expect(repository.git('for-each-ref', 'refs/gitstate/heads')).toBe('');
  await expectSound(repository);
});

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}
