import { rmSync } from 'node:fs';
import { expect, test } from 'vitest';
import { leaseRef } from '../../src/codec/tag.ts';
import { Engine } from '../../src/store/engine.ts';
import type { Proposal } from '../../src/store/proposal.ts';
import { cleanupFeatures, sessionRecover } from '../../src/store/proposals/recovery.ts';
import { resume } from '../../src/store/proposals/resume.ts';
import { localPublisher } from '../../src/store/publish.ts';
import { Transactor } from '../../src/store/transact.ts';
import { expectSound } from '../support/oracle.ts';
import { addFeatures, codeOf, makeStore, openTestStore, testEnv } from '../support/store.ts';

const minute = 60_000;

async function leftBehind() {
  const made = await makeStore({ steps: ['plan', 'build', 'test'] });
  await addFeatures(made.store, ['ep_001_a', 'ep_001_b', 'ep_002']);
  const claim = await made.store.claim({ feature: 'ep_001_a', worker: 'W1', lease: '10m' });
  await made.store.stepDone({ feature: 'ep_001_a', step: 'plan', token: claim.token! });
  return { ...made, token: claim.token! };
}

test('a claim that is over is ended by a release of its own, and finished steps stay', async () => {
  const { repository, store, env, token } = await leftBehind();
  expect(await codeOf(store.resume({ feature: 'ep_001_a' }))).toBe('ALREADY_CLAIMED');
  env.offsetMs += 11 * minute;
  const before = await store.tip();
  expect(await store.resume({ feature: 'ep_001_a' })).toMatchObject({
    session: 's',
    feature: 'ep_001_a',
    status: 'pending',
    step: 'build',
    finished: ['plan'],
    heads: {},
    released: { worker: 'W1', reason: 'expired' },
    changed: true,
  });
  expect(repository.git('rev-list', '--count', `${before}..gitstate`)).toBe('1');
  expect(repository.git('log', '-1', '--format=%s %(trailers:key=gitstate-op,valueonly)', 'gitstate')).toBe(
    'release ep_001_a, left by W1 feature.release',
  );
  expect(repository.git('for-each-ref', 'refs/gitstate/leases')).toBe('');
  expect(await codeOf(store.stepDone({ feature: 'ep_001_a', step: 'build', token }))).toBe('STALE_TOKEN');
  // Nothing is left to be changed.
  expect(await store.resume({ feature: 'ep_001_a' })).toMatchObject({
    step: 'build',
    commit: null,
    changed: false,
    released: null,
  });
  await expectSound(repository);
});

test.each([
  ['resume', resume, { feature: 'ep_001_a' }],
  ['recover', sessionRecover, {}],
  ['cleanup --features', cleanupFeatures, { olderThan: '1m' }],
] as const)('a lease that is renewed while %s judges it survives', async (_name, proposal, request) => {
  const { repository, env, token } = await leftBehind();
  env.offsetMs += 11 * minute;
  const engine = await Engine.open({ cwd: repository.path, env });
  const read = engine.reader.read.bind(engine.reader);
  const ref = leaseRef('s', 'ep_001_a');
  let renewed = false;
  // The holder renews right after its lease was read, as one on another host could, which waits for no mutex of ours.
  engine.reader.read = async (name) => {
    const object = await read(name);
    if (name === ref && !renewed) {
      renewed = true;
      const renewal = repository
        .git('log', '-1', '--format=%B', ref)
        .replace(/"expires_at":"20../, (text) => text.replace(/20..$/, '2999'));
      const tree = repository.git('rev-parse', `${ref}^{tree}`);
      repository.git('update-ref', ref, repository.git('commit-tree', tree, '-m', renewal));
    }
    return object;
  };
  try {
    const transactor = new Transactor(engine, {
      publisher: localPublisher(engine, { offline: false }),
      derivedWorker: 'me',
    });
    await transactor.submit(proposal as Proposal<unknown>, request).catch(() => {});
    expect(renewed).toBe(true);
  } finally {
    await engine.close();
  }
  const holder = await openTestStore(repository.path, {}, env);
  expect(await holder.stepDone({ feature: 'ep_001_a', step: 'build', token })).toMatchObject({
    current_step: 'test',
  });
});

test('the beginning of an id will do where only one has it', async () => {
  const { store, env } = await leftBehind();
  env.offsetMs += 11 * minute;
  const refusal = await store.resume({ feature: 'ep_001' }).catch((error) => error);
  expect(refusal).toMatchObject({
    code: 'INVALID_INPUT',
    message: "'ep_001' is short for several features: 'ep_001_a', 'ep_001_b'",
    details: { matches: ['ep_001_a', 'ep_001_b'] },
  });
  expect(await store.resume({ feature: 'ep_001_a' })).toMatchObject({ feature: 'ep_001_a' });
  expect(await store.resume({ feature: 'ep_002' })).toMatchObject({ feature: 'ep_002', changed: false });
  expect(await store.resume({ feature: 'ep_00' }).catch((error) => error.details.matches)).toHaveLength(3);
  expect(await codeOf(store.resume({ feature: 'ep_9' }))).toBe('FEATURE_NOT_FOUND');
  await store.checkpointCreate({ name: 'monday', feature: 'ep_002' });
  expect(await store.resume({ checkpoint: 'mon' })).toMatchObject({
    feature: 'ep_002',
    checkpoint: 'monday',
  });
  await store.checkpointCreate({ name: 'mondial' });
  expect(await codeOf(store.resume({ checkpoint: 'mond' }))).toBe('INVALID_INPUT');
  expect(await codeOf(store.resume({ checkpoint: 'tuesday' }))).toBe('CHECKPOINT_NOT_FOUND');
  expect(await codeOf(store.resume({ checkpoint: 'monday', feature: 'ep_001_a' }))).toBe('INVALID_INPUT');
});

test('what is finished is not resumed, what failed waits for its retry', async () => {
  const { store, token } = await leftBehind();
  await store.fail({ feature: 'ep_001_a', token, error: 'x', noRetry: true });
  expect(await store.resume({ feature: 'ep_001_a' })).toMatchObject({
    status: 'failed',
    step: 'build',
    changed: false,
  });
  await store.update({ feature: 'ep_001_a', status: 'completed' });
  const refusal = await store.resume({ feature: 'ep_001_a' }).catch((error) => error);
  expect(refusal).toMatchObject({
    code: 'INVALID_TRANSITION',
    details: { from: 'completed', allowed: ['pending', 'in_progress', 'failed'] },
  });
  await store.archive({ feature: 'ep_002' });
  expect(await codeOf(store.resume({ feature: 'ep_002' }))).toBe('INVALID_TRANSITION');
});

test('without a feature it writes nothing and says what could be resumed', async () => {
  const { repository, store, env } = await leftBehind();
  await store.claim({ feature: 'ep_002', worker: 'W2', lease: '1h' });
  const before = await store.tip();
  expect((await store.resume()).resumable).toEqual([]);
  env.offsetMs += 11 * minute;
  expect(await store.resume()).toMatchObject({
    feature: null,
    step: null,
    commit: null,
    changed: false,
    resumable: [{ feature: 'ep_001_a', status: 'in_progress', step: 'build' }],
  });
  expect(await store.tip()).toBe(before);
  const here = await openTestStore(repository.path, { feature: 'ep_001_a' }, env);
  expect(await here.resume()).toMatchObject({ feature: 'ep_001_a', step: 'build' });
});

test('code goes on at the recorded head, also where its branch is gone', async () => {
  const { repository, store, env } = await makeStore({ steps: ['plan', 'build'] });
  await addFeatures(store, ['1']);
  const claim = await store.claim({ worker: 'W1', worktree: true, lease: '10m' });
  repository.write('.worktrees/1/work.txt', 'work');
  repository.git('-C', claim.worktree!, 'add', '-A');
  repository.git('-C', claim.worktree!, 'commit', '-qm', 'work');
  const head = repository.git('rev-parse', 'feature/1');
  await store.checkpointCreate({ name: 'half', feature: '1' });
  rmSync(claim.worktree!, { recursive: true });
  repository.git('worktree', 'prune');
  repository.git('branch', '-D', 'feature/1');
  env.offsetMs += 11 * minute;
  expect(await store.resume({ checkpoint: 'half' })).toMatchObject({
    feature: '1',
    heads: { 1: { branch: 'feature/1', oid: head } },
    checkpoint: 'half',
  });
  const again = await store.claim({ feature: '1', worker: 'W2', worktree: true });
  expect(repository.git('-C', again.worktree!, 'rev-parse', 'HEAD')).toBe(head);
  expect(repository.git('rev-parse', 'feature/1')).toBe(head);
});

test('code that is nowhere is said, and nothing is written', async () => {
  const { repository, store, env } = await makeStore({ steps: ['plan', 'build'] });
  await addFeatures(store, ['1']);
  const claim = await store.claim({ worker: 'W1', worktree: true, lease: '10m' });
  repository.git('-C', claim.worktree!, 'commit', '-q', '--allow-empty', '-m', 'work');
  await store.checkpointCreate({ name: 'half', feature: '1' });
  rmSync(claim.worktree!, { recursive: true });
  repository.git('worktree', 'prune');
  repository.git('branch', '-D', 'feature/1');
  repository.git('update-ref', '-d', 'refs/gitstate/heads/s/half/1');
  repository.git('reflog', 'expire', '--expire=now', '--all');
  repository.git('gc', '-q', '--prune=now');
  env.offsetMs += 11 * minute;
  const fresh = await openTestStore(
    repository.path,
    {},
    Object.assign(testEnv(), { offsetMs: env.offsetMs }),
  );
  const before = await fresh.tip();
  expect(await codeOf(fresh.resume({ feature: '1' }))).toBe('COMMIT_NOT_FOUND');
  expect(await fresh.tip()).toBe(before);
  expect(await fresh.checkpointShow({ name: 'half' })).toMatchObject({ can_resume: false });
  expect(await codeOf(fresh.claim({ feature: '1', worker: 'W2', worktree: true }))).toBe('COMMIT_NOT_FOUND');
  expect(await fresh.claim({ feature: '1', worker: 'W2', worktree: true, base: 'HEAD' })).toMatchObject({
    branch: 'feature/1',
  });
});

test('in a session that is not active a claim that is over is ended, too', async () => {
  const { store, env } = await leftBehind();
  await store.sessionFail({ session: 's', force: true });
  env.offsetMs += 11 * minute;
  expect(await store.resume({ session: 's', feature: 'ep_001_a' })).toMatchObject({ status: 'pending' });
});

test('nothing can be fetched yet, and that is said', async () => {
  const { store } = await leftBehind();
  expect(await codeOf(store.resume({ feature: 'ep_002', from: 'origin' }))).toBe('USAGE');
});
