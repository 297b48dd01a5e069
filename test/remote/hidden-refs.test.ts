import { describe, expect, it } from 'vitest';
import { cloneOf, makeServer, makeShared, openClone } from '../support/clones.ts';
import { expectSound } from '../support/oracle.ts';
import { addFeatures, codeOf } from '../support/store.ts';

/** Hosts that take branches and tags alone. */

function hiding() {
  const server = makeServer();
  server.git('config', 'receive.hideRefs', 'refs/gitstate');
  server.git('config', 'uploadpack.hideRefs', 'refs/gitstate');
  return server;
}

async function onBranch(server: { path: string }, host?: string) {
  const { repository, store } = await cloneOf(server.path);
  await store.close();
  repository.git('config', 'gitstate.leases', 'branch');
  return openClone(repository, host === undefined ? {} : { host });
}

describe('a host that takes no refs/gitstate', () => {
  it('refuses a claim, and the hint names the way around', async () => {
    const { store } = await cloneOf(hiding().path);
    await store.init();
    await store.sessionStart({ session: 's' });
    await addFeatures(store, ['f']);
    await expect(store.claim({ worker: 'a' })).rejects.toMatchObject({
      code: 'REMOTE_REJECTED',
      hint: /gitstate\.leases branch/,
    });
  });

  it('has leases in commits of the branch then, which hold like the others', async () => {
    const server = hiding();
    const one = await onBranch(server);
    await one.store.init();
    await one.store.sessionStart({ session: 's' });
    await addFeatures(one.store, ['f']);
    const { token } = await one.store.claim({ worker: 'a', lease: '10m' });
    one.env.offsetMs = 9 * 60_000;
    expect((await one.store.heartbeat({ token: token!, lease: '10m' })).durability).toBe('remote');
    expect(server.git('log', '-1', '--format=%s', 'gitstate')).toBe('renew f for a');
    const two = await onBranch(server, 'elsewhere');
    two.env.offsetMs = 12 * 60_000;
    expect(await codeOf(two.store.claim({ worker: 'b', feature: 'f' }))).toBe('ALREADY_CLAIMED');
    two.env.offsetMs = 20 * 60_000;
    expect((await two.store.claim({ worker: 'b', feature: 'f' })).worker).toBe('b');
    expect(await codeOf(one.store.heartbeat({ feature: 'f', token: token! }))).toBe('STALE_TOKEN');
    await expectSound(two.repository);
  });

  it('has checkpoints as tags', async () => {
    const server = hiding();
    const one = await onBranch(server);
    await one.store.init();
    await one.store.sessionStart({ session: 's' });
    await one.store.checkpointCreate({ name: 'start' });
    const two = await onBranch(server);
    await two.store.sync();
    expect(two.repository.git('rev-parse', 'gitstate/s/start')).toBe(
      server.git('rev-parse', 'gitstate/s/start'),
    );
  });
});

it('a clone that renews by refs and one that renews on the branch understand each other', async () => {
  const { store, server, env } = await makeShared(['f']);
  const { token } = await store.claim({ worker: 'a', lease: '10m' });
  env.offsetMs = 5 * 60_000;
  await store.heartbeat({ token: token!, lease: '30m' });
  const other = await onBranch(server, 'elsewhere');
  other.env.offsetMs = 16 * 60_000;
  expect(await codeOf(other.store.claim({ worker: 'b', feature: 'f' }))).toBe('ALREADY_CLAIMED');
});
