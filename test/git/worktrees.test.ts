import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { openRepository } from '../../src/git/repository.ts';
import {
  addToExclude,
  addWorktree,
  listWorktrees,
  pruneWorktrees,
  removeWorktree,
  worktreeStatus,
} from '../../src/git/worktrees.ts';
import {
  cloneRepository,
  makeRepository,
  repositoryAt,
  runGit,
  temporaryDirectory,
  userEnvironment,
} from '../support/repo.ts';

const open = (cwd: string, variables: Record<string, string> = {}) =>
  openRepository({ cwd, variables: { ...process.env, ...variables } });

/** A repository, opened, and a path beside it for a worktree; spaces and letters of many alphabets in both. */
async function ready(variables?: Record<string, string>) {
  const user = makeRepository({ name: 'dépôt with space' });
  const repository = await open(user.path, variables);
  return { user, repository, path: join(temporaryDirectory(), 'wörk tree') };
}

describe('a worktree is added', () => {
  test('with a new branch, on a commit', async () => {
    const { user, repository, path } = await ready();
    const base = user.git('rev-parse', 'HEAD');
    user.commit('later');
    expect(await addWorktree(repository, { path, branch: 'feature/ä', base })).toEqual({ warning: null });
    expect(await listWorktrees(repository)).toEqual([
      expect.objectContaining({ path: user.path, branch: 'main', head: user.git('rev-parse', 'HEAD') }),
      { path, head: base, branch: 'feature/ä', bare: false, detached: false, locked: false, prunable: false },
    ]);
    expect(readFileSync(join(path, 'README'), 'utf8')).toContain('a project');
  });

  test('for a branch that exists, from inside another worktree and beside hostile variables', async () => {
    const { user, path } = await ready();
    user.git('branch', 'feature/old');
    const linked = join(temporaryDirectory(), 'linked');
    user.git('worktree', 'add', '-q', '-b', 'feature/linked', linked);
    const repository = await open(linked, {
      GIT_PREFIX: 'x/',
      GIT_INDEX_FILE: '/nowhere',
      GIT_EDITOR: 'false',
    });
    expect(await addWorktree(repository, { path, branch: 'feature/old', base: null })).toEqual({
      warning: null,
    });
    expect(runGit(path, ['symbolic-ref', 'HEAD'])).toBe('refs/heads/feature/old');
    const [main, ...others] = (await listWorktrees(repository)).map((one) => one.path);
    expect([main, new Set(others)]).toEqual([user.path, new Set([linked, path])]);
  });

  test('without an upstream, whatever the settings say', async () => {
    const source = makeRepository();
    const clone = cloneRepository(source.path);
    const repository = await open(clone.path);
    const path = join(temporaryDirectory(), 'w');
    await addWorktree(repository, { path, branch: 'feature/a', base: 'origin/main' });
    expect(clone.git('for-each-ref', '--format=%(upstream)', 'refs/heads/feature')).toBe('');
  });

  test('though post-checkout fails: then with a warning', async () => {
    const { user, path } = await ready();
    const hooks = temporaryDirectory();
    writeFileSync(join(hooks, 'post-checkout'), '#!/bin/sh\necho no such tool >&2\nexit 3\n', {
      mode: 0o755,
    });
    const repository = await open(user.path, { GIT_CONFIG_GLOBAL: join(hooks, 'config') });
    writeFileSync(join(hooks, 'config'), `[core]\n\thooksPath = ${hooks}\n`);
    const { warning } = await addWorktree(repository, { path, branch: 'feature/a', base: 'HEAD' });
    expect(warning).toContain('worktree was made');
    expect(existsSync(join(path, 'README'))).toBe(true);
  });

  test('not, if a hook refuses the branch, or the branch is taken, or the path', async () => {
    const { user, repository, path } = await ready();
    const failed = { code: 'GIT_FAILED' };
    await expect(addWorktree(repository, { path, branch: 'toplevel', base: 'HEAD' })).rejects.toMatchObject(
      failed,
    );
    expect(user.git('branch', '--list', 'toplevel')).toBe('');
    await expect(addWorktree(repository, { path, branch: 'main', base: null })).rejects.toMatchObject(failed);
    mkdirSync(path);
    writeFileSync(join(path, 'file'), '');
    await expect(addWorktree(repository, { path, branch: 'feature/a', base: 'HEAD' })).rejects.toMatchObject(
      failed,
    );
    await expect(addWorktree(repository, { path, branch: '--lock', base: 'HEAD' })).rejects.toMatchObject({
      code: 'USAGE',
    });
    expect(await listWorktrees(repository)).toHaveLength(1);
  });

  test('beside others that are added at the same time, by the user too', async () => {
    const { user, repository } = await ready();
    const root = temporaryDirectory();
    const names = Array.from({ length: 6 }, (_, index) => `f${index}`);
    // Git itself may fail here, as the user's; ours may not.
    const theirs = names.map((name) =>
      promisify(execFile)(
        'git',
        ['worktree', 'add', '-q', '-b', `user/${name}`, join(root, `user-${name}`)],
        {
          cwd: user.path,
          env: userEnvironment,
        },
      ).catch(() => null),
    );
    await Promise.all(
      names.map((name) =>
        addWorktree(repository, { path: join(root, name), branch: `feature/${name}`, base: 'HEAD' }),
      ),
    );
    await Promise.all(theirs);
    const branches = new Set((await listWorktrees(repository)).map(({ branch }) => branch));
    for (const name of names) expect(branches).toContain(`feature/${name}`);
  });
});

describe('a worktree is removed', () => {
  test('if it is clean; its branch stays', async () => {
    const { user, repository, path } = await ready();
    await addWorktree(repository, { path, branch: 'feature/a', base: 'HEAD' });
    writeFileSync(join(path, 'new'), 'work');
    await expect(removeWorktree(repository, path)).rejects.toMatchObject({
      code: 'GIT_FAILED',
      message: expect.stringContaining('modified or untracked'),
    });
    rmSync(join(path, 'new'));
    await removeWorktree(repository, path);
    expect(existsSync(path)).toBe(false);
    expect(user.git('branch', '--list', 'feature/a')).toContain('feature/a');
  });

  test('from the records, if its directory is gone', async () => {
    const { repository, path } = await ready();
    await addWorktree(repository, { path, branch: 'feature/a', base: 'HEAD' });
    rmSync(path, { recursive: true });
    expect((await listWorktrees(repository))[1]).toMatchObject({ path, prunable: true });
    await pruneWorktrees(repository);
    expect(await listWorktrees(repository)).toHaveLength(1);
  });
});

test('locked, detached and bare worktrees are told apart', async () => {
  const source = makeRepository();
  const bare = cloneRepository(source.path, '--bare');
  const path = join(temporaryDirectory(), 'w');
  bare.git('worktree', 'add', '-q', '--detach', path);
  bare.git('worktree', 'lock', '--reason', 'on a stick', path);
  expect(await listWorktrees(await open(bare.path))).toMatchObject([
    { bare: true, head: null, branch: null, detached: false, locked: false },
    { path, bare: false, branch: null, detached: true, locked: true },
  ]);
  const empty = makeRepository({ empty: true });
  expect(await listWorktrees(await open(empty.path))).toMatchObject([{ head: null, branch: 'main' }]);
});

describe('the state of a worktree', () => {
  test('says what would be lost', async () => {
    const { user, repository, path } = await ready();
    await addWorktree(repository, { path, branch: 'feature/a', base: 'HEAD' });
    const work = repositoryAt(path);
    const head = user.git('rev-parse', 'HEAD');
    const clean = { dirty: false, head, branch: 'feature/a', unpushed: false };
    expect(await worktreeStatus(repository, path)).toEqual(clean);
    work.write('new', 'untracked');
    expect(await worktreeStatus(repository, path)).toEqual({ ...clean, dirty: true });
    const done = work.commit();
    expect(await worktreeStatus(repository, path)).toEqual({ ...clean, head: done, unpushed: true });
    user.git('branch', 'other', done);
    expect(await worktreeStatus(repository, path)).toMatchObject({ unpushed: false });
    user.git('branch', '-D', 'other');
    user.git('update-ref', 'refs/remotes/origin/a', done);
    expect(await worktreeStatus(repository, path)).toMatchObject({ unpushed: false });
  });

  test('counts commits on no branch', async () => {
    const { repository, path } = await ready();
    await addWorktree(repository, { path, branch: 'feature/a', base: 'HEAD' });
    runGit(path, ['checkout', '-q', '--detach']);
    expect(await worktreeStatus(repository, path)).toMatchObject({ branch: null, unpushed: false });
    repositoryAt(path).commit();
    expect(await worktreeStatus(repository, path)).toMatchObject({ branch: null, unpushed: true });
  });

  test('needs a directory that exists', async () => {
    const { repository, path } = await ready();
    await expect(worktreeStatus(repository, path)).rejects.toMatchObject({ code: 'NOT_A_REPOSITORY' });
  });
});

test('a line is added to the list of ignored paths once', async () => {
  const { user, repository } = await ready();
  const file = join(repository.commonDir, 'info/exclude');
  writeFileSync(file, '*.log');
  addToExclude(repository.commonDir, '/.worktrees/');
  addToExclude(repository.commonDir, '/.worktrees/');
  expect(readFileSync(file, 'utf8')).toBe('*.log\n/.worktrees/\n');
  rmSync(join(repository.commonDir, 'info'), { recursive: true });
  addToExclude(repository.commonDir, '/.worktrees/');
  user.write('.worktrees/x', '');
  expect(user.git('status', '--porcelain')).toBe('');
});
