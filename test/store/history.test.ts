import { readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { LogOptions } from '../../src/store/api/log.ts';
import type { Store } from '../../src/store/open.ts';
import { expectSound } from '../support/oracle.ts';
import { temporaryDirectory } from '../support/repo.ts';
import { addFeatures, codeOf, makeStore, openTestStore } from '../support/store.ts';

async function subjects(store: Store, options: LogOptions = {}): Promise<string[]> {
  const lines = [];
  for await (const { subject } of store.log(options)) lines.push(subject);
  return lines;
}

test('a checkpoint is an annotated tag on its own commit, held a second time where pruning does not reach', async () => {
  const { repository, store } = await makeStore({ steps: ['plan', 'build'] });
  await addFeatures(store, ['1']);
  const { token } = await store.claim({ worker: 'W1' });
  await store.update({ feature: '1', token: token!, branchName: 'main' });
  const made = await store.checkpointCreate({ name: 'one', feature: '1', data: { note: 'x' } });
  const head = repository.git('rev-parse', 'main');
  expect(made).toMatchObject({
    name: 'one',
    tag: 'gitstate/s/one',
    feature: '1',
    step: 'plan',
    next_step: 'plan',
    data: { note: 'x' },
    heads: { 1: { branch: 'main', oid: head } },
    can_resume: true,
  });
  expect(made.commit).toBe(made.state_commit);
  expect(repository.git('cat-file', '-t', 'refs/tags/gitstate/s/one')).toBe('tag');
  expect(repository.git('rev-parse', 'gitstate/s/one^{commit}')).toBe(made.commit);
  expect(repository.git('rev-parse', 'refs/gitstate/checkpoints/s/one')).toBe(
    repository.git('rev-parse', 'refs/tags/gitstate/s/one'),
  );
  expect(repository.git('rev-parse', 'refs/gitstate/heads/s/one/1')).toBe(head);
  expect(repository.git('for-each-ref', '--format=%(contents:subject)', 'refs/tags/gitstate')).toBe(
    'checkpoint one',
  );
  expect(await codeOf(store.checkpointCreate({ name: 'one' }))).toBe('ALREADY_EXISTS');
  expect(await codeOf(store.checkpointCreate({ name: '1.plan_complete' }))).toBe('INVALID_INPUT');
  repository.git('tag', '-d', 'gitstate/s/one');
  expect(await store.checkpointShow({ name: 'one' })).toMatchObject({ commit: made.commit });
  await store.checkpointDelete({ name: 'one' });
  expect(
    repository.git(
      'for-each-ref',
      '--format=%(refname)',
      'refs/tags',
      'refs/gitstate/checkpoints',
      'refs/gitstate/heads',
    ),
  ).toBe('');
  expect(await codeOf(store.checkpointShow({ name: 'one' }))).toBe('CHECKPOINT_NOT_FOUND');
  await expectSound(repository);
});

test('a checkpoint can name an older commit', async () => {
  const { repository, store } = await makeStore();
  await addFeatures(store, ['1']);
  const old = repository.git('rev-parse', 'gitstate');
  await addFeatures(store, ['2']);
  const made = await store.checkpointCreate({ name: 'back', at: old.slice(0, 10) });
  expect(made.commit).toBe(old);
  expect(made.state_commit).toBe(repository.git('rev-parse', 'gitstate'));
  await store.restore({ point: 'back' });
  expect((await store.list()).features.map(({ id }) => id)).toEqual(['1']);
});

test('steps leave automatic checkpoints that have no tag', async () => {
  const { repository, store } = await makeStore({ preset: 'production' });
  await addFeatures(store, ['e1', 'e2']);
  const { token } = await store.claim({ worker: 'W1' });
  await store.stepDone({ feature: 'e1', step: 'research', token: token! });
  const { checkpoints } = await store.checkpointList();
  expect(checkpoints).toMatchObject([
    { name: 'e1.research_complete', tag: null, step: 'research', next_step: 'script', automatic: true },
  ]);
  expect(checkpoints[0]!.commit).toBe(repository.git('rev-parse', 'gitstate'));
  expect(repository.git('tag')).toBe('');
  await store.stepDone({ feature: 'e1', step: 'script', token: token! });
  await store.claim({ worker: 'W2' });
  await store.restore({ point: 'e1.research_complete' });
  expect(await store.show({ feature: 'e1' })).toMatchObject({
    status: 'pending',
    steps_completed: ['research'],
    current_step: 'script',
  });
  expect(await store.show({ feature: 'e2' })).toMatchObject({ status: 'in_progress', worker_id: 'W2' });
  await expectSound(repository);
});

test('restore is a new commit; work in progress waits, tokens are stale, claim numbers rise', async () => {
  const { repository, store } = await makeStore({ steps: ['plan', 'build'] });
  await addFeatures(store, ['1', '2']);
  const { token } = await store.claim({ worker: 'W1' });
  await store.stepDone({ feature: '1', step: 'plan', token: token! });
  await store.checkpointCreate({ name: 'half' });
  await store.stepDone({ feature: '1', step: 'build', token: token! });
  await store.complete({ feature: '1', token: token! });
  const second = await store.claim({ worker: 'W2' });
  await addFeatures(store, ['3']);
  const before = repository.git('rev-parse', 'gitstate');
  const dry = await store.restore({ point: 'half', dryRun: true });
  expect(dry.commit).toBeNull();
  expect(dry.changes).toContainEqual(
    expect.objectContaining({ entity: 'feature', id: '3', path: '', to: null }),
  );
  expect(repository.git('rev-parse', 'gitstate')).toBe(before);
  const restored = await store.restore({ point: 'half' });
  const places = (changes: { id: string; path: string }[]) =>
    changes.map(({ id, path }) => `${id}${path}`).filter((place) => !place.endsWith('/updated_at'));
  expect(places(restored.changes)).toEqual(places(dry.changes));
  expect(repository.git('rev-parse', 'gitstate~1')).toBe(before);
  expect((await store.list()).features).toMatchObject([
    { id: '1', status: 'pending', worker_id: null, steps_completed: ['plan'], current_step: 'build' },
    { id: '2', status: 'pending', worker_id: null },
  ]);
  expect(repository.git('for-each-ref', 'refs/gitstate/leases')).toBe('');
  expect(await codeOf(store.complete({ feature: '2', token: second.token! }))).toBe('STALE_TOKEN');
  expect((await store.claim({ worker: 'W1' })).token).toMatch(/^2-/);
  await expectSound(repository);
});

test('restoring what is there already makes no commit; one feature can be restored alone', async () => {
  const { repository, store } = await makeStore();
  await addFeatures(store, ['1', '2']);
  await store.checkpointCreate({ name: 'start' });
  expect(await store.restore({ point: 'start' })).toMatchObject({
    commit: null,
    changed: false,
    changes: [],
  });
  await store.update({ feature: '1', name: 'one' });
  await store.update({ feature: '2', name: 'two' });
  await store.restore({ point: 'start', feature: '1' });
  expect((await store.list()).features.map(({ name }) => name)).toEqual(['1', 'two']);
  await expectSound(repository);
});

test('diff compares any two points by meaning', async () => {
  const { repository, store } = await makeStore();
  await addFeatures(store, ['1', '2']);
  const a = repository.git('rev-parse', 'gitstate');
  const { token } = await store.claim({ worker: 'W1' });
  await store.complete({ feature: '1', token: token! });
  await store.checkpointCreate({ name: 'b' });
  await store.remove({ feature: '2' });
  const diff = await store.diff({ from: a, to: 'b' });
  expect(diff.from).toBe(a);
  expect(diff.summary).toMatchObject({ completed: 1, failed: 0, cost: { from: 0, to: 0, delta: 0 } });
  expect(diff.changes).toContainEqual({
    entity: 'feature',
    session: 's',
    id: '1',
    path: '/status',
    from: 'pending',
    to: 'completed',
  });
  // The session's own time moves with the second, or not.
  const since = (await store.diff({ from: 'b' })).changes.filter(({ path }) => path !== '/updated_at');
  expect(since).toMatchObject([{ entity: 'feature', id: '2', path: '', to: null }]);
  expect((await store.diff({ from: 'b', to: 'b' })).changes).toEqual([]);
});

test('a point is a checkpoint, a commit, a date or an age, and nothing else', async () => {
  const { repository, store, env } = await makeStore();
  await addFeatures(store, ['1']);
  const first = repository.git('rev-parse', 'gitstate');
  env.offsetMs = 3_600_000 * 3;
  await addFeatures(store, ['2']);
  const at = async (point: string) => (await store.list({ at: point })).features.map(({ id }) => id);
  expect(await at('2h')).toEqual(['1']);
  expect(await at('2 hours ago')).toEqual(['1']);
  expect(await at('gitstate@{1 hour ago}')).toEqual(['1']);
  expect(await at('date:now')).toEqual(['1', '2']);
  expect(await at(first.slice(0, 7))).toEqual(['1']);
  expect(await at('gitstate~1')).toEqual(['1']);
  expect(await at('refs/heads/gitstate')).toEqual(['1', '2']);
  expect(await codeOf(at('5d'))).toBe('COMMIT_NOT_FOUND');
  expect(await codeOf(at('nowhere'))).toBe('CHECKPOINT_NOT_FOUND');
  expect(await codeOf(at('deadbeef00'))).toBe('COMMIT_NOT_FOUND');
  expect(await codeOf(at('half past nine'))).toBe('INVALID_INPUT');
});

test('the log tells who did what, newest first, with filters', async () => {
  const { repository, store } = await makeStore();
  await addFeatures(store, ['1', '2']);
  const { token } = await store.claim({ worker: 'W1' });
  await store.note({ message: 'half way', feature: '1', worker: 'W1' });
  await store.complete({ feature: '1', token: token! });
  const all = [
    'complete 1',
    'note: half way',
    'claim 1 for W1',
    'load plan (2 features)',
    'start session s',
    'init store',
  ];
  expect(await subjects(store)).toEqual(all);
  expect(await subjects(store, { limit: 2 })).toEqual(all.slice(0, 2));
  expect(await subjects(store, { feature: '2' })).toEqual(['load plan (2 features)']);
  expect(await subjects(store, { worker: 'W1' })).toEqual(['complete 1', 'note: half way', 'claim 1 for W1']);
  expect(await subjects(store, { op: 'feature' })).toEqual(['complete 1', 'claim 1 for W1']);
  expect(await subjects(store, { since: '1h' })).toEqual(all);
  expect(await subjects(store, { until: '1h' })).toEqual([]);
  expect(repository.git('log', '--format=%s', 'gitstate').split('\n')).toEqual(all);
  for await (const entry of store.log({ op: 'feature.claim' })) {
    expect(entry).toMatchObject({
      op: 'feature.claim',
      session: 's',
      feature: '1',
      worker: 'W1',
      actor: 'W1',
    });
  }
});

test('a long history is read to its end', async () => {
  const { store } = await makeStore();
  await Promise.all(Array.from({ length: 300 }, (_, index) => store.note({ message: `n${index}` })));
  expect(await subjects(store)).toHaveLength(302);
});

test('a commit made by hand is shown as what it is; damage is named with its commit', async () => {
  const { repository, store } = await makeStore();
  await addFeatures(store, ['1']);
  const work = join(temporaryDirectory(), 'state');
  repository.git('worktree', 'add', '-q', work, 'gitstate');
  const file = join(work, 'sessions/s/session.json');
  writeFileSync(file, readFileSync(file, 'utf8').replace('"name": "s"', '"name": "by hand"'));
  repository.git('-C', work, 'commit', '-qam', 'edit by hand');
  expect((await store.sessionShow()).name).toBe('by hand');
  for await (const entry of store.log({ limit: 1 }))
    expect(entry).toMatchObject({ op: null, id: null, subject: 'edit by hand' });
  writeFileSync(file, '{"broken": ');
  repository.git('-C', work, 'commit', '-qam', 'break it');
  const culprit = repository.git('rev-parse', 'gitstate');
  const refusal = await store.sessionShow().catch((error) => error);
  expect(refusal).toMatchObject({
    code: 'CORRUPT_STATE',
    exitStatus: 7,
    details: { path: 'sessions/s/session.json', commit: culprit },
  });
  expect(await codeOf(store.add({ feature: '2' }))).toBe('CORRUPT_STATE');
});

test('foreign modes, links and files are refused when read', async () => {
  const { repository, store } = await makeStore();
  const work = join(temporaryDirectory(), 'state');
  repository.git('worktree', 'add', '-q', work, 'gitstate');
  symlinkSync('/etc/passwd', join(work, 'sessions/s/features'));
  repository.git('-C', work, 'add', '-A');
  repository.git('-C', work, 'commit', '-qm', 'link');
  expect(await codeOf(store.list())).toBe('CORRUPT_STATE');
  repository.git('-C', work, 'reset', '-q', '--hard', 'HEAD~1');
  writeFileSync(
    join(work, 'gitstate.json'),
    readFileSync(join(work, 'gitstate.json'), 'utf8').replace('"schema": 1', '"schema": 2'),
  );
  repository.git('-C', work, 'commit', '-qam', 'newer');
  expect(await codeOf(store.list())).toBe('SCHEMA_TOO_NEW');
});

test('a cache that is damaged, foreign or gone changes no answer', async () => {
  const { repository, store } = await makeStore();
  await addFeatures(
    store,
    Array.from({ length: 100 }, (_, index) => `f${index}`),
  );
  await store.close();
  const cache = join(repository.path, '.git/gitstate/cache');
  const [name] = readdirSync(cache).filter((file) => file.startsWith('state-'));
  const path = join(cache, name!);
  const good = readFileSync(path, 'utf8');
  const count = async () => {
    const fresh = await openTestStore(repository.path);
    return (await fresh.list()).features.length;
  };
  expect(await count()).toBe(100);
  for (const bad of ['', good.slice(0, 500), good.replace('f42', 'f43'), `${good}x`, '{}']) {
    writeFileSync(path, bad);
    expect(await count()).toBe(100);
  }
  rmSync(path);
  symlinkSync('/dev/null', path);
  expect(await count()).toBe(100);
  rmSync(cache, { recursive: true });
  expect(await count()).toBe(100);
});
