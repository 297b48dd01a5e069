import { describe, expect, it } from 'vitest';
import { type Clone, cloneOf, makeShared, openClone } from '../support/clones.ts';
import { expectSound } from '../support/oracle.ts';
import type { TestRepository } from '../support/repo.ts';
import { codeOf } from '../support/store.ts';

const tipOf = ({ git }: TestRepository) => git('rev-parse', 'refs/heads/gitstate');
const subjects = ({ git }: TestRepository) => git('log', '--format=%s', 'gitstate').split('\n');

/** The same clone, working without the server. */
const offline = (clone: Pick<Clone, 'repository'>) => openClone(clone.repository, { offline: true });

describe('work without the server', () => {
  it('is acknowledged as such, and is there for good after sync', async () => {
    const shared = await makeShared(['f1', 'f2']);
    const { store } = await offline(shared);
    const { token, durability } = await store.claim({ worker: 'a' });
    expect(durability).toBe('offline');
    await store.complete({ token: token! });
    expect(tipOf(shared.server)).not.toBe(tipOf(shared.repository));
    expect(await shared.store.sync()).toMatchObject({ pulled: 0, pushed: 2, replayed: 0, rejected: [] });
    expect(tipOf(shared.server)).toBe(tipOf(shared.repository));
  });

  it('of two machines for a day comes together, each in its own order', async () => {
    const one = await makeShared(['f1', 'f2', 'f3', 'f4']);
    const two = await cloneOf(one.server.path);
    await two.store.sync();
    const [left, right] = [await offline(one), await offline(two)];
    await left.store.claim({ feature: 'f1', worker: 'a' });
    await left.store.costAdd({ feature: 'f1', amount: 0.1, operation: 'o' });
    await right.store.claim({ feature: 'f2', worker: 'b' });
    await right.store.costAdd({ feature: 'f2', amount: 0.2, operation: 'o' });
    await right.store.checkpointCreate({ name: 'evening' });
    await one.store.sync();
    expect(await two.store.sync()).toMatchObject({ pulled: 2, pushed: 3, replayed: 3, rejected: [] });
    await one.store.sync();
    expect(tipOf(one.repository)).toBe(tipOf(two.repository));
    expect(subjects(one.repository).slice(0, 5)).toEqual([
      'create checkpoint evening',
      'add cost 0.2 to f2',
      'claim f2 for b',
      'add cost 0.1 to f1',
      'claim f1 for a',
    ]);
    expect((await two.store.status()).costs.total).toBe(0.3);
    // The tag that was made offline stands on the commit that everybody has.
    expect(two.repository.git('merge-base', '--is-ancestor', 'gitstate/s/evening', 'gitstate')).toBe('');
    expect(one.repository.git('rev-parse', 'gitstate/s/evening')).toBe(
      two.repository.git('rev-parse', 'gitstate/s/evening'),
    );
    await expectSound(one.repository);
  });

  it('that no longer applies is reported with the reason and kept', async () => {
    const one = await makeShared(['f1']);
    const two = await cloneOf(one.server.path);
    await two.store.sync();
    const away = await offline(two);
    const { token } = await away.store.claim({ feature: 'f1', worker: 'b' });
    await away.store.complete({ token: token! });
    await away.store.note({ message: 'still counts' });
    await one.store.claim({ feature: 'f1', worker: 'a' });
    const { rejected, replayed, kept } = await two.store.sync();
    expect(replayed).toBe(1);
    expect(rejected).toMatchObject([
      { op: 'feature.claim', feature: 'f1', code: 'ALREADY_CLAIMED', message: /claimed by 'a'/ },
      { op: 'feature.complete', feature: 'f1', code: 'STALE_TOKEN' },
    ]);
    expect(kept).toEqual(rejected.map(({ id }) => id).sort());
    expect(
      two.repository.git('for-each-ref', '--format=%(contents:subject)', 'refs/gitstate/rejected'),
    ).toMatch(/rejected: claim f1 for b/);
    expect(subjects(one.server)[0]).toBe('note: still counts');
  });

  it('that was rejected can be tried again, or dropped', async () => {
    const one = await makeShared(['f1']);
    const two = await cloneOf(one.server.path);
    await two.store.sync();
    const away = await offline(two);
    await away.store.claim({ feature: 'f1', worker: 'b' });
    const { token } = await one.store.claim({ feature: 'f1', worker: 'a' });
    const [first] = (await two.store.sync()).rejected;
    expect((await two.store.sync({ retry: [first!.id] })).rejected).toMatchObject([
      { code: 'ALREADY_CLAIMED' },
    ]);
    await one.store.release({ feature: 'f1', token: token! });
    expect(await two.store.sync({ retry: ['all'] })).toMatchObject({ rejected: [], kept: [], replayed: 1 });
    expect((await one.store.sync()).pulled).toBe(1);
    expect((await one.store.show({ feature: 'f1' })).worker_id).toBe('b');
    expect(await codeOf(two.store.sync({ drop: [first!.id] }))).toBe('COMMIT_NOT_FOUND');
  });

  it('is told by doctor while it waits, and after it was rejected', async () => {
    const one = await makeShared(['f1']);
    const two = await cloneOf(one.server.path);
    await two.store.sync();
    const remoteCheck = async () => (await two.store.doctor()).checks.find(({ name }) => name === 'remote');
    expect(await remoteCheck()).toMatchObject({ ok: true, detail: /'origin' answers/ });
    const away = await offline(two);
    await away.store.claim({ feature: 'f1', worker: 'b' });
    expect(await remoteCheck()).toMatchObject({ ok: false, detail: /1 commits wait for a push/ });
    await one.store.claim({ feature: 'f1', worker: 'a' });
    await two.store.sync();
    expect(await remoteCheck()).toMatchObject({ ok: false, detail: /1 rejected operations are kept/ });
    two.repository.git('remote', 'set-url', 'origin', 'git://127.0.0.1:1/nowhere');
    expect(await remoteCheck()).toMatchObject({ ok: false, detail: /REMOTE_UNREACHABLE/ });
  });

  it('stops a write to the server until sync has settled it', async () => {
    const one = await makeShared(['f1']);
    const two = await cloneOf(one.server.path);
    await two.store.sync();
    const away = await offline(two);
    await away.store.claim({ feature: 'f1', worker: 'b' });
    await one.store.claim({ feature: 'f1', worker: 'a' });
    await expect(two.store.note({ message: 'x' })).rejects.toMatchObject({
      code: 'REMOTE_DIVERGED',
      hint: /git state sync/,
      details: { rejected: [{ op: 'feature.claim' }] },
    });
    await two.store.sync({});
    expect((await two.store.note({ message: 'x' })).durability).toBe('remote');
  });

  it('puts no whole state over what it has not seen', async () => {
    const one = await makeShared(['f1', 'f2']);
    await one.store.checkpointCreate({ name: 'start' });
    const two = await cloneOf(one.server.path);
    await two.store.sync();
    const away = await offline(two);
    await away.store.update({ feature: 'f1', name: 'renamed' });
    await away.store.restore({ point: 'start' });
    await one.store.claim({ feature: 'f2', worker: 'a' });
    const { rejected, replayed } = await two.store.sync();
    expect(replayed).toBe(1);
    expect(rejected).toMatchObject([{ op: 'state.restore', code: 'CONFLICT' }]);
    expect((await one.store.sync()).pulled).toBe(1);
    expect((await one.store.show({ feature: 'f2' })).worker_id).toBe('a');
  });
});

describe('a branch of the server that was', () => {
  it('rewound is named, never followed, and taken only with its tip', async () => {
    const one = await makeShared(['f1']);
    await one.store.note({ message: 'kept' });
    const [tip, back] = [tipOf(one.server), one.server.git('rev-parse', 'gitstate~2')];
    one.server.git('update-ref', 'refs/heads/gitstate', back);
    const refused = { code: 'REMOTE_DIVERGED', details: { local: tip, remote: back } };
    await expect(one.store.claim({ worker: 'a' })).rejects.toMatchObject(refused);
    await expect(one.store.sync()).rejects.toMatchObject(refused);
    expect(tipOf(one.repository)).toBe(tip);
    expect(await codeOf(one.store.sync({ adoptRemote: tip }))).toBe('REMOTE_DIVERGED');
    expect(await one.store.sync({ adoptRemote: back })).toMatchObject({ pushed: 2, rejected: [] });
    expect(tipOf(one.server)).toBe(tip);
    expect(one.repository.git('rev-parse', `refs/gitstate/rejected/${tip}`)).toBe(tip);
  });

  it('replaced by another line gets ours on top', async () => {
    const one = await makeShared(['f1']);
    const base = tipOf(one.server);
    await one.store.note({ message: 'ours' });
    const two = await cloneOf(one.server.path);
    two.repository.git('update-ref', 'refs/heads/gitstate', base);
    const away = await offline(two);
    await away.store.note({ message: 'theirs' });
    two.repository.git('push', '-q', '--force', 'origin', 'gitstate');
    await expect(one.store.note({ message: 'more' })).rejects.toMatchObject({ code: 'REMOTE_DIVERGED' });
    const { replayed } = await one.store.sync({ adoptRemote: tipOf(one.server) });
    expect(replayed).toBe(1);
    expect(subjects(one.server).slice(0, 2)).toEqual(['note: ours', 'note: theirs']);
  });

  it('deleted is never made anew by itself', async () => {
    const one = await makeShared(['f1']);
    const tip = tipOf(one.server);
    one.server.git('update-ref', '-d', 'refs/heads/gitstate');
    await expect(one.store.note({ message: 'x' })).rejects.toMatchObject({
      code: 'REMOTE_DIVERGED',
      details: { remote: null },
    });
    expect(one.server.git('for-each-ref', 'refs/heads/gitstate')).toBe('');
    await one.store.sync({ adoptRemote: '0'.repeat(40) });
    expect(tipOf(one.server)).toBe(tip);
  });
});

describe('facts with gitstate.pushInterval', () => {
  it('wait for the next push that decides something', async () => {
    const shared = await makeShared(['f']);
    shared.repository.git('config', 'gitstate.pushInterval', '1h');
    const { store, network } = await openClone(shared.repository);
    const { durability } = await store.note({ message: 'first' });
    await store.costAdd({ feature: 'f', amount: 1, operation: 'o' });
    expect(durability).toBe('local');
    expect(network()).toEqual([]);
    expect((await store.claim({ worker: 'a' })).durability).toBe('remote');
    expect(network()).toEqual(['push']);
    expect(tipOf(shared.server)).toBe(tipOf(shared.repository));
  });

  it('do not wait longer than that', async () => {
    const shared = await makeShared(['f']);
    shared.repository.git('config', 'gitstate.pushInterval', '1m');
    const { store, env } = await openClone(shared.repository);
    expect((await store.note({ message: 'first' })).durability).toBe('local');
    env.offsetMs = 61_000;
    expect((await store.note({ message: 'second' })).durability).toBe('remote');
  });

  it('are put on top of what others did meanwhile', async () => {
    const shared = await makeShared(['f1', 'f2']);
    shared.repository.git('config', 'gitstate.pushInterval', '1h');
    const { store } = await openClone(shared.repository);
    await store.note({ message: 'mine' });
    const other = await cloneOf(shared.server.path);
    await other.store.claim({ worker: 'b' });
    await store.claim({ worker: 'a' });
    expect(subjects(shared.server).slice(0, 3)).toEqual(['claim f2 for a', 'note: mine', 'claim f1 for b']);
  });
});
