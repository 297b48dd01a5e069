import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { makeRepository, temporaryDirectory } from '../support/repo.ts';
import { addFeatures, makeStore, openTestStore } from '../support/store.ts';

const failed = (checks: { name: string; ok: boolean }[]) =>
  checks.filter(({ ok }) => !ok).map(({ name }) => name);

test('finds nothing wrong with a healthy store', async () => {
  const { store } = await makeStore();
  await addFeatures(store, ['1']);
  await store.claim({ worker: 'W1' });
  const { checks, damaged } = await store.doctor();
  expect(failed(checks)).toEqual([]);
  expect(damaged).toBe(false);
  expect(checks.map(({ name }) => name)).toContain('claims');
});

test('names what needs attention: no store, a checkout, a lock, a claim that is over', async () => {
  const empty = await openTestStore(makeRepository().path);
  expect(failed((await empty.doctor()).checks)).toEqual(['state']);
  const { repository, store, env } = await makeStore();
  await addFeatures(store, ['1']);
  await store.claim({ worker: 'W1', lease: '1m' });
  env.offsetMs = 120_000;
  repository.git('worktree', 'add', '-q', join(temporaryDirectory(), 'state'), 'gitstate');
  writeFileSync(join(repository.path, '.git/refs/heads/gitstate.lock'), '');
  expect(failed((await store.doctor()).checks)).toEqual(['checkouts', 'git locks', 'claims']);
});

test('tells damage from disorder', async () => {
  const { repository, store } = await makeStore();
  const work = join(temporaryDirectory(), 'state');
  repository.git('worktree', 'add', '-q', work, 'gitstate');
  writeFileSync(join(work, 'gitstate.json'), '{');
  repository.git('-C', work, 'commit', '-qam', 'break it');
  expect(await store.doctor()).toMatchObject({ damaged: true });
});
