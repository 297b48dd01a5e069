import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { cleanEnvironment } from '../../src/git/environment.ts';
import { redactUrls, storageFailure } from '../../src/git/failure.ts';
import { Git } from '../../src/git/run.ts';
import { makeRepository, runGit, temporaryDirectory } from '../support/repo.ts';
import { isRunning } from './processes.ts';

const hostile = {
  ...process.env,
  GIT_DIR: '/nowhere',
  GIT_INDEX_FILE: '/nowhere',
  GIT_TRACE: '1',
  GIT_CONFIG_COUNT: '1',
  GIT_CONFIG_KEY_0: 'http.extraHeader',
  GIT_CONFIG_VALUE_0: 'secret',
  GIT_ASKPASS: '/bin/askpass',
  GIT_SSH_COMMAND: 'ssh -i key',
  GIT_COMMITTER_DATE: '1970-01-01',
  LANGUAGE: 'fr',
  LC_ALL: 'C.UTF-8',
};

function gitIn(path: string, variables: Record<string, string | undefined> = hostile): Git {
  return new Git({ cwd: path, variables, gitDir: join(path, '.git'), workTree: path });
}

/** An alias that runs a shell command in the environment that Git hands on. */
const shell = (command: string) => ['-c', `alias.run=!${command}`, 'run'];

describe('the environment', () => {
  test('has everything scrubbed that Git itself calls local', () => {
    const names = runGit('/', ['rev-parse', '--local-env-vars']).split('\n');
    const variables = Object.fromEntries(names.map((name) => [name, 'poison']));
    expect(Object.values(cleanEnvironment(variables))).not.toContain('poison');
  });

  test('hands credentials to network commands alone', () => {
    const local = cleanEnvironment(hostile);
    const network = cleanEnvironment(hostile, { network: true });
    expect([local.GIT_CONFIG_COUNT, local.GIT_CONFIG_VALUE_0]).toEqual([undefined, undefined]);
    expect([network.GIT_CONFIG_COUNT, network.GIT_CONFIG_VALUE_0]).toEqual(['1', 'secret']);
    expect([network.GIT_ASKPASS, network.GIT_SSH_COMMAND]).toEqual(['/bin/askpass', 'ssh -i key']);
    expect([network.GIT_TERMINAL_PROMPT, network.GIT_DIR, network.LC_ALL]).toEqual(['0', undefined, 'C']);
    expect(local.GIT_CONFIG_GLOBAL).toBe(process.env.GIT_CONFIG_GLOBAL);
  });

  test('keeps a trace that goes to a file', () => {
    expect(cleanEnvironment({ GIT_TRACE2_EVENT: '/tmp/x', GIT_TRACE: '2' })).toMatchObject({
      GIT_TRACE2_EVENT: '/tmp/x',
    });
    expect(cleanEnvironment({ GIT_TRACE: '2' }).GIT_TRACE).toBeUndefined();
  });

  test('binds Git to one repository, whatever the caller points to', async () => {
    const { path, git } = makeRepository();
    const { stdout, stderr } = await gitIn(path).run(['rev-parse', 'HEAD']);
    expect(stdout.toString().trim()).toBe(git('rev-parse', 'HEAD'));
    expect(stderr).toBe('');
  });
});

describe('a command', () => {
  test('reads its input and gives bytes as they are', async () => {
    const { path } = makeRepository();
    const git = gitIn(path);
    const bytes = Buffer.from([0, 255, 10, 13, 0xc3]);
    const oid = await git.text(['hash-object', '-w', '--stdin'], { input: bytes });
    expect((await git.run(['cat-file', 'blob', oid])).stdout).toEqual(bytes);
  });

  test('that fails tells why, with the first line of what Git said', async () => {
    const { path } = makeRepository();
    await expect(gitIn(path).run(['rev-parse', '--verify', 'nothing'])).rejects.toMatchObject({
      code: 'GIT_FAILED',
      message: 'git rev-parse failed: Needed a single revision',
      details: { status: 128 },
    });
    expect((await gitIn(path).run(['rev-parse', '-q', '--verify', 'x'], { okStatuses: [1] })).status).toBe(1);
  });

  test('that is killed has failed, though it said nothing', async () => {
    const { path } = makeRepository();
    await expect(gitIn(path).run(shell('kill -9 $PPID'))).rejects.toMatchObject({
      details: { signal: 'SIGKILL' },
    });
  });

  test('that takes too long is killed with all its children', async () => {
    const { path } = makeRepository();
    const file = join(temporaryDirectory(), 'pid');
    await expect(
      gitIn(path).run(shell(`sh -c 'echo $$ >${file}; sleep 60'`), { timeoutMs: 300 }),
    ).rejects.toMatchObject({
      code: 'GIT_FAILED',
      message: expect.stringContaining('took too long'),
      details: { timeout: true },
    });
    const pid = Number(readFileSync(file, 'utf8'));
    await expect.poll(() => isRunning(pid)).toBe(false);
  });

  test('ends when it is called off', async () => {
    const { path } = makeRepository();
    const controller = new AbortController();
    const running = gitIn(path).run(shell('sleep 60'), { signal: controller.signal });
    controller.abort();
    await expect(running).rejects.toMatchObject({ details: { aborted: true } });
    await expect(gitIn(path).run(['version'], { signal: controller.signal })).rejects.toMatchObject({
      code: 'GIT_FAILED',
    });
  });

  test('runs no hook unless the user is meant to have it', async () => {
    const { path, git } = makeRepository();
    const head = git('rev-parse', 'HEAD');
    const runner = gitIn(path);
    await runner.run(['update-ref', 'refs/heads/state', head]);
    await expect(runner.run(['update-ref', 'refs/heads/other', head], { userHooks: true })).rejects.toThrow(
      'hook',
    );
  });

  test('says nothing of the passwords in URLs', async () => {
    const { path } = makeRepository();
    const failed = gitIn(path).run(['fetch', 'http://user:secret@localhost:1/x'], { network: true });
    const error = await failed.catch((reason: unknown) => reason);
    expect(JSON.stringify(error)).not.toContain('secret');
    expect(error).toMatchObject({ code: 'GIT_FAILED' });
    expect(redactUrls("'https://tok@h/p' ssh://a:b@h")).toBe("'https://***@h/p' ssh://***@h");
  });
});

describe('a failure to write', () => {
  const failed = (code: string) => storageFailure(Object.assign(new Error(code), { code }), '/tmp');

  test.each([
    ['ENOSPC', 'DISK_FULL'],
    ['EDQUOT', 'DISK_FULL'],
    ['EROFS', 'READ_ONLY'],
    ['EACCES', 'READ_ONLY'],
    ['EIO', 'GIT_FAILED'],
  ])('%s is %s', async (errno, code) => {
    expect(await failed(errno)).toMatchObject({ code, details: { errno, path: '/tmp' } });
  });
});

test('the suite does not see the settings of whoever runs it', async () => {
  const { path } = makeRepository();
  const origins = await gitIn(path).text(['config', '--list', '--show-origin', '--name-only']);
  const files = new Set(origins.split('\n').map((line) => line.split('\t')[0]));
  const expected = ['command line:', 'file:.git/config', `file:${process.env.GIT_CONFIG_GLOBAL}`];
  expect([...files].map((file) => file?.replace(join(path, '.git'), '.git')).sort()).toEqual(expected.sort());
});

test('a walk that packs were taken away from is tried again, a few times', async () => {
  const { path } = makeRepository();
  const folder = temporaryDirectory();
  const count = join(folder, 'count');
  const real = runGit('/', ['--exec-path']);
  // Fails as often as the file says.
  const script = `#!/bin/sh\nn=$(cat ${count}); echo $((n-1)) >${count}\n[ $n -gt 0 ] && { echo 'fatal: gone' >&2; exit 128; }\nexec ${join(real, 'git')} "$@"\n`;
  writeFileSync(join(folder, 'git'), script, { mode: 0o755 });
  const git = gitIn(path, { ...hostile, PATH: `${folder}:${process.env.PATH}` });
  writeFileSync(count, '2');
  expect(await git.text(['rev-list', '--count', 'HEAD'])).toBe('1');
  writeFileSync(count, '3');
  await expect(git.text(['rev-list', '--count', 'HEAD'])).rejects.toMatchObject({ code: 'GIT_FAILED' });
  // What writes is not done twice.
  writeFileSync(count, '1');
  await expect(git.text(['update-ref', 'refs/heads/x', 'HEAD'])).rejects.toMatchObject({
    code: 'GIT_FAILED',
  });
});
