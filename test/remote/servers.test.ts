import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { beforeAll, expect, test } from 'vitest';
import { execute } from '../support/cli.ts';
import { makeRepository, type TestRepository, temporaryDirectory } from '../support/repo.ts';
import { daemonMissing } from '../support/servers/daemon.ts';
import { hangPushes, protectRef, refusePushes, setHook } from '../support/servers/hooks.ts';
import { type HttpServer, httpMissing, startHttp } from '../support/servers/http.ts';
import {
  cloneServed,
  commitIn,
  git,
  gitOk,
  kindOf,
  kinds,
  type Served,
  serve,
} from '../support/servers/kinds.ts';
import { addBareRepository } from '../support/servers/path.ts';
import { describeServer, settingsEnvironment } from '../support/servers/server.ts';
import { sshMissing, startSsh } from '../support/servers/ssh.ts';

/** The servers that the tests of remotes talk to do what a host does, with plain Git. */

for (const kind of kinds) {
  describeServer(kind.name, kind.missing, () => {
    let served: Served;
    beforeAll(async () => {
      served = await serve(kind);
    });

    test('takes a clone and a push, and refuses a push that is no fast-forward', async () => {
      const { bare, env } = served;
      const [first, second] = await Promise.all([cloneServed(served), cloneServed(served)]);
      const won = await commitIn(first, 'first');
      await commitIn(second, 'second');
      expect(await git(first, ['push', 'origin', 'main'], env)).toMatchObject({ status: 0 });
      expect(bare.git('rev-parse', 'main')).toBe(won);
      const lost = await git(second, ['push', '--porcelain', 'origin', 'main'], env);
      expect(lost.status).toBe(1);
      expect(lost.stdout).toContain('[rejected] (fetch first)');
      expect(bare.git('rev-parse', 'main')).toBe(won);
    });

    test('gives shallow and partial clones, and speaks protocol 2', async () => {
      const shallow = await cloneServed(served, '--depth=1', '--no-local', '--no-tags', '--filter=blob:none');
      expect(await gitOk(shallow, ['rev-list', '--count', 'HEAD'])).toBe('1');
      const { stderr } = await git(shallow, ['ls-remote'], { ...served.env, GIT_TRACE_PACKET: '1' });
      expect(stderr).toMatch(/< version 2/);
    });

    test('takes a push under the hostile settings of the tests', async () => {
      const path = await cloneServed(served);
      const args = [
        '-c',
        'core.hooksPath=/dev/null',
        'push',
        '--no-verify',
        served.url,
        'HEAD:refs/heads/hostile',
      ];
      const { status, stderr } = await execute('git', args, { cwd: path, env: served.env });
      expect({ status, stderr }).toMatchObject({ status: 0 });
    });

    test('refuses what its hooks refuse, in their words', async () => {
      const { bare, env } = served;
      const path = await cloneServed(served);
      protectRef(bare.path, 'refs/heads/protected');
      const one = await git(path, ['push', 'origin', 'HEAD:protected', 'HEAD:free'], env);
      expect(one.stderr).toContain('GH006: Protected branch update failed for refs/heads/protected');
      expect(bare.git('for-each-ref', '--format=%(refname)', 'refs/heads/free', 'refs/heads/protected')).toBe(
        'refs/heads/free',
      );
      refusePushes(bare.path, 'the disk is full');
      const all = await git(path, ['push', 'origin', 'HEAD:other'], env);
      expect(all.stderr).toContain('the disk is full');
      expect([one.status, all.status]).toEqual([1, 1]);
      setHook(bare.path, 'pre-receive', 'exit 0');
    });
  });
}

describeServer('sshd and strangers', sshMissing, () => {
  test('a key that it does not know is refused without a question', async () => {
    const folder = temporaryDirectory();
    addBareRepository(folder);
    const server = await startSsh(folder);
    const { status, stderr } = await git(
      folder,
      ['ls-remote', server.url('repository.git')],
      server.strangerEnv,
    );
    expect({ status, stderr }).toMatchObject({
      status: 128,
      stderr: expect.stringContaining('Permission denied'),
    });
  });
});

describeServer('HTTP and strangers', httpMissing, () => {
  let server: HttpServer;
  let bare: TestRepository;
  beforeAll(async () => {
    const folder = temporaryDirectory();
    bare = addBareRepository(folder);
    server = await startHttp(folder);
  });

  test('everybody may clone, and only who knows the password may push', async () => {
    const url = server.url('repository.git');
    const path = await cloneServed({ url, env: {} });
    await commitIn(path);
    const refused = await git(path, ['push', 'origin', 'HEAD']);
    expect(refused).toMatchObject({
      status: 128,
      stderr: expect.stringContaining('could not read Username'),
    });
    const { settings } = server.access('repository.git', 'header');
    expect(await git(path, ['push', 'origin', 'HEAD'], settingsEnvironment(settings))).toMatchObject({
      status: 0,
    });
    const wrong = url.replace('//', '//worker:guess@');
    expect(await git(path, ['push', wrong, 'HEAD:x'])).toMatchObject({
      status: 128,
      stderr: expect.stringContaining('Authentication failed'),
    });
  });

  test('takes a pack that is larger than what Git sends in one piece', async () => {
    const source = makeRepository();
    source.write('large', randomBytes(5 * 2 ** 20).toString('latin1'));
    const oid = source.commit();
    const { url } = server.access('repository.git', 'userinfo');
    const { status, stderr } = await git(source.path, ['push', url, 'HEAD:large'], { GIT_CURL_VERBOSE: '1' });
    expect(status).toBe(0);
    expect(stderr).toMatch(/Transfer-Encoding: chunked/i);
    expect(bare.git('rev-parse', 'large')).toBe(oid);
  });
});

describeServer('servers that are hung or gone', daemonMissing, () => {
  test('a push waits for a hook that hangs until the server is stopped, and then the server is gone', async () => {
    const served = await serve(kindOf('git daemon'));
    const path = await cloneServed(served);
    await commitIn(path);
    const before = served.bare.git('rev-parse', 'main');
    const sign = hangPushes(served.bare.path);
    const push = git(path, ['push', 'origin', 'main']);
    await expect.poll(() => existsSync(sign)).toBe(true);
    await served.server.stop();
    expect((await push).status).toBeGreaterThan(0);
    expect(served.bare.git('rev-parse', 'main')).toBe(before);
    expect(await git(path, ['ls-remote'])).toMatchObject({
      status: 128,
      stderr: expect.stringContaining('Connection refused'),
    });
  });
});
