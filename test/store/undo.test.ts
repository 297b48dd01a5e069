import { expect, test } from 'vitest';
import type { Store } from '../../src/store/open.ts';
import { expectSound } from '../support/oracle.ts';
import { addFeatures, codeOf, makeStore } from '../support/store.ts';

async function newest(store: Store): Promise<{ commit: string; op: string | null; subject: string }> {
  for await (const entry of store.log({ limit: 1 })) return entry;
  throw new Error('no entry');
}

async function errorOf(promise: Promise<unknown>) {
  try {
    await promise;
  } catch (error) {
    return error as { code: string; message: string; details: Record<string, unknown> };
  }
  throw new Error('it was accepted');
}

test('undo takes the newest operation back as a new commit, and a second one takes that back', async () => {
  const { repository, store } = await makeStore();
  await addFeatures(store, ['1']);
  await store.update({ feature: '1', name: 'changed', data: { a: 1 } });
  const { commit } = await newest(store);
  const dry = await store.undo({ dryRun: true });
  expect(dry).toMatchObject({ commit: null, changed: false, undone: commit });
  expect(dry.changes.map(({ path }) => path)).toContain('/name');
  const undone = await store.undo();
  expect(undone.changes.filter(({ path }) => path === '/name')).toMatchObject([
    { id: '1', from: 'changed', to: '1' },
  ]);
  expect(await newest(store)).toMatchObject({
    op: 'state.undo',
    subject: `undo ${commit.slice(0, 7)}`,
    commit: undone.commit,
  });
  expect(await store.show({ feature: '1' })).toMatchObject({ name: '1', data: {} });
  await store.undo();
  expect(await store.show({ feature: '1' })).toMatchObject({ name: 'changed', data: { a: 1 } });
  await expectSound(repository);
});

test('what was changed since stands in the way, by name, and anything else does not', async () => {
  const { repository, store } = await makeStore({ steps: ['plan'] });
  await addFeatures(store, ['1', '2']);
  await store.update({ feature: '1', name: 'first', priority: 'P1' });
  const { commit } = await newest(store);
  await store.update({ feature: '2', name: 'other' });
  await store.quality({ feature: '1', scores: { speed: 1 } });
  await store.update({ feature: '1', name: 'second' });
  const since = await newest(store);
  const refused = await errorOf(store.undo({ commit: commit.slice(0, 8) }));
  expect(refused.code).toBe('CONFLICT');
  expect(refused.message).toContain(since.commit.slice(0, 7));
  expect(refused.details).toMatchObject({
    commit,
    op: 'feature.update',
    changes: [
      {
        entity: 'feature',
        id: '1',
        path: '/name',
        from: 'first',
        to: 'second',
        by: { commit: since.commit, op: 'feature.update' },
      },
    ],
  });
  await store.undo();
  await store.undo({ commit });
  expect(await store.show({ feature: '1' })).toMatchObject({
    name: '1',
    priority: null,
    quality_scores: { speed: 1 },
  });
  expect(await store.show({ feature: '2' })).toMatchObject({ name: 'other' });
  expect((await errorOf(store.undo({ commit }))).code).toBe('CONFLICT');
  await expectSound(repository);
});

test('a claim never comes back: the feature waits at its step, and its counter goes on', async () => {
  const { repository, store } = await makeStore({ steps: ['plan', 'build'] });
  await addFeatures(store, ['1']);
  const { token } = await store.claim({ worker: 'W1' });
  await store.stepDone({ feature: '1', step: 'plan', token: token! });
  await store.complete({ feature: '1', token: token!, skipRemaining: true });
  await store.undo();
  expect(await store.show({ feature: '1' })).toMatchObject({
    status: 'pending',
    claim: null,
    worker_id: null,
    steps_completed: ['plan'],
    completed_at: null,
  });
  expect(await codeOf(store.heartbeat({ feature: '1', token: token! }))).toBe('STALE_TOKEN');
  const second = await store.claim({ worker: 'W2' });
  expect(second.token).toMatch(/^2-/);
  await expectSound(repository);
});

test('undoing what a worker holds needs the right to write to it', async () => {
  const { repository, store } = await makeStore();
  await addFeatures(store, ['1']);
  await store.update({ feature: '1', name: 'x' });
  const { commit } = await newest(store);
  const { token } = await store.claim({ worker: 'W1' });
  const claimed = await newest(store);
  expect(await codeOf(store.undo({ commit }))).toBe('NOT_HOLDER');
  expect(await codeOf(store.undo({ commit, token: `1-${'a'.repeat(32)}` }))).not.toBe(null);
  await store.undo({ commit, token: token! });
  expect(await store.show({ feature: '1' })).toMatchObject({
    name: '1',
    status: 'in_progress',
    worker_id: 'W1',
  });
  expect(await codeOf(store.undo({ commit: claimed.commit }))).toBe('NOT_HOLDER');
  await store.undo({ commit: claimed.commit, force: true });
  expect(await store.show({ feature: '1' })).toMatchObject({
    status: 'pending',
    claim: null,
    started_at: null,
  });
  expect(repository.git('for-each-ref', 'refs/gitstate/leases')).toBe('');
  await expectSound(repository);
});

test('adding a feature that is claimed, or needed, by now is not undone', async () => {
  const { repository, store } = await makeStore();
  await store.add({ feature: '1' });
  const { commit } = await newest(store);
  await store.claim({ worker: 'W1' });
  const refused = await errorOf(store.undo({ commit, force: true }));
  expect(refused.code).toBe('CONFLICT');
  expect((refused.details.changes as { path: string }[]).map(({ path }) => path)).toContain('/status');
  await store.add({ feature: '2' });
  const second = await newest(store);
  await store.add({ feature: '3', dependencies: ['2'] });
  expect(await errorOf(store.undo({ commit: second.commit }))).toMatchObject({
    code: 'HAS_DEPENDENTS',
    details: { feature: '2', dependents: ['3'] },
  });
  await expectSound(repository);
});

test('a cost gets an entry of the opposite amount on its own day, once', async () => {
  const { repository, store, env } = await makeStore();
  await addFeatures(store, ['1']);
  await store.costAdd({ feature: '1', amount: 0.1, operation: 'llm', tokens: { in: 5 }, key: 'run' });
  const { commit } = await newest(store);
  await store.costAdd({ feature: '1', amount: 0.2 });
  env.offsetMs += 3 * 86_400_000;
  await store.undo({ commit });
  const feature = await store.show({ feature: '1' });
  expect(feature.total_cost).toBe(0.2);
  expect(feature.costs.map(({ amount }) => amount)).toEqual([0.1, 0.2, -0.1]);
  expect(feature.costs[2]).toMatchObject({
    at: feature.costs[0]!.at,
    operation: 'llm',
    tokens: { in: -5, out: 0 },
  });
  expect((await store.costShow({ feature: '1' })).total).toBe(0.2);
  expect(await codeOf(store.undo({ commit }))).toBe('CONFLICT');
  await store.undo();
  expect((await store.show({ feature: '1' })).total_cost).toBe(0.3);
  await expectSound(repository);
});

test('undo of a checkpoint deletes its refs; of its deletion makes them again, naming the older commit', async () => {
  const { repository, store } = await makeStore();
  await addFeatures(store, ['1']);
  const refs = () =>
    repository.git('for-each-ref', '--format=%(refname)', 'refs/tags', 'refs/gitstate/checkpoints');
  const made = await store.checkpointCreate({ name: 'one', data: { k: 1 } });
  const standing = refs();
  await store.undo();
  expect(refs()).toBe('');
  expect(await codeOf(store.checkpointShow({ name: 'one' }))).toBe('CHECKPOINT_NOT_FOUND');
  await store.undo();
  expect(refs()).toBe(standing);
  expect(await store.checkpointShow({ name: 'one' })).toMatchObject({ commit: made.commit, data: { k: 1 } });
  expect(repository.git('rev-parse', 'gitstate/s/one^{commit}')).toBe(made.commit);
  await store.checkpointDelete({ name: 'one' });
  await store.undo();
  expect(await store.checkpointShow({ name: 'one' })).toMatchObject({ commit: made.commit });
  await expectSound(repository);
});

test('a session that was cleaned up, and a store that was reset, come back with all that stood there', async () => {
  const { repository, store, env } = await makeStore({ preset: 'production' });
  await addFeatures(store, ['e1']);
  const { token } = await store.claim({ worker: 'W1' });
  await store.stepDone({ feature: 'e1', step: 'research', token: token! });
  await store.costAdd({ feature: 'e1', amount: 1 });
  const made = await store.checkpointCreate({ name: 'one' });
  await store.sessionComplete({ force: true });
  const before = await store.checkpointList({ session: 's' });
  env.offsetMs += 10 * 86_400_000;
  await store.cleanup({});
  const { commit } = await newest(store);
  await store.undo({ commit });
  expect(await store.show({ session: 's', feature: 'e1' })).toMatchObject({
    status: 'pending',
    claim: null,
    total_cost: 1,
    steps_completed: ['research'],
  });
  const commits = ({ checkpoints }: typeof before) => checkpoints.map(({ name, commit }) => [name, commit]);
  expect(commits(await store.checkpointList({ session: 's' }))).toEqual(commits(before));
  expect(repository.git('rev-parse', 'gitstate/s/one^{commit}')).toBe(made.commit);
  expect(await codeOf(store.sessionStart({ session: 's' }))).toBe('ALREADY_EXISTS');
  await store.reset({ confirm: true });
  await store.undo({ commit: (await newest(store)).commit });
  expect(commits(await store.checkpointList({ session: 's' }))).toEqual(commits(before));
  await expectSound(repository);
});

test('words and rights given up stay: notes, releases, takeovers, recoveries, and what somebody did by hand', async () => {
  const { repository, store, env } = await makeStore();
  expect(await codeOf(store.undo({ commit: 'gitstate~1' }))).toBe('INVALID_TRANSITION');
  await addFeatures(store, ['1']);
  await store.note({ message: 'hello' });
  expect(await codeOf(store.undo())).toBe('INVALID_TRANSITION');
  const { token } = await store.claim({ worker: 'W1' });
  await store.release({ feature: '1', token: token! });
  expect(await codeOf(store.undo())).toBe('INVALID_TRANSITION');
  await store.claim({ worker: 'W1' });
  env.offsetMs += 3_600_000;
  await store.claim({ feature: '1', worker: 'W2' });
  expect(await codeOf(store.undo({ worker: 'W2' }))).toBe('INVALID_TRANSITION');
  await store.recover({ session: 's' });
  expect(await codeOf(store.undo())).toBe('INVALID_TRANSITION');
  await expectSound(repository);
  const tree = repository.git('rev-parse', 'gitstate^{tree}');
  const byHand = repository.git('commit-tree', '-p', 'gitstate', '-m', 'by hand', tree);
  repository.git('update-ref', 'refs/heads/gitstate', byHand);
  expect(await codeOf(store.undo({ commit: byHand }))).toBe('INVALID_TRANSITION');
  expect(await codeOf(store.undo({ commit: repository.git('rev-parse', 'main') }))).toBe('COMMIT_NOT_FOUND');
});

test('an undo that waits behind another operation sees it', async () => {
  const { store } = await makeStore();
  await addFeatures(store, ['1']);
  const [, undone] = await Promise.all([
    store.update({ feature: '1', name: 'x' }),
    store.undo(),
    store.note({ message: 'm' }),
  ]);
  expect(undone.changes.some(({ path, from }) => path === '/name' && from === 'x')).toBe(true);
  expect(await store.show({ feature: '1' })).toMatchObject({ name: '1' });
});

test('repeated under its operation id, an undo changes nothing more', async () => {
  const { store } = await makeStore();
  await addFeatures(store, ['1']);
  await store.update({ feature: '1', name: 'x' });
  const first = await store.undo({ opId: 'once' });
  expect(await store.undo({ opId: 'once' })).toMatchObject({
    commit: first.commit,
    changed: false,
    changes: first.changes,
  });
  expect(await store.show({ feature: '1' })).toMatchObject({ name: '1' });
});

test('undoing a claim that made a worktree keeps both findable, and the next claim goes on there', async () => {
  const { store } = await makeStore();
  await addFeatures(store, ['1']);
  const first = await store.claim({ worker: 'W1', worktree: true });
  await store.undo({ worker: 'W1' });
  expect(await store.show({ feature: '1' })).toMatchObject({
    status: 'pending',
    claim: null,
    branch: 'feature/1',
  });
  const second = await store.claim({ worker: 'W2', worktree: true });
  expect([second.worktree, second.branch]).toEqual([first.worktree, first.branch]);
});

test('an operation of another session than the one that is named is left alone', async () => {
  const { store } = await makeStore();
  await store.sessionStart({ session: 't' });
  await store.add({ session: 't', feature: '1' });
  const { commit } = await newest(store);
  expect(await codeOf(store.undo({ session: 's', commit }))).toBe('INVALID_INPUT');
  await store.undo({ session: 't', dryRun: true });
  expect(await store.undo({ commit })).toMatchObject({ undone: commit });
  await store.undo({ session: 't' });
  expect(await store.show({ session: 't', feature: '1' })).toMatchObject({ id: '1' });
});

test('restoring a session that was cleaned up brings its facts back as well', async () => {
  const { repository, store, env } = await makeStore({ steps: ['plan'] });
  await addFeatures(store, ['1']);
  await store.costAdd({ feature: '1', amount: 2, step: 'plan' });
  const made = await store.checkpointCreate({ name: 'one' });
  await store.sessionComplete({});
  const point = repository.git('rev-parse', 'gitstate');
  env.offsetMs += 10 * 86_400_000;
  await store.cleanup({});
  await store.restore({ session: 's', point });
  expect(await store.show({ feature: '1' })).toMatchObject({ total_cost: 2 });
  expect(await store.checkpointShow({ name: 'one' })).toMatchObject({ commit: made.commit });
  expect(repository.git('rev-parse', 'gitstate/s/one^{commit}')).toBe(made.commit);
  await expectSound(repository);
});
