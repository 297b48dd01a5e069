import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { getuid } from 'node:process';
import { afterEach, describe, expect, it } from 'vitest';
import { temporaryDirectory } from '../support/repo.ts';
import { codeOf } from '../support/store.ts';
import { makeProject, only, openStore, work } from './support.ts';

const commit =
  'git -c core.hooksPath=/dev/null -c commit.gpgSign=false -c user.name=A -c user.email=a@b.c commit -q';

describe('a worktree', () => {
  it('is in a path with spaces and letters of all kinds, and not in `git status`', async () => {
    const { store, repository } = await makeProject([{ id: '001' }], { name: 'mein Projekt ü 日本 $(x)' });
    const { events } = await work({ store, keepWorktrees: 'always', setup: 'pwd' }, 'pwd');
    const path = join(repository.path, '.worktrees', '001');
    for (const { log } of only(events, 'started', 'setup_started'))
      expect(readFileSync(String(log), 'utf8')).toBe(`${path}\n`);
    expect(repository.git('status', '--porcelain')).toBe('');
    await work({ store: await openStore(path), keepWorktrees: 'always' }, 'true');
    expect(readFileSync(join(repository.path, '.git/info/exclude'), 'utf8').match(/worktrees/g)).toHaveLength(
      1,
    );
  });

  it('that was deleted by hand is made again, with all that was committed', async () => {
    const { store, repository } = await makeProject([{ id: '001' }]);
    const script = `if test "$GITSTATE_ATTEMPT" = 1; then ${commit} --allow-empty -m kept; rm -rf "$GITSTATE_WORKTREE"; exit 1; fi; git log --format=%s -1`;
    const { summary, events } = await work({ store }, script);
    expect(summary.exit_status).toBe(0);
    expect(readFileSync(String(only(events, 'started').at(-1)!.log), 'utf8')).toBe('kept\n');
    expect(repository.git('worktree', 'list').split('\n').length).toBe(1);
  });

  it('with another branch is let alone; one in the middle of something is gone on with', async () => {
    const { store, repository } = await makeProject([{ id: '001' }, { id: '002' }], { maxRetries: 0 });
    await work({ store }, 'exit 1');
    const at = (id: string) => join(repository.path, '.worktrees', id);
    repository.git('-C', at('001'), 'switch', '-q', '-c', 'mine');
    repository.git('-C', at('002'), 'checkout', '-q', '--detach');
    await store.retry({ feature: '001' });
    await store.retry({ feature: '002' });
    const { summary, events } = await work({ store }, 'true');
    expect(summary).toMatchObject({ exit_status: 5, completed: ['002'] });
    expect(summary.skipped).toMatchObject([{ feature: '001', error: expect.stringContaining("'mine'") }]);
    expect(only(events, 'skipped')).toMatchObject([{ code: 'BRANCH_EXISTS' }]);
    expect(await store.show({ feature: '001' })).toMatchObject({ status: 'pending', retry_count: 1 });
    expect(repository.git('-C', at('001'), 'symbolic-ref', '--short', 'HEAD')).toBe('mine');
  });

  it('whose branch cannot be beside another one is refused, whichever of the two is the longer name', async () => {
    const { store, repository } = await makeProject([{ id: '001' }, { id: '002' }]);
    repository.git('branch', 'feature/001/x');
    const refusal = await store.claim({ feature: '001', worktree: true }).catch((error) => error);
    expect(refusal).toMatchObject({
      code: 'BRANCH_EXISTS',
      message: "branch 'feature/001/x' stands in the way of a branch 'feature/001'",
    });
    repository.git('branch', '-D', 'feature/001/x');
    repository.git('update-ref', 'refs/heads/feature', 'main');
    expect(await codeOf(store.claim({ feature: '002', worktree: true }))).toBe('BRANCH_EXISTS');
    const { summary } = await work({ store }, 'true');
    expect(summary).toMatchObject({ exit_status: 5, completed: [] });
    expect(summary.skipped.map(({ feature }) => feature)).toEqual(['001', '002']);
    expect((await store.status()).progress).toMatchObject({ pending: 2, in_progress: 0 });
  });

  it('of a completed feature that a killed runner left is removed by the next run; uncommitted work stays', async () => {
    const { store, repository } = await makeProject([{ id: 'clean' }, { id: 'dirty' }, { id: 'mine' }]);
    for (const id of ['clean', 'dirty']) {
      const { token, worktree } = await store.claim({ feature: id, worker: id, worktree: true });
      writeFileSync(join(repository.path, '.git', 'worktrees', id, 'gitstate-passing'), 'work\n');
      if (id === 'dirty') writeFileSync(join(worktree!, 'new'), 'x');
      await store.complete({ feature: id, token: token! });
    }
    const mine = await store.claim({ feature: 'mine', worker: 'me', worktree: true });
    await store.complete({ feature: 'mine', token: mine.token! });
    const { events } = await work({ store }, 'true');
    expect(only(events, 'worktree_removed').map(({ feature }) => feature)).toEqual(['clean']);
    expect(only(events, 'worktree_kept')).toMatchObject([
      { feature: 'dirty', message: 'it has uncommitted changes' },
    ]);
    expect(existsSync(join(repository.path, '.worktrees', 'mine'))).toBe(true);
  });
});

const mounted: string[] = [];
afterEach(() => {
  for (const path of mounted.splice(0)) execFileSync('umount', ['-l', path]);
});

/** A file system of its own with little room. @returns null where none can be mounted. */
function smallDisk(): string | null {
  const path = temporaryDirectory();
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', path], { stdio: 'ignore' });
  } catch {
    return null;
  }
  mounted.push(path);
  return path;
}

function fill(path: string): void {
  try {
    for (let index = 0; ; index += 1) writeFileSync(join(path, `filler-${index}`), Buffer.alloc(4096));
  } catch {
    // It is full.
  }
}

function free(path: string): void {
  execFileSync('sh', ['-c', 'rm -f "$1"/filler-*', 'sh', path]);
}

describe.skipIf(getuid?.() !== 0)('a full disk (needs root, to mount a small one)', () => {
  it('under the worktrees gives the claims back, and the next run goes on', async (context) => {
    const disk = smallDisk();
    if (disk === null) return context.skip('no tmpfs can be mounted here');
    const { store, repository } = await makeProject([{ id: '001' }, { id: '002' }]);
    repository.git('config', 'gitstate.worktreeRoot', join(disk, 'trees'));
    fill(disk);
    const full = await work({ store: await openStore(repository.path) }, 'true');
    expect(full.summary).toMatchObject({ exit_status: 5, completed: [] });
    expect(full.summary.skipped.map(({ feature }) => feature)).toEqual(['001', '002']);
    expect(only(full.events, 'skipped').map(({ code }) => code)).toEqual(['DISK_FULL', 'DISK_FULL']);
    expect((await store.status()).progress).toMatchObject({ pending: 2, in_progress: 0, failed: 0 });
    free(disk);
    const { summary } = await work({ store: await openStore(repository.path) }, 'true');
    expect(summary).toMatchObject({ exit_status: 0, completed: ['001', '002'] });
  });

  it('under the repository is said, changes nothing, and is over when there is room', async (context) => {
    const disk = smallDisk();
    if (disk === null) return context.skip('no tmpfs can be mounted here');
    const { store, repository } = await makeProject([{ id: '001' }]);
    const copy = join(disk, 'copy');
    mkdirSync(copy);
    repository.git('clone', '-q', '--no-hardlinks', repository.path, copy);
    rmSync(join(copy, '.git', 'hooks'), { recursive: true, force: true });
    repository.git('-C', copy, 'branch', '-q', 'gitstate', 'origin/gitstate');
    // A clone that knows of a server would be asked to claim through it.
    repository.git('-C', copy, 'remote', 'remove', 'origin');
    const tip = await store.tip();
    fill(disk);
    const there = await openStore(copy);
    expect(await codeOf(there.claim({ worker: 'W1' }))).toBe('DISK_FULL');
    expect(repository.git('-C', copy, 'rev-parse', 'gitstate')).toBe(tip);
    free(disk);
    expect(await there.claim({ worker: 'W1' })).toMatchObject({ worker: 'W1', changed: true });
  });
});
