import { describe, expect, test } from 'vitest';
import { type Clone, openClone } from '../support/clones.ts';
import { expectSound } from '../support/oracle.ts';
import { repositoryAt } from '../support/repo.ts';
import { daemonMissing } from '../support/servers/daemon.ts';
import { always, cutEvery, noFault, swallowAnswer } from '../support/servers/faults.ts';
import { type GatewayFault, startGateway } from '../support/servers/gateway.ts';
import { hangPushes, protectRef } from '../support/servers/hooks.ts';
import { httpMissing } from '../support/servers/http.ts';
import { cloneServed, kindOf, kinds, type Served, serve, through } from '../support/servers/kinds.ts';
import { type Proxy as FaultyProxy, startProxy } from '../support/servers/proxy.ts';
import { describeServer } from '../support/servers/server.ts';
import { addFeatures, codeOf } from '../support/store.ts';

/** Connections that die, servers that hang or refuse: nothing is lost, nothing is done twice, nothing waits for ever. */

const branch = 'refs/heads/gitstate';

interface Behind extends Clone {
  served: Served;
  proxy: FaultyProxy;
}

async function behindProxy(kind: string, { seed = 1, timeout = '20s' } = {}): Promise<Behind> {
  const served = await serve(kindOf(kind));
  const proxy = await startProxy({ port: served.server.port! }, { seed });
  const moved = through(served, proxy);
  const repository = repositoryAt(await cloneServed(moved));
  repository.git('config', 'gitstate.remoteTimeout', timeout);
  const clone = await openClone(repository, { variables: moved.env });
  await clone.store.init();
  await clone.store.sessionStart({ session: 's' });
  await addFeatures(clone.store, ['f1', 'f2']);
  return { ...clone, served, proxy };
}

const operations = ({ bare }: Served) => bare.git('log', '--format=%s', branch).split('\n');
const refsOf = ({ repository }: Clone) => repository.git('for-each-ref');

for (const { name, missing } of kinds.filter((kind) => kind.network)) {
  describeServer(`a lost answer of ${name}`, missing, () => {
    test('is found out: the operation stands once, and its caller hears of it', async () => {
      const { store, served, proxy, repository } = await behindProxy(name);
      proxy.plan = swallowAnswer(served.bare.path, branch);
      const { commit, token } = await store.claim({ worker: 'a' });
      expect(proxy.connections.filter(({ fault }) => fault?.kind === 'swallow')).not.toEqual([]);
      expect(served.bare.git('rev-parse', branch)).toBe(commit);
      expect(operations(served).filter((subject) => subject === 'claim f1 for a')).toHaveLength(1);
      await store.complete({ token: token! });
      await expectSound(repository);
    });
  });
}

describeServer('a server that is there again later', daemonMissing, () => {
  test('tells by its history what became of an operation whose outcome was unknown', async () => {
    const { store, served, proxy } = await behindProxy('git daemon');
    const swallow = swallowAnswer(served.bare.path, branch);
    // The answer is lost, and after that nobody answers any more.
    proxy.plan = (number, random) => swallow(number, random) ?? { kind: 'refuse' };
    const error = await store.claim({ worker: 'a', opId: 'op-1' }).catch((thrown) => thrown);
    expect(error).toMatchObject({ code: 'OUTCOME_UNKNOWN', hint: /--op-id op-1/, retryable: true });
    proxy.plan = noFault;
    const again = await store.claim({ worker: 'a', opId: 'op-1' });
    expect(again).toMatchObject({ changed: false, token: expect.stringMatching(/^1-/) });
    expect(operations(served).filter((subject) => subject.startsWith('claim'))).toHaveLength(1);
    await store.complete({ token: again.token! });
  });
});

describeServer('a connection cut at a random byte', daemonMissing, () => {
  test('loses nothing and doubles nothing', async () => {
    const clone = await behindProxy('git daemon', { seed: 7 });
    const { store, proxy, served } = clone;
    proxy.plan = cutEvery(3);
    const wanted = Array.from({ length: 30 }, (_, n) => `note ${n}`);
    const unknown: string[] = [];
    for (const message of wanted) {
      for (;;) {
        const code = await codeOf(store.note({ message, opId: message.replace(' ', '-') }));
        if (code === null) break;
        unknown.push(code);
        expect(code).toMatch(/^(OUTCOME_UNKNOWN|REMOTE_UNREACHABLE)$/);
      }
    }
    const struck = proxy.connections.filter(({ end }) => end === 'struck');
    expect(struck.length).toBeGreaterThan(5);
    const notes = operations(served).filter((subject) => subject.startsWith('note: '));
    expect(notes.reverse()).toEqual(wanted.map((message) => `note: ${message}`));
    proxy.plan = noFault;
    await store.sync();
    await expectSound(clone.repository);
  });
});

describeServer('a server that does not answer', daemonMissing, () => {
  test('is given up after the time that was set', async () => {
    const clone = await behindProxy('git daemon', { timeout: '1s' });
    const refs = refsOf(clone);
    clone.proxy.plan = always({ kind: 'black-hole' });
    expect(await codeOf(clone.store.claim({ worker: 'a' }))).toMatch(
      /^(OUTCOME_UNKNOWN|REMOTE_UNREACHABLE)$/,
    );
    expect(refsOf(clone)).toBe(refs);
    clone.proxy.plan = noFault;
    expect((await clone.store.claim({ worker: 'a' })).feature.id).toBe('f1');
  });

  test('in the middle of a push leaves the outcome open, and no second claim', async () => {
    const clone = await behindProxy('git daemon', { timeout: '1500ms' });
    hangPushes(clone.served.bare.path);
    expect(await codeOf(clone.store.claim({ worker: 'a' }))).toMatch(/^(OUTCOME_UNKNOWN|REMOTE_REJECTED)$/);
    expect(operations(clone.served).filter((subject) => subject.startsWith('claim'))).toEqual([]);
  });
});

describeServer('an answer of the web server', httpMissing, () => {
  const cases: [string, GatewayFault, RegExp][] = [
    ['401', { kind: 'status', status: 401, where: 'all' }, /^REMOTE_REJECTED$/],
    ['403', { kind: 'status', status: 403, where: 'all' }, /^REMOTE_REJECTED$/],
    ['404', { kind: 'status', status: 404, where: 'all' }, /^REMOTE_REJECTED$/],
    ['500', { kind: 'status', status: 500, where: 'all' }, /^REMOTE_UNREACHABLE$/],
    ['403 to the push alone', { kind: 'status', status: 403, where: 'push' }, /^REMOTE_REJECTED$/],
    ['500 to the pack alone', { kind: 'status', status: 500, where: 'pack' }, /^OUTCOME_UNKNOWN$/],
  ];
  test.each(cases)('%s is an error of its own, and nothing changes here', async (_name, fault, code) => {
    const served = await serve(kindOf('HTTP with a header'));
    const direct = repositoryAt(await cloneServed(served));
    const first = await openClone(direct, { variables: served.env });
    await first.store.init();
    await first.store.sessionStart({ session: 's' });
    const gateway = await startGateway(fault, { port: served.server.port! });
    const moved = through(served, gateway);
    direct.git('remote', 'set-url', 'origin', moved.url);
    const refs = direct.git('for-each-ref');
    const behind = await openClone(direct, { variables: moved.env });
    expect(await codeOf(behind.store.add({ feature: 'f' }))).toMatch(code);
    expect(direct.git('for-each-ref')).toBe(refs);
  });

  test('that repeats a push to the server does it once', async () => {
    const served = await serve(kindOf('HTTP with a header'));
    const gateway = await startGateway({ kind: 'repeat', where: 'push' }, { port: served.server.port! });
    const moved = through(served, gateway);
    const { store } = await openClone(repositoryAt(await cloneServed(moved)), { variables: moved.env });
    await store.init();
    await store.sessionStart({ session: 's' });
    await store.add({ feature: 'f' });
    expect(operations(served)).toEqual(['add f', 'start session s', 'init store']);
  });

  test('that asks for a password which nobody can type is refused at once', async () => {
    const served = await serve(kindOf('HTTP with a header'));
    const repository = repositoryAt(await cloneServed(served));
    const { store } = await openClone(repository);
    await expect(store.init()).rejects.toMatchObject({
      code: 'REMOTE_REJECTED',
      details: { reason: 'authentication' },
    });
  });
});

describe('a protected branch', () => {
  test('is named with the words of the server', async () => {
    const served = await serve(kindOf('a path'));
    const { store } = await openClone(repositoryAt(await cloneServed(served)), { variables: served.env });
    await store.init();
    protectRef(served.bare.path, branch);
    await expect(store.sessionStart({ session: 's' })).rejects.toMatchObject({ code: 'REMOTE_REJECTED' });
  });
});
