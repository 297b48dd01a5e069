import { expect, test } from 'vitest';
import { daemonMissing } from '../support/servers/daemon.ts';
import { always, cutEvery, type Fault, firstOf, noFault, swallowAnswer } from '../support/servers/faults.ts';
import { type GatewayFault, startGateway } from '../support/servers/gateway.ts';
import { httpMissing } from '../support/servers/http.ts';
import { cloneServed, commitIn, git, kindOf, kinds, serve, through } from '../support/servers/kinds.ts';
import { startProxy } from '../support/servers/proxy.ts';
import { describeServer } from '../support/servers/server.ts';

/** The proxy and the gateway do to plain Git what their names say. */

/** A clone through a proxy, with a commit that is not pushed yet. */
async function behindProxy(kindName: string, seed = 1) {
  const served = await serve(kindOf(kindName));
  const proxy = await startProxy({ port: served.server.port! }, { seed });
  const { url, env } = through(served, proxy);
  const path = await cloneServed({ url, env });
  const oid = await commitIn(path);
  const push = (...flags: string[]) => git(path, [...flags, 'push', 'origin', 'main'], env);
  return { ...served, proxy, path, oid, push };
}

for (const { name, missing } of kinds.filter((kind) => kind.network)) {
  describeServer(`a proxy in front of ${name}`, missing, () => {
    test('swallows the answer to a push that the server has taken', async () => {
      const { bare, proxy, push, oid } = await behindProxy(name);
      proxy.plan = swallowAnswer(bare.path, 'refs/heads/main');
      expect((await push()).status).toBeGreaterThan(0);
      expect(bare.git('rev-parse', 'main')).toBe(oid);
      const swallowed = proxy.connections.filter(({ fault }) => fault?.kind === 'swallow');
      expect(swallowed).toMatchObject([{ end: 'struck' }]);
      expect(await push()).toMatchObject({ status: 0, stderr: expect.stringContaining('up-to-date') });
    });
  });
}

describeServer('a proxy in front of git daemon', daemonMissing, () => {
  const cut = (direction: 'request' | 'answer', afterBytes: number): Fault => ({
    kind: 'cut',
    direction,
    afterBytes,
  });

  test('counts connections, bytes and round trips', async () => {
    const { proxy, path, env } = await behindProxy('git daemon');
    const before = proxy.connections.length;
    await git(path, ['-c', 'protocol.version=0', 'ls-remote'], env);
    await expect
      .poll(() => proxy.connections.slice(before))
      .toMatchObject([{ number: before + 1, fault: null, end: 'closed', roundTrips: 2 }]);
    const { requestBytes, answerBytes } = proxy.connections.at(-1)!;
    // The line of the request with host and port, and a flush.
    expect(requestBytes).toBe(
      `0000git-upload-pack /repository.git\0host=127.0.0.1:${proxy.port}\0`.length + 4,
    );
    expect(answerBytes).toBeGreaterThan(100);
  });

  test.each(['request', 'answer'] as const)('cuts at a byte of the %s', async (direction) => {
    const { bare, proxy, push, oid } = await behindProxy('git daemon');
    const before = bare.git('rev-parse', 'main');
    proxy.plan = firstOf(noFault, always(cut(direction, 100)));
    expect((await push()).status).toBeGreaterThan(0);
    expect(bare.git('rev-parse', 'main')).toBe(before);
    expect(proxy.connections.at(-1)).toMatchObject({ end: 'struck', [`${direction}Bytes`]: 100 });
    proxy.plan = noFault;
    expect(await push()).toMatchObject({ status: 0 });
    expect(bare.git('rev-parse', 'main')).toBe(oid);
  });

  test('has the same faults for the same seed, and others for another', async () => {
    const faults = async (seed: number) => {
      const { proxy, path } = await behindProxy('git daemon', seed);
      proxy.plan = cutEvery(2, { reach: 400 });
      for (let run = 0; run < 6; run += 1) await git(path, ['ls-remote']);
      return proxy.connections.map(({ fault }) => fault);
    };
    const [first, again, other] = [await faults(1), await faults(1), await faults(2)];
    expect(first.filter((fault) => fault !== null)).toHaveLength(3);
    expect(again).toEqual(first);
    expect(other).not.toEqual(first);
  });

  test('delays every piece', async () => {
    const { proxy, push } = await behindProxy('git daemon');
    proxy.plan = always({ kind: 'delay', ms: 40 });
    const before = performance.now();
    expect(await push()).toMatchObject({ status: 0 });
    // A timer may be early by a millisecond.
    expect(performance.now() - before).toBeGreaterThan(4 * 39);
  });

  test('resets a connection, or takes it and never answers', async () => {
    const { proxy, path, push } = await behindProxy('git daemon');
    proxy.plan = always({ kind: 'refuse' });
    expect((await push()).status).toBe(128);
    proxy.plan = always({ kind: 'black-hole' });
    const before = proxy.connections.length;
    const hung = git(path, ['ls-remote']);
    await expect.poll(() => proxy.connections.length).toBe(before + 1);
    expect(await Promise.race([hung, new Promise((resolve) => setTimeout(resolve, 200, 'hung'))])).toBe(
      'hung',
    );
    await proxy.stop();
    expect((await hung).status).toBe(128);
  });
});

describeServer('a gateway in front of HTTP', httpMissing, () => {
  async function behindGateway(fault: GatewayFault) {
    const served = await serve(kindOf('HTTP with a header'));
    const gateway = await startGateway(null, { port: served.server.port! });
    const { url, env } = through(served, gateway);
    const path = await cloneServed({ url, env });
    const oid = await commitIn(path);
    gateway.fault = fault;
    const push = () => git(path, ['push', 'origin', 'main'], env);
    const fetch = () => git(path, ['fetch'], env);
    return { ...served, gateway, push, fetch, oid };
  }

  test.each([
    [403, 'error: 403'],
    [500, 'error: 500'],
    [401, 'could not read Username'],
  ])('answers pushes with %i and lets fetches through', async (status, words) => {
    const { bare, push, fetch, oid } = await behindGateway({ kind: 'status', status, where: 'push' });
    expect(await push()).toMatchObject({ status: 128, stderr: expect.stringContaining(words) });
    expect(bare.git('rev-parse', 'main')).not.toBe(oid);
    expect(await fetch()).toMatchObject({ status: 0 });
  });

  test('loses the answer to a push that the server has taken', async () => {
    const fault: GatewayFault = { kind: 'lost-answer', status: 504, where: 'pack' };
    const { bare, push, oid } = await behindGateway(fault);
    const { status, stderr } = await push();
    expect({ status, stderr }).toMatchObject({ status: 1, stderr: expect.stringContaining('504') });
    expect(bare.git('rev-parse', 'main')).toBe(oid);
  });

  test('repeats a push, so that one that landed looks refused', async () => {
    const { bare, push, oid } = await behindGateway({ kind: 'repeat', where: 'pack' });
    const { status, stderr } = await push();
    expect({ status, stderr }).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('[remote rejected]'),
    });
    expect(bare.git('rev-parse', 'main')).toBe(oid);
  });

  test('hangs, with no server behind it', async () => {
    const gateway = await startGateway({ kind: 'hang', where: 'all' });
    const url = `http://127.0.0.1:${gateway.port}/any.git`;
    const hung = git('/', ['ls-remote', url]);
    expect(await Promise.race([hung, new Promise((resolve) => setTimeout(resolve, 300, 'hung'))])).toBe(
      'hung',
    );
    await gateway.stop();
    expect((await hung).status).toBe(128);
  });
});
