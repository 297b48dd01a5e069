import { expect, test } from 'vitest';
import { expectSound } from '../support/oracle.ts';
import { addFeatures, codeOf, makeStore, openTestStore, testEnv } from '../support/store.ts';

const minute = 60_000;

test('a claim starts the first step, and its token proves the right', async () => {
  const { repository, store } = await makeStore({ steps: ['plan', 'build'] });
  await addFeatures(store, ['1']);
  const claim = await store.claim({ worker: 'W1' });
  expect(claim.token).toMatch(/^1-[0-9a-f]{40}$/);
  expect(claim.feature).toMatchObject({
    id: '1',
    status: 'in_progress',
    worker_id: 'W1',
    current_step: 'plan',
  });
  expect(repository.git('for-each-ref', '--format=%(refname)', 'refs/gitstate/leases')).toBe(
    'refs/gitstate/leases/s/1',
  );
  expect(repository.git('log', '--all', '-p', '--format=%B')).not.toContain(claim.token!.slice(2));
  expect(await codeOf(store.stepDone({ step: 'plan', worker: 'W2' }))).toBe('USAGE');
  expect(await codeOf(store.stepDone({ feature: '1', step: 'plan', worker: 'W2' }))).toBe('NOT_HOLDER');
  expect(await codeOf(store.stepDone({ feature: '1', step: 'plan', token: '1-00000000000000000000' }))).toBe(
    'STALE_TOKEN',
  );
  expect(await store.stepDone({ feature: '1', step: 'plan', token: claim.token! })).toMatchObject({
    current_step: 'build',
  });
  expect(await store.stepDone({ feature: '1', step: 'plan', token: claim.token! })).toMatchObject({
    changed: false,
  });
  expect(await codeOf(store.complete({ feature: '1', token: claim.token! }))).toBe('STEPS_REMAIN');
  await store.stepDone({ feature: '1', step: 'build', worker: 'W1' });
  const done = await store.complete({ feature: '1', token: claim.token!, summary: 'works' });
  expect(done).toMatchObject({
    status: 'completed',
    worker_id: null,
    claim: null,
    completed_by: 'W1',
    summary: 'works',
  });
  expect(await store.complete({ feature: '1', token: claim.token! })).toMatchObject({
    changed: false,
    commit: null,
  });
  expect(await codeOf(store.complete({ feature: '1' }))).toBe('INVALID_TRANSITION');
  expect(repository.git('for-each-ref', 'refs/gitstate/leases')).toBe('');
  await expectSound(repository);
});

test('claim takes the next ready feature in claim order, then says what blocks what', async () => {
  const { store } = await makeStore();
  await store.planLoad({
    features: [
      { id: '10' },
      { id: '2', phase: 1 },
      { id: '9', priority: 'P1' },
      { id: '7', priority: 'P0', dependencies: ['9'] },
      { id: '1', priority: 'P1', phase: 2 },
    ],
  });
  expect((await store.ready()).features.map(({ id }) => id)).toEqual(['1', '9', '2', '10']);
  const taken = [];
  for (let index = 1; index <= 4; index += 1)
    taken.push((await store.claim({ worker: `W${index}` })).feature.id);
  expect(taken).toEqual(['1', '9', '2', '10']);
  const refusal = await store.claim({ worker: 'W5' }).catch((error) => error);
  expect(refusal).toMatchObject({
    code: 'NOTHING_READY',
    exitStatus: 5,
    details: {
      all_complete: false,
      blocked: [{ id: '7', blocked_by: [{ id: '9', status: 'in_progress' }] }],
    },
  });
  expect(await codeOf(store.claim({ worker: 'W5', feature: '7' }))).toBe('DEPENDENCIES_UNMET');
  expect(await codeOf(store.claim({ worker: 'W5', feature: '1' }))).toBe('ALREADY_CLAIMED');
  expect(await codeOf(store.claim({ worker: 'W1', feature: '1' }))).toBe('ALREADY_CLAIMED');
  expect(await codeOf(store.claim({ worker: 'W1' }))).toBe('WORKER_BUSY');
});

test('an expired claim is taken over, and the old token changes nothing any more', async () => {
  const { repository, store, env } = await makeStore();
  await addFeatures(store, ['1', '2']);
  const old = await store.claim({ worker: 'W1', lease: '10m' });
  env.offsetMs = 9 * minute;
  expect(await codeOf(store.claim({ worker: 'W2', feature: '1' }))).toBe('ALREADY_CLAIMED');
  env.offsetMs = 11 * minute;
  expect(await store.claimCheck({ feature: '1', token: old.token! })).toMatchObject({
    held: true,
    expired: true,
  });
  expect((await store.claim({ worker: 'W2' })).feature.id).toBe('2');
  const taken = await store.claim({ worker: 'W3' });
  expect(taken).toMatchObject({ worker: 'W3', feature: { id: '1', retry_count: 0 } });
  expect(taken.token).toMatch(/^2-/);
  const refusal = await store.complete({ feature: '1', token: old.token! }).catch((error) => error);
  expect(refusal).toMatchObject({ code: 'STALE_TOKEN', details: { feature: '1', holder: 'W3' } });
  expect(await store.claimCheck({ feature: '1', token: old.token! })).toMatchObject({
    held: false,
    holder: 'W3',
  });
  expect(await codeOf(store.heartbeat({ feature: '1', token: old.token! }))).toBe('STALE_TOKEN');
  expect((await store.list({ worker: 'W3' })).features.map(({ id }) => id)).toEqual(['1']);
  await expectSound(repository);
});

test('a heartbeat renews the lease without a commit', async () => {
  const { repository, store, env } = await makeStore();
  await addFeatures(store, ['1']);
  const { token } = await store.claim({ worker: 'W1', lease: '10m' });
  const tip = repository.git('rev-parse', 'gitstate');
  const lease = () => repository.git('rev-parse', 'refs/gitstate/leases/s/1');
  const first = lease();
  env.offsetMs = 8 * minute;
  const answer = await store.heartbeat({ feature: '1', token: token!, lease: '10m' });
  expect(Date.parse(answer.expires_at) - env.now()).toBeGreaterThan(9 * minute);
  expect(lease()).not.toBe(first);
  expect(repository.git('rev-parse', 'gitstate')).toBe(tip);
  env.offsetMs = 15 * minute;
  expect(await codeOf(store.claim({ worker: 'W2', feature: '1' }))).toBe('ALREADY_CLAIMED');
  expect((await store.show({ feature: '1' })).claim?.expires_at).toBe(answer.expires_at);
  expect((await store.workerList()).workers).toMatchObject([
    { id: 'W1', status: 'busy', expires_at: answer.expires_at },
  ]);
  env.offsetMs = 19 * minute;
  expect((await store.claim({ worker: 'W2', feature: '1' })).worker).toBe('W2');
});

test('a renewal and a takeover at the same time never both succeed', async () => {
  const { repository, store, env } = await makeStore();
  await addFeatures(store, ['1']);
  const { token } = await store.claim({ worker: 'W1', lease: '1m' });
  env.offsetMs = 2 * minute;
  const other = await openTestStore(repository.path, {}, env);
  const [renewal, takeover] = await Promise.all([
    codeOf(store.heartbeat({ feature: '1', token: token! })),
    codeOf(other.claim({ worker: 'W2', feature: '1' })),
  ]);
  expect([renewal, takeover]).toSatisfy(([a, b]) => (a === null) !== (b === null));
  await expectSound(repository);
});

test('claiming again with the token renews; a lost lease ref is made anew', async () => {
  const { repository, store } = await makeStore();
  await addFeatures(store, ['1']);
  const { token, commit } = await store.claim({ worker: 'W1', lease: '1m' });
  const again = await store.claim({ worker: 'W1', feature: '1', token: token!, lease: '1h' });
  expect(again).toMatchObject({ token, commit: null, changed: false });
  expect(repository.git('rev-parse', 'gitstate')).toBe(commit);
  repository.git('update-ref', '-d', 'refs/gitstate/leases/s/1');
  await store.heartbeat({ feature: '1', token: token! });
  expect(repository.git('rev-parse', '--verify', 'refs/gitstate/leases/s/1')).toMatch(/^[0-9a-f]{40}$/);
});

test('without a name the worker is derived, and never one that is in use', async () => {
  const { store } = await makeStore();
  await addFeatures(store, ['1', '2']);
  const first = await store.claim();
  const second = await store.claim();
  expect(first.worker).toMatch(/^tester-/);
  expect(second.worker).toBe(`${first.worker}-2`);
  expect(await codeOf(store.complete())).toBe('NOT_HOLDER');
  await store.complete({ feature: first.feature.id });
  expect((await store.complete()).id).toBe(second.feature.id);
});

test('force overrides a live claim and is recorded', async () => {
  const { repository, store } = await makeStore();
  await addFeatures(store, ['1']);
  const old = await store.claim({ worker: 'W1' });
  await store.claim({ worker: 'W2', feature: '1', force: true });
  expect(repository.git('log', '-1', '--format=%B', 'gitstate')).toContain('"reason":"forced"');
  expect(await codeOf(store.release({ feature: '1', token: old.token! }))).toBe('STALE_TOKEN');
  await store.complete({ feature: '1', worker: 'W9', force: true });
  expect(repository.git('log', '-1', '--format=%B', 'gitstate')).toContain('"force":true');
});

test('failures count up to the limit, then the feature is failed until it is retried', async () => {
  const { repository, store } = await makeStore({ steps: ['plan', 'build'] });
  await store.sessionUpdate({ maxRetries: 1 });
  await addFeatures(store, ['1']);
  const first = await store.claim({ worker: 'W1' });
  await store.stepDone({ feature: '1', step: 'plan', token: first.token! });
  const waiting = await store.fail({ feature: '1', token: first.token!, error: 'x\ny' });
  expect(waiting).toMatchObject({ status: 'pending', retry_count: 1, error: 'x\ny', current_step: 'build' });
  const second = await store.claim({ worker: 'W1' });
  expect(second.token).toMatch(/^2-/);
  expect(await store.fail({ feature: '1', token: second.token!, error: 'z' })).toMatchObject({
    status: 'failed',
    retry_count: 2,
  });
  expect(await codeOf(store.claim({ worker: 'W1', feature: '1' }))).toBe('INVALID_TRANSITION');
  expect(await store.retry({ feature: '1', from: 'plan' })).toMatchObject({
    status: 'pending',
    retry_count: 2,
    error: null,
    steps_completed: [],
  });
  await expectSound(repository);
});

test('a claim that waits gets what becomes ready, and ends at once when nothing can', async () => {
  const { repository, store } = await makeStore();
  await store.planLoad({ features: [{ id: '1' }, { id: '2', dependencies: ['1'] }] });
  const { token } = await store.claim({ worker: 'W1' });
  const other = await openTestStore(repository.path);
  const waiting = other.claim({ worker: 'W2', wait: '20s' });
  await store.complete({ feature: '1', token: token! });
  const second = await waiting;
  expect(second.feature.id).toBe('2');
  await store.complete({ feature: '2', token: second.token! });
  expect(await codeOf(store.claim({ worker: 'W3', wait: true }))).toBe('NOTHING_READY');
});

test('a session that is not active takes no new work, and ends only without claims', async () => {
  const { store } = await makeStore();
  await addFeatures(store, ['1']);
  const { token } = await store.claim({ worker: 'W1' });
  expect(await codeOf(store.sessionComplete())).toBe('INVALID_TRANSITION');
  await store.sessionComplete({ force: true });
  expect(await codeOf(store.add({ feature: '2', session: 's' }))).toBe('SESSION_NOT_ACTIVE');
  expect(await store.complete({ session: 's', feature: '1', token: token! })).toMatchObject({
    status: 'completed',
  });
});

test('a lease ref that holds something else is replaced by the next renewal', async () => {
  const { repository, store } = await makeStore();
  await addFeatures(store, ['1']);
  const { token } = await store.claim({ worker: 'W1' });
  repository.git('update-ref', 'refs/gitstate/leases/s/1', repository.git('rev-parse', 'main'));
  await store.heartbeat({ feature: '1', token: token! });
  expect(await store.claimCheck({ feature: '1', token: token! })).toMatchObject({
    held: true,
    expired: false,
  });
  expect(repository.git('log', '-1', '--format=%s', 'refs/gitstate/leases/s/1')).toContain('"worker":"W1"');
});

test('a renewal and a takeover in one group never both succeed', async () => {
  const { repository, store, env } = await makeStore();
  await addFeatures(store, ['1']);
  const { token } = await store.claim({ worker: 'W1', lease: '1m' });
  env.offsetMs = 2 * minute;
  const outcomes = await Promise.all([
    codeOf(store.heartbeat({ feature: '1', token: token! })),
    codeOf(store.claim({ worker: 'W2', feature: '1' })),
  ]);
  expect(outcomes).toEqual([null, 'ALREADY_CLAIMED']);
  await expectSound(repository);
});

test('a lease that another process renewed is shown as renewed, loose or packed', async () => {
  const { repository, store, env } = await makeStore();
  await addFeatures(store, ['1']);
  const { token } = await store.claim({ worker: 'W1', lease: '10m' });
  const shown = async () => (await store.show({ feature: '1' })).claim?.expires_at;
  const first = await shown();
  const other = await openTestStore(repository.path, {}, env);
  const renewed = await other.heartbeat({ feature: '1', token: token!, lease: '1h' });
  expect(renewed.expires_at).not.toBe(first);
  expect(await shown()).toBe(renewed.expires_at);
  repository.git('pack-refs', '--all');
  expect(await shown()).toBe(renewed.expires_at);
});

test('a runner on the same host is dead once its process is gone, by start time and boot as well as by id', async () => {
  const { repository, store } = await makeStore();
  await addFeatures(store, ['same', 'reused', 'rebooted', 'nested']);
  const own = testEnv().identity;
  // The process id is one that lives: our own.
  const identities = {
    same: own,
    reused: { ...own, started: '1' },
    rebooted: { ...own, boot: 'another' },
    nested: { ...own, pidns: 'pid:[1]' },
  };
  for (const [feature, identity] of Object.entries(identities)) {
    const runner = await openTestStore(repository.path, {}, { ...testEnv(), identity });
    await runner.claim({ feature, worker: feature, runner: true });
  }
  const { released, kept } = await store.recover();
  expect(released).toMatchObject([{ feature: 'reused', reason: 'dead' }]);
  expect(kept.map(({ feature }) => feature)).toEqual(['nested', 'rebooted', 'same']);
  await expectSound(repository);
});
