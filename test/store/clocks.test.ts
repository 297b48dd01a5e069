import { expect, test } from 'vitest';
import { expectSound } from '../support/oracle.ts';
import { addFeatures, codeOf, makeStore, openTestStore, type TestEnv, testEnv } from '../support/store.ts';

const minute = 60_000;
const hour = 60 * minute;

const beginMs = Date.now();

/** A host with a clock that stands still until the test moves it. */
function hostCalled(host: string): TestEnv {
  const env = testEnv();
  const identity = { ...env.identity, host, boot: host };
  return Object.assign(env, { identity, now: () => beginMs + env.offsetMs });
}

/** A store with two features, and the same store as another host sees it; both with what they were warned of. */
async function twoHosts() {
  const { repository, store } = await makeStore();
  await addFeatures(store, ['1', '2']);
  const [env, far] = [hostCalled('here'), hostCalled('elsewhere')];
  const [warnings, farWarnings]: string[][] = [[], []];
  const here = await openTestStore(repository.path, { onWarning: (text) => warnings!.push(text) }, env);
  const there = await openTestStore(repository.path, { onWarning: (text) => farWarnings!.push(text) }, far);
  return { repository, here, there, env, far, warnings: warnings!, farWarnings: farWarnings! };
}

test('a takeover from another host waits for the allowance, and says how long the lease was over', async () => {
  const { here, there, env, warnings, farWarnings } = await twoHosts();
  await there.claim({ feature: '1', worker: 'W1', lease: '10m' });
  env.offsetMs = 10 * minute + 15_000;
  expect(await codeOf(here.claim({ feature: '1', worker: 'W2' }))).toBe('ALREADY_CLAIMED');
  env.offsetMs = 3 * hour;
  expect(await here.claim({ feature: '1', worker: 'W2' })).toMatchObject({ worker: 'W2' });
  expect(warnings).toEqual([
    "took '1' over from 'W1' on host 'elsewhere': by the clock here its lease was over for 2h 50m",
  ]);
  expect(farWarnings).toEqual([]);
});

test('a takeover on one host says nothing', async () => {
  const { here, env, warnings } = await twoHosts();
  await here.claim({ feature: '1', worker: 'W1', lease: '1m' });
  env.offsetMs = 2 * minute;
  expect(await here.claim({ feature: '1', worker: 'W2' })).toMatchObject({ worker: 'W2' });
  expect(warnings).toEqual([]);
});

test('where the newest commit is ahead of our clock, each write warns and leases of other hosts are let alone', async () => {
  const { repository, here, there, env, far, warnings } = await twoHosts();
  await there.claim({ feature: '1', worker: 'W1', lease: '1m' });
  env.offsetMs = 2 * hour;
  far.offsetMs = 5 * hour;
  await there.note({ message: 'from a clock that is ahead' });
  const refusal = await here.claim({ feature: '1', worker: 'W2' }).catch((error) => error);
  expect(refusal).toMatchObject({ code: 'ALREADY_CLAIMED', details: { feature: '1', holder: 'W1' } });
  const clock = (offset: number) => new Date(beginMs + offset).toISOString().slice(0, 19);
  expect(refusal.hint).toContain(`the clock here says ${clock(2 * hour)}`);
  expect(refusal.hint).toContain(`that of the newest commit ${clock(5 * hour)}`);
  await here.claim({ feature: '2', worker: 'W2' });
  expect(warnings).toEqual([expect.stringContaining(`that of the newest commit ${clock(5 * hour)}`)]);
  const nothing = await here.claim({ worker: 'W3' }).catch((error) => error);
  expect(nothing).toMatchObject({
    code: 'NOTHING_READY',
    hint: expect.stringContaining('leases of other hosts'),
  });
  expect((await here.recover()).released).toEqual([]);
  expect(await here.claim({ feature: '1', worker: 'W3', force: true })).toMatchObject({ worker: 'W3' });
  expect(repository.git('log', '-1', '--format=%B', 'gitstate')).toContain('"reason":"forced"');
  await expectSound(repository);
});

test('a lease that is ahead of our clock is evidence, too', async () => {
  const { here, there, env, far, warnings } = await twoHosts();
  await there.claim({ feature: '1', worker: 'W1', lease: '1m' });
  const { token } = await there.claim({ feature: '2', worker: 'W2', lease: '1m' });
  env.offsetMs = 2 * hour;
  far.offsetMs = 5 * hour;
  await there.heartbeat({ feature: '2', token: token!, lease: '1m' });
  expect(await codeOf(here.claim({ feature: '1', worker: 'W3' }))).toBe('ALREADY_CLAIMED');
  await here.note({ message: 'a write' });
  expect(warnings.length).toBe(1);
  // Once our own clock is right there is no doubt any more.
  env.offsetMs = 5 * hour + minute;
  expect(await here.claim({ feature: '1', worker: 'W3' })).toMatchObject({ worker: 'W3' });
});

test('`gitstate.drift` says how far clocks may differ', async () => {
  const { repository, env, far, there } = await twoHosts();
  repository.git('config', 'gitstate.drift', '4h');
  const warnings: string[] = [];
  const here = await openTestStore(repository.path, { onWarning: (text) => warnings.push(text) }, env);
  await there.claim({ feature: '1', worker: 'W1', lease: '1m' });
  env.offsetMs = 5 * hour;
  far.offsetMs = 8 * hour;
  await there.note({ message: 'ahead' });
  expect(await here.claim({ feature: '1', worker: 'W2' })).toMatchObject({ worker: 'W2' });
  expect(warnings.filter((text) => text.startsWith('the clock'))).toEqual([]);
});

test('a lease renewed while `recover` judges it stays', async () => {
  const { repository, store, env } = await makeStore();
  await addFeatures(store, ['1']);
  const { token } = await store.claim({ worker: 'W1', lease: '1m' });
  env.offsetMs = 2 * minute;
  const other = await openTestStore(repository.path, {}, env);
  const [renewal, recovery] = await Promise.all([
    codeOf(store.heartbeat({ feature: '1', token: token! })),
    other.recover(),
  ]);
  expect(recovery.released.length === 0).toBe(renewal === null);
  await expectSound(repository);
});
