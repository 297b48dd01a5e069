import { expect, test } from 'vitest';
import { type Clone, cloneOf, makeServer, makeShared, openClone } from '../support/clones.ts';
import { expectSound } from '../support/oracle.ts';
import { runGit, type TestRepository } from '../support/repo.ts';
import { addFeatures, codeOf } from '../support/store.ts';

/** One clone seals, the others follow; nobody can bring the old line back. */

const branch = 'refs/heads/gitstate';
const epoch = 'refs/gitstate/epochs/1';

const has = ({ repository }: Clone, oid: string) => {
  try {
    repository.git('cat-file', '-e', oid);
    return true;
  } catch {
    return false;
  }
};

async function subjectsOf({ store }: Clone): Promise<string[]> {
  const found: string[] = [];
  for await (const { subject } of store.log({ all: true })) found.push(subject);
  return found;
}

async function refusalOf(
  promise: Promise<unknown>,
): Promise<{ code: string; message: string; hint: string }> {
  return promise.then(
    () => Promise.reject(new Error('it was not refused')),
    (error) => error,
  );
}

const forge = (server: TestRepository, oid: string) => server.git('update-ref', branch, oid);

test('a seal is one push of branch and epoch, after what was not pushed yet', async () => {
  const { server, store, repository, network } = await makeShared(['a']);
  const offline = await cloneOf(server.path, { offline: true });
  await offline.store.note({ message: 'made offline' });
  const online = await cloneOf(server.path);
  await online.store.note({ message: 'made by others' });
  network();
  const { commit, tip, durability } = await store.seal();
  expect(durability).toBe('remote');
  // A probe, the seal, the end of the probe.
  expect(network().filter((name) => name === 'push')).toEqual(['push', 'push', 'push']);
  expect(server.git('for-each-ref', '--format=%(refname)', 'refs/gitstate/epochs')).toBe(epoch);
  expect(server.git('rev-parse', branch, epoch)).toBe(`${commit}\n${tip}`);
  expect(server.git('log', '-1', '--format=%s', epoch)).toBe('note: made by others');
  expect(repository.git('rev-parse', branch, epoch)).toBe(`${commit}\n${tip}`);
});

test('operations that were waiting are in the epoch that is sealed', async () => {
  const { server } = await makeShared(['a']);
  const other = await cloneOf(server.path);
  await other.store.sync();
  const waiting = await cloneOf(server.path, { offline: true });
  await waiting.store.note({ message: 'waiting' });
  await waiting.store.close();
  const online = await openClone(waiting.repository);
  await online.store.seal();
  expect(server.git('log', '-1', '--format=%s', epoch)).toBe('note: waiting');
  await other.store.note({ message: 'after' });
  expect(await subjectsOf(other)).toContain('note: waiting');
});

test('the other clones follow by themselves, and their claims go on', async () => {
  const { server, store } = await makeShared(['a', 'b']);
  const other = await cloneOf(server.path);
  const { token } = await other.store.claim({ feature: 'a', worker: 'W' });
  const before = other.repository.git('rev-parse', branch);
  const { commit, tip } = await store.seal();
  await other.store.heartbeat({ feature: 'a', token: token! });
  await other.store.complete({ feature: 'a', token: token! });
  expect(other.repository.git('rev-list', '--max-parents=0', branch)).toBe(commit);
  // What led to the root came along, so that the log has no gap.
  expect(other.repository.git('rev-parse', epoch)).toBe(tip);
  expect(tip).toBe(before);
  expect((await subjectsOf(other))[0]).toBe('complete a');
  expect(server.git('rev-list', '--count', branch)).toBe('2');
  for (const clone of [other]) await expectSound(clone.repository);
});

test('a clone that slept through several seals follows, and puts its own on top', async () => {
  const { server, store } = await makeShared(['a', 'b']);
  const sleeper = await cloneOf(server.path, { offline: true });
  await sleeper.store.note({ message: 'in my sleep' });
  await sleeper.store.claim({ feature: 'b', worker: 'S' });
  await sleeper.store.close();
  for (const message of ['one', 'two', 'three']) {
    await store.note({ message });
    await store.seal();
  }
  const awake = await openClone(sleeper.repository);
  expect(await awake.store.sync()).toMatchObject({ rejected: [], replayed: 2, pushed: 2 });
  expect(await subjectsOf(awake)).toEqual(
    expect.arrayContaining(['claim b for S', 'note: in my sleep', 'note: one', 'note: three', 'init store']),
  );
  expect(server.git('rev-list', '--count', branch)).toBe('3');
  await expectSound(awake.repository);
});

test('a stale clone cannot bring the old line back', async () => {
  const { server, store } = await makeShared(['a']);
  const stale = await cloneOf(server.path);
  await stale.store.note({ message: 'seen' });
  const old = stale.repository.git('rev-parse', branch);
  await store.sync();
  const { commit } = await store.seal();
  // Neither Git's own push nor ours, which is conditioned on what it last saw.
  expect(() => stale.repository.git('push', '-q', 'origin', 'gitstate')).toThrow();
  expect(server.git('rev-parse', branch)).toBe(commit);
  await stale.store.note({ message: 'still here' });
  expect(server.git('rev-list', '--max-parents=0', branch)).toBe(commit);
  expect(server.git('rev-parse', epoch)).toBe(old);
});

test('a root that is no seal, keeps other files, or leaves out what was seen is not followed', async () => {
  const { server, store, repository } = await makeShared(['a']);
  const other = await cloneOf(server.path);
  await other.store.note({ message: 'seen' });
  const seen = other.repository.git('rev-parse', branch);
  const { commit } = await store.seal();
  const root = server.git('cat-file', 'commit', commit!);
  const make = (text: string) =>
    server.gitWithInput(`${text}\n`, 'hash-object', '-t', 'commit', '-w', '--stdin');
  // By hand, with the very same files.
  forge(server, runGit(server.path, ['commit-tree', '-m', 'squash', `${commit}^{tree}`]));
  expect(await codeOf(other.store.note({ message: 'x' }))).toBe('REMOTE_DIVERGED');
  // Other files.
  const tree = server.git('rev-parse', `${seen}~2^{tree}`);
  forge(server, make(root.replace(/^tree .*/, `tree ${tree}`)));
  expect(await codeOf(other.store.note({ message: 'x' }))).toBe('REMOTE_DIVERGED');
  // A seal of an older commit: what was seen is not in it.
  const args = root.replaceAll(seen, `${server.git('rev-parse', `${seen}~1`)}`);
  server.git('update-ref', epoch, `${seen}~1`);
  forge(server, make(args));
  expect(await codeOf(other.store.note({ message: 'x' }))).toBe('REMOTE_DIVERGED');
  expect(other.repository.git('rev-parse', branch)).toBe(seen);
  // The real one is.
  server.git('update-ref', epoch, seen);
  forge(server, commit!);
  expect(await codeOf(other.store.note({ message: 'x' }))).toBe(null);
  expect(repository.git('rev-parse', epoch)).toBe(seen);
});

test('a fresh clone claims without the sealed history, and fetches it when it is asked for', async () => {
  const { server, store } = await makeShared(['a', 'b']);
  for (let at = 0; at < 20; at += 1) await store.note({ message: `note ${at}` });
  await store.add({ feature: 'c', opId: 'once' });
  const { tip, commit } = await store.seal();
  const fresh = await cloneOf(`file://${server.path}`);
  expect(has(fresh, tip!)).toBe(false);
  expect((await fresh.store.claim({ feature: 'a', worker: 'W' })).token).toMatch(/^1-/);
  expect(has(fresh, tip!)).toBe(false);
  expect((await subjectsOf(fresh)).length).toBe(2);
  expect(await fresh.store.verify({ epochs: false })).toMatchObject({
    ok: true,
    commits: 2,
    behind: { epoch: 1, here: false },
  });
  // An operation id may stand in it.
  expect(await fresh.store.add({ feature: 'c', opId: 'once' })).toMatchObject({ changed: false });
  expect(has(fresh, tip!)).toBe(true);
  const another = await cloneOf(`file://${server.path}`);
  expect(await another.store.verify({ epochs: true })).toMatchObject({ ok: true, behind: null });
  expect(another.repository.git('rev-list', '--max-parents=0', 'refs/remotes/origin/gitstate')).toBe(commit);
});

test('a host that refuses refs/gitstate/* keeps its branch as it is', async () => {
  const { server, store, repository } = await makeShared(['a']);
  const before = server.git('rev-parse', branch);
  server.git('config', 'receive.hideRefs', 'refs/gitstate/epochs');
  const refused = await refusalOf(store.seal());
  expect(refused).toMatchObject({ code: 'REMOTE_REJECTED', hint: /refs\/gitstate\/epochs/ });
  expect([server, repository].map((one) => one.git('rev-parse', branch))).toEqual([before, before]);
  server.git('config', '--unset', 'receive.hideRefs');
  server.git('config', 'receive.denyNonFastForwards', 'true');
  expect(await refusalOf(store.seal())).toMatchObject({ code: 'REMOTE_REJECTED', message: /forward only/ });
  expect([server, repository].map((one) => one.git('rev-parse', branch))).toEqual([before, before]);
  repository.git('config', 'gitstate.leases', 'branch');
  const without = await openClone(repository);
  expect(await refusalOf(without.store.seal())).toMatchObject({ code: 'REMOTE_REJECTED' });
  const offline = await openClone(repository, { offline: true });
  expect(await codeOf(offline.store.seal())).toBe('USAGE');
});

test('a store that was sealed before it was shared brings its epochs along', async () => {
  const server = makeServer();
  const { store, repository, ...clone } = await cloneOf(server.path, { offline: true });
  await store.init();
  await store.sessionStart({ session: 's' });
  await addFeatures(store, ['a']);
  await store.seal();
  await store.note({ message: 'two' });
  await store.seal();
  await store.close();
  const shared = await openClone(repository);
  await shared.store.sync();
  expect(server.git('for-each-ref', '--format=%(refname)', 'refs/gitstate/epochs')).toBe(
    'refs/gitstate/epochs/1\nrefs/gitstate/epochs/2',
  );
  expect(clone.network()).toEqual([]);
});
