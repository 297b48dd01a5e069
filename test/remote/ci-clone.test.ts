import { join } from 'node:path';
import { expect, test } from 'vitest';
import { execute, gitState } from '../support/cli.ts';
import { type Clone, openClone } from '../support/clones.ts';
import { repositoryAt, temporaryDirectory } from '../support/repo.ts';
import { httpMissing } from '../support/servers/http.ts';
import { cloneServed, gitOk, kindOf, type Served, serve } from '../support/servers/kinds.ts';
import { describeServer } from '../support/servers/server.ts';

/** Clones made by the literal commands of CI systems, in which nothing else is set up: no name, no home, no tags. */

interface Job {
  path: string;
  /** Runs a command of ours with what a job has: a path, an empty home and CI=true. */
  run(line: string): Promise<{ status: number | null; stdout: string; stderr: string }>;
  json(line: string): Promise<Record<string, never>>;
}

function jobIn(path: string, settings: Record<string, string> = {}): Job {
  const env = { HOME: temporaryDirectory(), CI: 'true', GIT_CONFIG_GLOBAL: '', ...settings };
  const run: Job['run'] = (line) => gitState(line.split(' '), { cwd: path, env });
  return {
    path,
    run,
    async json(line) {
      const { status, stdout, stderr } = await run(`--json ${line}`);
      if (status !== 0) throw new Error(`${line}: ${stderr}`);
      return JSON.parse(stdout);
    },
  };
}

/** As actions/checkout does it for a pull request: one commit, detached, credentials in an extra header alone. */
async function githubCheckout({ url, env }: Served, flags: readonly string[] = []): Promise<Job> {
  const path = temporaryDirectory();
  const git = (...args: string[]) => gitOk(path, args, env);
  await git('init', '-q');
  await git('remote', 'add', 'origin', url);
  await git('config', '--local', 'gc.auto', '0');
  for (let n = 0; n < Number(env.GIT_CONFIG_COUNT ?? 0); n += 1) {
    await git('config', '--local', env[`GIT_CONFIG_KEY_${n}`]!, env[`GIT_CONFIG_VALUE_${n}`]!);
  }
  const refspec = '+refs/heads/main:refs/remotes/pull/1/merge';
  const fetch = ['fetch', '-q', '--no-tags', '--prune', '--no-recurse-submodules', '--depth=1', ...flags];
  await git('-c', 'protocol.version=2', ...fetch, 'origin', refspec);
  await git('checkout', '-q', '--force', 'refs/remotes/pull/1/merge');
  return jobIn(path);
}

/** As a runner of GitLab does it. */
async function gitlabCheckout({ url, env }: Served): Promise<Job> {
  const path = temporaryDirectory();
  await gitOk(path, ['clone', '-q', '--no-checkout', '--depth=20', '--no-tags', url, 'build'], env);
  const build = join(path, 'build');
  await gitOk(build, ['checkout', '-q', '-f', '--detach', 'origin/main']);
  return jobIn(build, env);
}

async function sharedStore(served: Served): Promise<Clone> {
  const clone = await openClone(repositoryAt(await cloneServed(served)), { variables: served.env });
  await clone.store.init();
  await clone.store.sessionStart({ session: 's', steps: ['plan', 'build'] });
  await clone.store.planLoad({ features: [{ id: 'f1' }, { id: 'f2' }] });
  return clone;
}

describeServer('a job of CI', httpMissing, () => {
  const checkouts: [string, (served: Served) => Promise<Job>][] = [
    ['at GitHub', (served) => githubCheckout(served)],
    ['at GitHub, in a partial clone', (served) => githubCheckout(served, ['--filter=blob:none'])],
    ['at GitLab', gitlabCheckout],
  ];
  test.each(checkouts)('%s claims, works and completes with nothing set up', async (_name, checkout) => {
    const served = await serve(kindOf('HTTP with a header'));
    served.bare.git('config', 'uploadpack.allowFilter', 'true');
    const author = await sharedStore(served);
    const job = await checkout(served);
    expect(await job.json('status --remote origin')).toMatchObject({ progress: { total: 2 } });
    const { token, durability } = await job.json('claim f1 --worker ci-1 --remote origin');
    expect(durability).toBe('remote');
    const held = `--remote origin --token ${token}`;
    for (const line of ['step done f1 plan', 'heartbeat f1', 'step done f1 build', 'complete f1']) {
      expect(await job.json(`${line} ${held}`)).toMatchObject({ durability: 'remote' });
    }
    await job.json('checkpoint create after-f1 --remote origin');
    await author.store.sync();
    expect(await author.store.show({ feature: 'f1' })).toMatchObject({ status: 'completed' });
    expect(author.repository.git('tag')).toBe('gitstate/s/after-f1');
    // Its own history of the code is as short as before.
    expect(repositoryAt(job.path).git('rev-list', '--count', 'HEAD')).toBe('1');
  });

  test('goes on where another job was lost: the finished step is not done again', async () => {
    const served = await serve(kindOf('HTTP with a header'));
    const author = await sharedStore(served);
    const { store, repository } = author;
    const { token } = await store.claim({ feature: 'f1', worker: 'lost', lease: '1s', worktree: true });
    repository.git('commit', '-q', '--allow-empty', '-m', 'on main');
    const code = repositoryAt(join(repository.path, '.worktrees/f1')).commit('half of it');
    await store.stepDone({ feature: 'f1', step: 'plan', token: token! });
    await store.checkpointCreate({ name: 'half', feature: 'f1' });
    // Gone without a word; nobody pushed its branch.
    await new Promise((resolve) => setTimeout(resolve, 1500));
    const job = await githubCheckout(served);
    const answer = await job.json('resume half --remote origin');
    expect(answer).toMatchObject({ feature: 'f1', step: 'build', finished: ['plan'], session: 's' });
    expect(answer.heads).toEqual({ f1: { branch: 'feature/f1', oid: code } });
    expect(repositoryAt(job.path).git('cat-file', '-t', code)).toBe('commit');
    expect(repositoryAt(job.path).git('rev-list', '--count', 'HEAD')).toBe('1');
  });

  test('is told why it cannot go on', async () => {
    const served = await serve(kindOf('HTTP with a header'));
    const { store } = await sharedStore(served);
    const { token } = await store.claim({ feature: 'f1', worker: 'alive' });
    await store.checkpointCreate({ name: 'one', feature: 'f1' });
    const job = await githubCheckout(served);
    const codeOfResume = async (line: string) => {
      const { stderr } = await job.run(`--json ${line}`);
      return JSON.parse(stderr.trim().split('\n').at(-1)!).error.code;
    };
    expect(await codeOfResume('resume one --from origin --offline')).toBe('ALREADY_CLAIMED');
    expect(await codeOfResume('resume none --remote origin')).toBe('CHECKPOINT_NOT_FOUND');
    await store.complete({ feature: 'f1', token: token!, skipRemaining: true });
    expect(await codeOfResume('resume one --remote origin')).toBe('INVALID_TRANSITION');
  });

  test('refuses a claim that nobody would hear of', async () => {
    const served = await serve(kindOf('HTTP with a header'));
    await sharedStore(served);
    const job = await githubCheckout(served);
    const { status, stderr } = await job.run('claim f1');
    expect(status).toBe(3);
    expect(stderr).toMatch(/--remote origin/);
  });

  test('is told where another user owns the checkout, and nothing is bypassed', async () => {
    const served = await serve(kindOf('HTTP with a header'));
    await sharedStore(served);
    const job = await githubCheckout(served);
    if (process.getuid?.() !== 0) return;
    await execute('chown', ['-R', '12345', job.path]);
    const { status, stderr } = await job.run('status --remote origin');
    expect(status).toBe(3);
    expect(stderr).toMatch(/NOT_A_REPOSITORY[\s\S]*safe\.directory/);
  });
});
