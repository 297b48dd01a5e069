import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { gitState } from '../support/cli.ts';
import { cloneOf, makeServer, makeShared, openClone } from '../support/clones.ts';
import { expectSound } from '../support/oracle.ts';
import { makeRepository, type TestRepository } from '../support/repo.ts';
import { codeOf, openTestStore } from '../support/store.ts';

const tipOf = (repository: TestRepository) => repository.git('rev-parse', 'refs/heads/gitstate');

describe('an operation through the remote', () => {
  it('counts once the server has it, and says so', async () => {
    const { store, repository, server } = await makeShared();
    const { commit, durability } = await store.add({ feature: 'f' });
    expect(durability).toBe('remote');
    expect(tipOf(server)).toBe(commit);
    expect(tipOf(repository)).toBe(commit);
    await expectSound(repository);
  });

  it('is decided again on what others did meanwhile', async () => {
    const { store, server } = await makeShared(['f1', 'f2']);
    const other = await cloneOf(server.path);
    expect((await other.store.claim({ worker: 'a' })).feature.id).toBe('f1');
    expect((await store.claim({ worker: 'b' })).feature.id).toBe('f2');
    expect(await codeOf(other.store.claim({ worker: 'c', feature: 'f2' }))).toBe('ALREADY_CLAIMED');
    expect(await codeOf(store.claim({ worker: 'c' }))).toBe('NOTHING_READY');
  });

  it('is refused on what the server holds, not on what was last seen of it', async () => {
    const { store, server } = await makeShared();
    const other = await cloneOf(server.path);
    expect(await codeOf(other.store.claim({ worker: 'a', feature: 'late' }))).toBe('FEATURE_NOT_FOUND');
    await store.add({ feature: 'late' });
    expect((await other.store.claim({ worker: 'a', feature: 'late' })).feature.id).toBe('late');
  });

  it('leaves this clone as it was where the server refuses it', async () => {
    const { store, repository, server } = await makeShared(['f']);
    const refs = repository.git('for-each-ref');
    writeFileSync(
      join(server.path, 'hooks', 'pre-receive'),
      '#!/bin/sh\necho "frozen until Monday"\nexit 1\n',
      {
        mode: 0o755,
      },
    );
    const refused = store.claim({ worker: 'a' });
    await expect(refused).rejects.toMatchObject({ code: 'REMOTE_REJECTED', message: /frozen until Monday/ });
    expect(repository.git('for-each-ref')).toBe(refs);
    rmSync(join(server.path, 'hooks', 'pre-receive'));
    expect((await store.claim({ worker: 'a' })).durability).toBe('remote');
  });

  it('leaves this clone as it was where the server is not there', async () => {
    const { store, repository } = await makeShared(['f']);
    const refs = repository.git('for-each-ref');
    repository.git('remote', 'set-url', 'origin', 'git://127.0.0.1:1/nowhere');
    const refused = store.claim({ worker: 'a' });
    await expect(refused).rejects.toMatchObject({ code: 'REMOTE_UNREACHABLE', retryable: true });
    expect(repository.git('for-each-ref')).toBe(refs);
  });

  it('is given up where the lock of a server stays in the way, with the reason', async () => {
    const { store, server } = await makeShared(['f']);
    writeFileSync(join(server.path, 'refs/heads/gitstate.lock'), '');
    await expect(store.claim({ worker: 'a' })).rejects.toMatchObject({
      code: 'REMOTE_REJECTED',
      details: { reason: 'contended' },
    });
  });

  it('takes one push and no fetch where nobody was faster', async () => {
    const { store, network } = await makeShared(['f']);
    await store.claim({ worker: 'a' });
    expect(network()).toEqual(['push']);
  });

  it('takes a push, a fetch and a push where somebody was', async () => {
    const { store, server } = await makeShared(['f']);
    const other = await cloneOf(server.path);
    await other.store.note({ message: 'here', session: 's' });
    await store.note({ message: 'first', session: 's' });
    other.network();
    await other.store.note({ message: 'second', session: 's' });
    expect(other.network()).toEqual(['push', 'fetch', 'push']);
  });

  it('shares its push with those that wait at the same time', async () => {
    const { store, network } = await makeShared(['f1', 'f2', 'f3']);
    await Promise.all(['a', 'b', 'c'].map((worker) => store.claim({ worker })));
    expect(network()).toEqual(['push']);
  });

  it('moves nothing but our refs, there and here', async () => {
    const { store, repository, server } = await makeShared(['f']);
    repository.git('tag', 'v1');
    repository.git('branch', 'mine');
    await store.claim({ worker: 'a' });
    await store.checkpointCreate({ name: 'one' });
    expect(server.git('for-each-ref', '--format=%(refname)').split('\n')).toEqual([
      'refs/gitstate/checkpoints/s/one',
      'refs/gitstate/leases/s/f',
      'refs/heads/gitstate',
      'refs/heads/main',
      'refs/tags/gitstate/s/one',
    ]);
    const other = await cloneOf(server.path, { flags: ['--no-tags', '--single-branch'] });
    server.git('tag', 'theirs', 'main');
    await other.store.sync();
    expect(other.repository.git('tag')).toBe('gitstate/s/one');
  });

  it('obeys no setting of the user that would push or fetch more', async () => {
    const { server } = await makeShared(['f']);
    const { store, repository } = await cloneOf(server.path);
    for (const [key, value] of [
      ['remote.origin.mirror', 'true'],
      ['push.followTags', 'true'],
      ['push.gpgSign', 'true'],
      ['push.pushOption', 'x'],
      ['fetch.prune', 'true'],
      ['fetch.pruneTags', 'true'],
      ['remote.origin.tagOpt', '--tags'],
    ]) {
      repository.git('config', key!, value!);
    }
    repository.git('tag', '-a', '-m', 'mine', 'v1');
    const again = await openTestStore(repository.path, { remote: 'origin' });
    expect((await again.claim({ worker: 'a', session: 's' })).durability).toBe('remote');
    expect(server.git('tag')).toBe('');
    expect(repository.git('tag')).toBe('v1');
    await store.close();
  });
});

it('push options of the setting reach the server, and no others', async () => {
  const { server, repository } = await makeShared(['f']);
  server.git('config', 'receive.advertisePushOptions', 'true');
  const hook = '#!/bin/sh\nenv | grep ^GIT_PUSH_OPTION > options\nexit 0\n';
  writeFileSync(join(server.path, 'hooks', 'post-receive'), hook, { mode: 0o755 });
  repository.git('config', 'push.pushOption', 'theirs');
  repository.git('config', 'gitstate.pushOption', 'ci.skip');
  const { store } = await openClone(repository);
  await store.claim({ worker: 'a' });
  const options = readFileSync(join(server.path, 'options'), 'utf8');
  expect(options).toContain('GIT_PUSH_OPTION_0=ci.skip');
  expect(options).toContain('GIT_PUSH_OPTION_COUNT=1');
});

describe('a repeated operation', () => {
  it('is found on the server by its id', async () => {
    const { store, server } = await makeShared(['f']);
    const first = await store.claim({ worker: 'a', opId: 'op-1' });
    const other = await cloneOf(server.path);
    const again = await other.store.claim({ worker: 'a', opId: 'op-1' });
    expect(again).toMatchObject({ commit: first.commit, changed: false, token: null });
    expect(await codeOf(other.store.claim({ worker: 'b', opId: 'op-1' }))).toBe('INVALID_INPUT');
  });

  it('is not repeated where a shallow clone cannot see whether it was', async () => {
    const { store, server, repository } = await makeShared(['f']);
    for (let n = 0; n < 4; n += 1) await store.note({ message: `${n}` });
    const cut = makeRepository();
    cut.git('remote', 'add', 'origin', `file://${server.path}`);
    cut.git('fetch', '-q', '--depth=2', 'origin', 'gitstate:gitstate');
    const local = await openTestStore(cut.path, { offline: true });
    expect(await codeOf(local.note({ message: 'x', opId: 'op-9' }))).toBe('OUTCOME_UNKNOWN');
    // With the server at hand the rest of the history is fetched.
    const shared = await openTestStore(cut.path, { remote: 'origin' });
    expect(await shared.note({ message: 'x', opId: 'op-9' })).toMatchObject({ changed: true });
    expect(repository.path).not.toBe(cut.path);
  });
});

describe('leases through the remote', () => {
  it('are renewed there without a commit', async () => {
    const { store, server } = await makeShared(['f']);
    await store.claim({ worker: 'a' });
    const [tip, lease] = [tipOf(server), server.git('rev-parse', 'refs/gitstate/leases/s/f')];
    expect((await store.heartbeat({ worker: 'a' })).durability).toBe('remote');
    expect(tipOf(server)).toBe(tip);
    expect(server.git('rev-parse', 'refs/gitstate/leases/s/f')).not.toBe(lease);
  });

  it('keep a claim from a taker who has not heard of the renewal', async () => {
    const { store, server, env } = await makeShared(['f']);
    await store.claim({ worker: 'a', lease: '10m' });
    const other = await cloneOf(server.path, { host: 'elsewhere' });
    await other.store.note({ message: 'seen', session: 's' });
    env.offsetMs = 9 * 60_000;
    await store.heartbeat({ worker: 'a', lease: '10m' });
    // Past the first end and the allowance for clocks, before the renewed one.
    other.env.offsetMs = 12 * 60_000;
    expect(await codeOf(other.store.claim({ worker: 'b', feature: 'f' }))).toBe('ALREADY_CLAIMED');
    other.env.offsetMs = 21 * 60_000;
    expect((await other.store.claim({ worker: 'b', feature: 'f' })).worker).toBe('b');
    expect(await codeOf(store.heartbeat({ worker: 'a', feature: 'f' }))).toBe('NOT_HOLDER');
  });

  it('go everywhere when the claim ends', async () => {
    const { store, server, repository } = await makeShared(['f']);
    const { token } = await store.claim({ worker: 'a' });
    const other = await cloneOf(server.path);
    await other.store.complete({ feature: 'f', token: token! });
    expect(server.git('for-each-ref', 'refs/gitstate/leases')).toBe('');
    await store.note({ message: 'on' });
    expect(repository.git('for-each-ref', 'refs/gitstate/leases')).toBe('');
  });

  it('are asked of the server by claim --check', async () => {
    const { store, server } = await makeShared(['f']);
    const { token } = await store.claim({ worker: 'a' });
    const other = await cloneOf(server.path);
    await other.store.claim({ worker: 'b', feature: 'f', force: true });
    expect(await store.claimCheck({ feature: 'f', token: token! })).toMatchObject({
      held: false,
      holder: 'b',
    });
  });
});

describe('checkpoints through the remote', () => {
  it('come with their tags and heads, and go with them', async () => {
    const { store, server, repository } = await makeShared(['f']);
    repository.git('branch', 'feature/f');
    await store.update({ feature: 'f', branchName: 'feature/f' });
    await store.claim({ worker: 'a', feature: 'f' });
    await store.checkpointCreate({ name: 'one', feature: 'f' });
    const other = await cloneOf(server.path);
    await other.store.sync();
    expect(other.repository.git('rev-parse', 'gitstate/s/one')).toBe(
      repository.git('rev-parse', 'gitstate/s/one'),
    );
    expect(other.repository.git('for-each-ref', '--format=%(refname)', 'refs/gitstate/heads')).toBe(
      'refs/gitstate/heads/s/one/f',
    );
    await store.checkpointDelete({ name: 'one' });
    await other.store.sync();
    expect(other.repository.git('for-each-ref', 'refs/tags', 'refs/gitstate/checkpoints')).toBe('');
  });

  it('bring their tags with the next write, too', async () => {
    const { store, server } = await makeShared(['f']);
    const other = await cloneOf(server.path);
    await other.store.note({ message: 'here', session: 's' });
    await store.checkpointCreate({ name: 'one' });
    await other.store.note({ message: 'and now', session: 's' });
    expect(other.repository.git('tag')).toBe('gitstate/s/one');
  });
});

describe('a clone of a shared store', () => {
  it('reads what a fetch brought, and its first write makes the branch', async () => {
    const { store, server } = await makeShared(['f']);
    const other = await cloneOf(server.path);
    expect((await other.store.status()).progress.total).toBe(1);
    expect(other.repository.git('for-each-ref', 'refs/heads/gitstate')).toBe('');
    await other.store.note({ message: 'x', session: 's' });
    expect(tipOf(other.repository)).toBe(tipOf(server));
    await store.close();
  });

  it('looks at the server by itself where it knows nothing yet', async () => {
    const { server } = await makeShared(['f']);
    const { store } = await cloneOf(`file://${server.path}`, {
      flags: ['--depth=1', '--single-branch', '--no-tags'],
    });
    expect((await store.status()).progress.total).toBe(1);
    expect(store.asOf()).not.toBeNull();
  });

  it('warns of a claim that stays here, and refuses it where it would be lost for sure', async () => {
    const { server } = await makeShared(['f1', 'f2']);
    const warnings: string[] = [];
    const alone = { remote: undefined, onWarning: (text: string) => warnings.push(text) };
    const here = await cloneOf(server.path, { ...alone, variables: { CI: '' } });
    expect((await here.store.claim({ worker: 'a' })).durability).toBe('local');
    expect(warnings).toEqual([expect.stringMatching(/in this clone only.*--remote origin/)]);
    const ci = await cloneOf(server.path, { remote: undefined, variables: { CI: 'true' } });
    await expect(ci.store.claim({ worker: 'a' })).rejects.toMatchObject({
      code: 'REMOTE_UNREACHABLE',
      hint: /--remote origin.*--offline/,
    });
    const offline = await cloneOf(server.path, {
      remote: undefined,
      offline: true,
      variables: { CI: 'true' },
    });
    expect((await offline.store.claim({ worker: 'a' })).durability).toBe('offline');
  });

  it('begins no second store where the server has one', async () => {
    const { server, repository } = await makeShared(['f']);
    const { store, repository: other } = await cloneOf(server.path, {
      remote: undefined,
      flags: ['--single-branch'],
    });
    expect(await store.init()).toMatchObject({ commit: null, changed: false });
    expect(tipOf(other)).toBe(tipOf(repository));
  });

  it('begins one all the same where the server does not answer, and says so', async () => {
    const repository = makeRepository();
    repository.git('remote', 'add', 'origin', 'git://127.0.0.1:1/nowhere');
    const warnings: string[] = [];
    const store = await openTestStore(repository.path, { onWarning: (text) => warnings.push(text) });
    expect(await store.init()).toMatchObject({ changed: true });
    expect(warnings).toEqual([expect.stringMatching(/could not look for a store on 'origin'/)]);
    const given = await openTestStore(repository.path, { remote: 'origin' });
    expect(await codeOf(given.init())).toBe('REMOTE_UNREACHABLE');
  });

  it('names two stores that meet', async () => {
    const { server } = await makeShared();
    const own = makeRepository();
    const alone = await openTestStore(own.path);
    await alone.init();
    own.git('remote', 'add', 'origin', server.path);
    const meeting = await openTestStore(own.path, { remote: 'origin' });
    await expect(meeting.note({ message: 'x' })).rejects.toMatchObject({
      code: expect.stringMatching(/SESSION_NOT_FOUND|REMOTE_DIVERGED/),
    });
    await expect(meeting.sessionStart({ session: 't' })).rejects.toMatchObject({
      code: 'REMOTE_DIVERGED',
      message: /another store/,
    });
  });

  it('names a remote that does not exist', async () => {
    const { path } = makeServer();
    await expect(cloneOf(path, { remote: 'nowhere' })).rejects.toMatchObject({
      code: 'USAGE',
      hint: /'origin'/,
    });
  });
});

it('a command says where it read from, in a clone that has no branch yet', async () => {
  const { server } = await makeShared(['f']);
  const { repository, store } = await cloneOf(server.path);
  await store.close();
  const read = await gitState(['list'], { cwd: repository.path });
  expect(read).toMatchObject({ status: 0, stderr: expect.stringContaining('refs/remotes/origin/gitstate') });
  const asked = await gitState(['list', '--json', '--remote', 'origin'], { cwd: repository.path });
  expect(JSON.parse(asked.stdout).features).toHaveLength(1);
  await gitState(['note', 'x', '--remote', 'origin'], { cwd: repository.path });
  const now = await gitState(['list', '--json', '--remote', 'origin'], { cwd: repository.path });
  expect(JSON.parse(now.stdout).as_of).toMatch(/^\d{4}-.*Z$/);
});
