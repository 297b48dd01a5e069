import { expect, test } from 'vitest';
import { openStore } from '../../src/index.ts';
import { expectSound } from '../support/oracle.ts';
import { cloneRepository, makeRepository } from '../support/repo.ts';
import { addFeatures, codeOf, makeStore, openTestStore } from '../support/store.ts';

const tipOf = (repository: { git(...args: string[]): string }) => repository.git('rev-parse', 'gitstate');

test('one operation is one commit, which Git itself can read', async () => {
  const { repository, store } = await makeStore({ steps: ['plan'] });
  const before = tipOf(repository);
  const answer = await store.add({ feature: '003', name: 'Zoë "x"\nSigned-off-by: evil', worker: 'W1' });
  expect(repository.git('rev-list', '--count', `${before}..gitstate`)).toBe('1');
  expect(answer).toMatchObject({ id: '003', commit: tipOf(repository), changed: true, durability: 'local' });
  expect(repository.git('log', '-1', '--format=%s|%an|%P', 'gitstate')).toBe(`add 003|W1|${before}`);
  const message = repository.git('log', '-1', '--format=%B', 'gitstate');
  const trailers = repository.gitWithInput(message, 'interpret-trailers', '--parse').split('\n');
  expect(trailers.map((line) => line.split(':')[0])).toEqual([
    'gitstate-op',
    'gitstate-session',
    'gitstate-feature',
    'gitstate-id',
    'gitstate-request',
    'gitstate-schema',
    'gitstate-args',
    'gitstate-digest',
  ]);
  expect(repository.git('log', '-1', '--format=%(trailers:key=Signed-off-by)', 'gitstate')).toBe('');
  await expectSound(repository);
});

test('a refusal changes nothing', async () => {
  const { repository, store } = await makeStore();
  const before = tipOf(repository);
  expect(await codeOf(store.claim({ feature: 'nope' }))).toBe('FEATURE_NOT_FOUND');
  expect(await codeOf(store.add({ feature: '../x' }))).toBe('INVALID_INPUT');
  expect(await codeOf(store.add({ feature: 'x', dependencies: ['y'] }))).toBe('INVALID_INPUT');
  expect(tipOf(repository)).toBe(before);
});

test('an operation id that was used gives the first result again', async () => {
  const { repository, store } = await makeStore();
  await addFeatures(store, ['1', '2']);
  const first = await store.claim({ worker: 'W1', opId: 'claim-once' });
  const tip = tipOf(repository);
  const again = await store.claim({ worker: 'W1', opId: 'claim-once' });
  expect(again).toMatchObject({ commit: first.commit, token: first.token, changed: false });
  expect(again.feature.id).toBe(first.feature.id);
  expect(tipOf(repository)).toBe(tip);
  expect(await codeOf(store.claim({ worker: 'W2', opId: 'claim-once' }))).toBe('INVALID_INPUT');
  const elsewhere = await openTestStore(repository.path);
  expect((await elsewhere.claim({ worker: 'W1', opId: 'claim-once' })).token).toBe(first.token);
  await expectSound(repository);
});

test('operations submitted together share one compare-and-swap, one commit each', async () => {
  const { repository, store } = await makeStore();
  const reflog = () => repository.git('reflog', 'show', '--format=%H', 'gitstate').split('\n').length;
  const before = reflog();
  const ids = Array.from({ length: 20 }, (_, index) => `f${index}`);
  const outcomes = await Promise.allSettled([
    ...ids.map((feature) => store.add({ feature })),
    store.add({ feature: 'f3' }),
  ]);
  expect(outcomes.map(({ status }) => status).filter((status) => status === 'rejected')).toHaveLength(1);
  expect(reflog() - before).toBe(1);
  expect((await store.list()).features.map(({ id }) => id)).toEqual(ids);
  expect(repository.git('rev-list', '--count', 'gitstate')).toBe('22');
  await expectSound(repository);
});

test('many operations at once go into one small pack', async () => {
  const { repository, store } = await makeStore();
  await Promise.all(Array.from({ length: 60 }, (_, index) => store.note({ message: `note ${index}` })));
  expect(repository.git('count-objects', '-v')).toMatch(/^packs: [1-9]/m);
  await expectSound(repository);
});

test('a note is a commit that changes no file', async () => {
  const { repository, store } = await makeStore();
  const tree = () => repository.git('rev-parse', 'gitstate^{tree}');
  const before = tree();
  const { commit } = await store.note({ message: 'looked at it\nagain', level: 'warn' });
  expect(commit).toBe(tipOf(repository));
  expect(tree()).toBe(before);
  expect(repository.git('log', '-1', '--format=%s', 'gitstate')).toBe('note: looked at it\\nagain');
});

test('arguments too large for a message stand in that one commit', async () => {
  const { repository, store } = await makeStore();
  await addFeatures(
    store,
    Array.from({ length: 2000 }, (_, index) => `feature-${index}`),
  );
  expect(repository.git('ls-tree', '--name-only', 'gitstate')).toContain('payload');
  expect(repository.git('log', '-1', '--format=%B', 'gitstate')).toMatch(
    /^gitstate-args-oid: [0-9a-f]{40}$/m,
  );
  await store.note({ message: 'next' });
  expect(repository.git('ls-tree', '--name-only', 'gitstate')).not.toContain('payload');
  await expectSound(repository);
});

test('a branch that another writer moves between is decided on again', async () => {
  const { repository, store } = await makeStore();
  const other = await openTestStore(repository.path);
  await Promise.all([
    ...Array.from({ length: 15 }, (_, index) => store.add({ feature: `a${index}` })),
    ...Array.from({ length: 15 }, (_, index) => other.add({ feature: `b${index}` })),
  ]);
  await store.add({ feature: 'last' });
  expect((await other.list()).features).toHaveLength(31);
  await expectSound(repository);
});

test('init is idempotent, and other commands say what is missing', async () => {
  const repository = makeRepository();
  const store = await openTestStore(repository.path);
  expect(await codeOf(store.list())).toBe('NOT_INITIALIZED');
  expect(await codeOf(store.add({ feature: 'x' }))).toBe('NOT_INITIALIZED');
  const first = await store.init();
  expect(first).toMatchObject({ branch: 'gitstate', changed: true });
  expect(await store.init()).toMatchObject({ branch: 'gitstate', commit: null, changed: false });
  expect(repository.git('ls-tree', '--name-only', 'gitstate').split('\n')).toEqual([
    'README.md',
    'gitstate.json',
  ]);
  expect(await codeOf(store.list())).toBe('SESSION_NOT_FOUND');
});

test('two inits at once leave one root', async () => {
  const repository = makeRepository();
  const stores = await Promise.all([openTestStore(repository.path), openTestStore(repository.path)]);
  const answers = await Promise.all(stores.map((store) => store.init()));
  expect(answers.filter(({ changed }) => changed)).toHaveLength(1);
  expect(repository.git('rev-list', '--max-parents=0', '--count', 'gitstate')).toBe('1');
});

test('the public entry opens the store of the current directory', async () => {
  const { repository } = await makeStore();
  const store = await openStore({ cwd: repository.path });
  expect((await store.sessionList()).sessions.map(({ id }) => id)).toEqual(['s']);
  await store.close();
});

test('a clone takes its state from the remote-tracking branch and never grows a second root', async () => {
  const { repository, store } = await makeStore();
  await addFeatures(store, ['1']);
  const clone = cloneRepository(repository.path);
  const there = await openTestStore(clone.path);
  expect((await there.list()).features.map(({ id }) => id)).toEqual(['1']);
  expect(await there.init()).toMatchObject({ changed: false });
  await there.add({ feature: '2' });
  expect(clone.git('merge-base', 'gitstate', 'origin/gitstate')).toBe(
    clone.git('rev-parse', 'origin/gitstate'),
  );
  await expectSound(clone);
});

test('default session ids count up within the day', async () => {
  const { store } = await makeStore();
  const ids = await Promise.all(Array.from({ length: 20 }, () => store.sessionStart()));
  const day = new Date().toISOString().slice(0, 10);
  expect(ids.map(({ id }) => id)).toEqual(
    ids.map((_, index) => `${day}-${String(index + 1).padStart(3, '0')}`),
  );
  expect(await codeOf(store.add({ feature: 'x' }))).toBe('AMBIGUOUS_SESSION');
});
