import { expect, test } from 'vitest';
import { expectSound } from '../support/oracle.ts';
import { cloneRepository } from '../support/repo.ts';
import { addFeatures, codeOf, makeStore, openTestStore, type TestStore } from '../support/store.ts';

async function subjects(log: AsyncIterable<{ subject: string }>): Promise<string[]> {
  const found: string[] = [];
  for await (const { subject } of log) found.push(subject);
  return found;
}

/** A store with a claim, a checkpoint of each kind, a note and a cost. */
async function filled(): Promise<TestStore & { token: string }> {
  const made = await makeStore({ steps: ['plan', 'build'] });
  const { store } = made;
  await addFeatures(store, ['a', 'b', 'c']);
  const token = (await store.claim({ feature: 'a', worker: 'W1' })).token!;
  await store.stepDone({ feature: 'a', step: 'plan', token });
  await store.checkpointCreate({ name: 'v1' });
  await store.note({ message: 'a word' });
  return { ...made, token };
}

test('a new root holds the same files, and a ref keeps what was before', async () => {
  const { repository, store } = await filled();
  const tip = repository.git('rev-parse', 'gitstate');
  const count = Number(repository.git('rev-list', '--count', 'gitstate'));
  const sealed = await store.seal();
  expect(sealed).toMatchObject({
    epoch: 1,
    tip,
    commits: count,
    ref: 'refs/gitstate/epochs/1',
    tags: 1,
    changed: true,
  });
  expect(repository.git('rev-parse', 'gitstate')).toBe(sealed.commit);
  expect(repository.git('rev-list', '--count', 'gitstate')).toBe('1');
  expect(repository.git('rev-parse', 'gitstate^{tree}')).toBe(repository.git('rev-parse', `${tip}^{tree}`));
  expect(repository.git('rev-parse', 'refs/gitstate/epochs/1')).toBe(tip);
  expect(repository.git('log', '-1', '--format=%s', 'gitstate')).toBe(`seal epoch 1 (${count} commits)`);
  // An epoch that has only begun is not sealed again.
  expect(await store.seal()).toMatchObject({ changed: false, commit: null, epoch: null });
  await expectSound(repository);
});

test('work goes on: claims, leases and tokens of before still hold', async () => {
  const { repository, store, token } = await filled();
  await store.seal();
  const later = await openTestStore(repository.path);
  await later.heartbeat({ feature: 'a', token });
  expect(await codeOf(later.claim({ feature: 'a', worker: 'W2' }))).toBe('ALREADY_CLAIMED');
  expect(await later.complete({ feature: 'a', token, skipRemaining: true })).toMatchObject({
    status: 'completed',
  });
  expect((await later.seal()).epoch).toBe(2);
  await later.note({ message: 'the third' });
  await expectSound(repository);
});

test('history is one line through all epochs: log, points, blame, undo and restore', async () => {
  const { repository, store, token } = await filled();
  const before = repository.git('rev-parse', 'gitstate');
  const old = await subjects(store.log({ all: true }));
  const { fields } = await store.blame({ feature: 'a' });
  const root = (await store.seal()).commit!;
  await store.complete({ feature: 'a', token, skipRemaining: true });
  expect(await subjects(store.log({ all: true }))).toEqual([
    'complete 003'.replace('003', 'a'),
    `seal epoch 1 (${old.length} commits)`,
    ...old,
  ]);
  // Far back, too, where Git is asked for many commits at once.
  for (let at = 0; at < 70; at += 1) await store.note({ message: `n${at}` });
  expect((await subjects(store.log({ all: true }))).slice(-old.length)).toEqual(old);
  const blamed = (await store.blame({ feature: 'b' })).fields;
  expect(blamed.every(({ op }) => op === 'plan.load')).toBe(true);
  expect((await store.blame({ feature: 'a' })).fields.filter(({ path }) => path === '/name')).toEqual(
    fields.filter(({ path }) => path === '/name'),
  );
  expect((await store.diff({ from: before })).changes.map(({ id }) => id)).toContain('a');
  expect((await store.diff({ from: 'gitstate~72', to: before })).changes).toEqual([]);
  // The checkpoint names a commit of the sealed epoch; so does an automatic one.
  const v1 = await store.checkpointShow({ name: 'v1' });
  expect(repository.git('merge-base', '--is-ancestor', v1.commit, 'refs/gitstate/epochs/1')).toBe('');
  expect(v1.commit).not.toBe(root);
  await store.restore({ point: 'v1' });
  expect((await store.show({ feature: 'a' })).status).toBe('pending');
  const cost = await store.add({ feature: 'd' });
  await store.seal();
  await store.undo({ commit: cost.commit! });
  expect(await codeOf(store.show({ feature: 'd' }))).toBe('FEATURE_NOT_FOUND');
  expect(await codeOf(store.undo({ commit: root }))).toBe('INVALID_TRANSITION');
  await expectSound(repository);
});

test('automatic checkpoints are found by what the seal says, with or without the epoch', async () => {
  const { repository, store } = await makeStore({ preset: 'production' });
  await addFeatures(store, ['a']);
  const token = (await store.claim({ feature: 'a', worker: 'W1' })).token!;
  await store.stepDone({ feature: 'a', step: 'research', token });
  const { commit } = await store.checkpointShow({ name: 'a.research_complete' });
  await store.note({ message: 'later' });
  await store.seal();
  const fresh = await openTestStore(repository.path);
  expect((await fresh.checkpointShow({ name: 'a.research_complete' })).commit).toBe(commit);
  await fresh.note({ message: 'and later' });
  await fresh.seal();
  expect((await fresh.checkpointShow({ name: 'a.research_complete' })).commit).toBe(commit);
  const stray = await openTestStore(
    cloneRepository(`file://${repository.path}`, '--no-tags', '--branch=gitstate', '--single-branch').path,
  );
  expect((await stray.checkpointList({})).checkpoints.map((one) => one.commit)).toEqual([commit]);
});

test('verify says what it looked at, and crosses epochs when it is asked', async () => {
  const { repository, store } = await filled();
  const first = repository.git('rev-list', '--count', 'gitstate');
  const older = repository.git('rev-parse', 'gitstate~2');
  await store.seal();
  await store.note({ message: 'one' });
  expect(await store.verify()).toMatchObject({
    ok: true,
    commits: 2,
    complete: true,
    behind: { epoch: 1, here: true },
  });
  await store.seal();
  await store.note({ message: 'two' });
  const all = await store.verify({ epochs: true });
  expect(all).toMatchObject({
    ok: true,
    complete: true,
    commits: 4 + Number(first),
    behind: null,
    problems: [],
  });
  expect(all.epochs.map(({ epoch, commits }) => [epoch, commits])).toEqual([
    [null, 2],
    [2, 2],
    [1, Number(first)],
  ]);
  expect(await store.verify({ range: `${older}..` })).toMatchObject({
    ok: true,
    commits: 6,
    from: older,
    behind: null,
  });
  expect(await codeOf(store.verify({ range: `${repository.git('rev-parse', 'main')}..` }))).toBe(
    'INVALID_INPUT',
  );
});

test('verify notices a root that holds other files than what it names', async () => {
  const { repository, store } = await filled();
  const { commit } = await store.seal();
  await store.close();
  const text = repository.git('cat-file', 'commit', commit!);
  const tree = repository.git('rev-parse', 'refs/gitstate/epochs/1~3^{tree}');
  const forged = repository.gitWithInput(
    `${text.replace(/^tree .*/, `tree ${tree}`)}\n`,
    'hash-object',
    '-t',
    'commit',
    '-w',
    '--stdin',
  );
  repository.git('update-ref', '-m', 'gitstate', 'refs/heads/gitstate', forged);
  const { ok, problems } = await (await openTestStore(repository.path)).verify({ full: true });
  expect(ok).toBe(false);
  expect(problems.map(({ message }) => message).join()).toMatch(/its files are not those of commit/);
});

test('an operation id is found in sealed epochs, and unknown where one is missing', async () => {
  const { repository, store } = await filled();
  const { commit } = await store.add({ feature: 'x', opId: 'once' });
  await store.seal();
  const again = await openTestStore(repository.path);
  expect(await again.add({ feature: 'x', opId: 'once' })).toMatchObject({ commit, changed: false });
  repository.git('update-ref', '-d', 'refs/gitstate/epochs/1');
  const bare = cloneRepository(
    `file://${repository.path}`,
    '--no-tags',
    '--branch=gitstate',
    '--single-branch',
  );
  bare.git('remote', 'remove', 'origin');
  bare.git('checkout', '-q', '--detach');
  const stray = await openTestStore(bare.path);
  expect(await codeOf(stray.add({ feature: 'y', opId: 'other' }))).toBe('OUTCOME_UNKNOWN');
  expect(await codeOf(stray.add({ feature: 'y' }))).toBe(null);
});

test('a branch put back to the old line by hand is noticed', async () => {
  const { repository, store } = await filled();
  await store.seal();
  await store.close();
  repository.git('update-ref', 'refs/heads/gitstate', 'refs/gitstate/epochs/1');
  const later = await openTestStore(repository.path);
  expect(await codeOf(later.note({ message: 'no' }))).toBe('CORRUPT_STATE');
  const { damaged, repaired } = await later.doctor({ repair: true });
  expect([damaged, repaired.length > 0]).toEqual([false, true]);
});
