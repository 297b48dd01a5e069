import { rmSync } from 'node:fs';
import { expect, test } from 'vitest';
import { expectSound } from '../support/oracle.ts';
import { addFeatures, makeStore } from '../support/store.ts';

const minute = 60_000;

test('recover says of each claim where it stands and what its worktree holds, before anything is done', async () => {
  const { repository, store, env } = await makeStore({ steps: ['plan', 'build'], name: 'a repository ü' });
  await addFeatures(store, ['clean', 'busy', 'astray', 'lost', 'bare', 'live']);
  const claims = new Map<string, { worktree: string | null; token: string | null }>();
  for (const feature of ['clean', 'busy', 'astray', 'lost', 'bare', 'live']) {
    const lease = feature === 'live' ? '1h' : '1m';
    const worktree = feature !== 'bare';
    claims.set(feature, await store.claim({ feature, worker: `W-${feature}`, lease, worktree }));
  }
  const at = (feature: string, ...args: string[]) =>
    repository.git('-C', claims.get(feature)!.worktree!, ...args);
  await store.stepDone({ feature: 'busy', step: 'plan', token: claims.get('busy')!.token! });
  for (const feature of ['busy', 'lost'])
    at(feature, 'commit', '-q', '--allow-empty', '-m', `own ${feature}`);
  at('busy', 'commit', '-q', '--allow-empty', '-m', 'more');
  repository.write('.worktrees/busy/new.txt', 'uncommitted');
  at('astray', 'switch', '-q', '-c', 'elsewhere');
  rmSync(claims.get('lost')!.worktree!, { recursive: true });
  env.offsetMs = 2 * minute;

  const before = repository.git('for-each-ref');
  const planned = await store.recover({ dryRun: true });
  expect(repository.git('for-each-ref')).toBe(before);
  const clean = { on_branch: true, dirty: false, ahead: 0, unpushed: false, missing: false };
  const worktreeOf = (feature: string, change: object) => ({
    path: `${repository.path}/.worktrees/${feature}`,
    branch: `feature/${feature}`,
    checked_out: `feature/${feature}`,
    ...clean,
    ...change,
  });
  const over = (feature: string, step: string, worktree: object | null) => {
    return { feature, worker: `W-${feature}`, reason: 'expired', step, worktree };
  };
  expect(planned.released).toEqual([
    over('astray', 'plan', worktreeOf('astray', { checked_out: 'elsewhere', on_branch: false })),
    over('bare', 'plan', null),
    over('busy', 'build', worktreeOf('busy', { dirty: true, ahead: 2, unpushed: true })),
    over('clean', 'plan', worktreeOf('clean', {})),
    over(
      'lost',
      'plan',
      worktreeOf('lost', { checked_out: null, on_branch: false, ahead: 1, unpushed: true, missing: true }),
    ),
  ]);
  expect(planned.kept).toMatchObject([{ feature: 'live', worker: 'W-live', step: 'plan', worktree: clean }]);
  expect(planned).toMatchObject({ session: 's', commit: null, changed: false });

  const done = await store.recover();
  expect(Object.keys(done).sort()).toEqual(Object.keys(planned).sort());
  expect({ released: done.released, kept: done.kept }).toEqual({
    released: planned.released,
    kept: planned.kept,
  });
  // What was committed where the folder is gone is found again by the next claim.
  const again = await store.claim({ feature: 'lost', worker: 'W', worktree: true });
  expect(repository.git('-C', again.worktree!, 'log', '-1', '--format=%s')).toBe('own lost');
  await expectSound(repository);
});

test('commits are counted from where the branch was made', async () => {
  const { repository, store, env } = await makeStore();
  repository.git('branch', 'old');
  repository.commit('main goes on');
  await addFeatures(store, ['1']);
  const { worktree } = await store.claim({
    feature: '1',
    worker: 'W',
    lease: '1m',
    worktree: true,
    base: 'old',
  });
  repository.git('-C', worktree!, 'commit', '-q', '--allow-empty', '-m', 'own');
  env.offsetMs = 2 * minute;
  const { released } = await store.recover({ dryRun: true });
  expect(released).toMatchObject([{ worktree: { ahead: 1, unpushed: true } }]);
});
