import { chmodSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { systemEnv } from '../../src/env.ts';
import { readClaimFile } from '../../src/store/claim-file.ts';
import { linesOf, makeProject, only, openStore, work } from './support.ts';

describe('work', () => {
  it('works through a plan with four workers, dependencies first', async () => {
    const { store, repository, scratch } = await makeProject([
      { id: '001' },
      { id: '002', dependencies: ['001'] },
      { id: '003', dependencies: ['001'] },
      { id: '004', dependencies: ['002', '003'] },
      { id: '005' },
      { id: '006' },
    ]);
    const order = join(scratch, 'order');
    const script = 'echo "begin $GITSTATE_FEATURE" >> "$1"; sleep 0.1; echo "end $GITSTATE_FEATURE" >> "$1"';
    const { summary, events } = await work({ store, workers: 4 }, script, order);
    expect(summary).toMatchObject({ exit_status: 0, failed: [], skipped: [], remaining: 0 });
    expect([...summary.completed].sort()).toEqual(['001', '002', '003', '004', '005', '006']);
    const lines = linesOf(order);
    expect([...lines].sort()).toEqual([...new Set(lines)].sort());
    const at = (line: string) => lines.indexOf(line);
    for (const [first, then] of [
      ['001', '002'],
      ['001', '003'],
      ['002', '004'],
      ['003', '004'],
    ]) {
      expect(at(`end ${first}`)).toBeLessThan(at(`begin ${then}`));
    }
    const workers = new Set(only(events, 'claimed').map(({ worker }) => worker));
    for (const worker of workers) expect(['W1', 'W2', 'W3', 'W4']).toContain(worker);
    expect(workers.size).toBeGreaterThan(1);
    expect(events.at(-1)).toMatchObject({ event: 'finished', summary });
    expect(repository.git('for-each-ref', 'refs/gitstate/leases')).toBe('');
    expect((await store.status()).workers.every(({ status }) => status === 'idle')).toBe(true);
  });

  it('gives the command its environment, and nothing that ties Git to another repository', async () => {
    const { store, repository, scratch } = await makeProject([{ id: '001', name: 'Größe mit $HOME' }], {
      steps: ['plan', 'build'],
      name: 'ein Projekt ü',
    });
    const real = systemEnv();
    const variables = {
      ...real.variables,
      GIT_DIR: '/nowhere',
      GIT_INDEX_FILE: '/nowhere/index',
      GITSTATE_OTHER: 'x',
    };
    const out = join(scratch, 'environment');
    const script = `env -0 > "$1"; pwd >> "$1.git"; git rev-parse --abbrev-ref HEAD >> "$1.git"; echo " it went well
" > "$GITSTATE_SUMMARY_FILE"; test ! -t 0; cat > "$1.stdin"; git rev-parse --git-dir > "$1.gitdir"; cat "$(cat "$1.gitdir")/gitstate-claim.json" > "$1.claim"`;
    const env = { ...real, variables, identity: real.identity, userName: real.userName };
    const { summary } = await work({ store, env }, script, out);
    expect(summary.exit_status).toBe(0);
    const seen = Object.fromEntries(
      readFileSync(out, 'utf8')
        .split('\0')
        .filter(Boolean)
        .map((entry) => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)]),
    );
    const worktree = join(repository.path, '.worktrees', '001');
    expect(seen).toMatchObject({
      GITSTATE_SESSION: 's',
      GITSTATE_FEATURE: '001',
      GITSTATE_FEATURE_NAME: 'Größe mit $HOME',
      GITSTATE_STEP: 'plan',
      GITSTATE_WORKER: 'W1',
      GITSTATE_BRANCH: 'feature/001',
      GITSTATE_WORKTREE: worktree,
      GITSTATE_ATTEMPT: '1',
      PATH: process.env.PATH,
    });
    expect(seen.GITSTATE_TOKEN).toMatch(/^1-[0-9a-f]{40}$/);
    expect(seen.GITSTATE_SUMMARY_FILE?.startsWith(worktree)).toBe(false);
    for (const name of ['GIT_DIR', 'GIT_INDEX_FILE', 'GITSTATE_OTHER']) expect(seen).not.toHaveProperty(name);
    expect(linesOf(`${out}.git`)).toEqual([worktree, 'feature/001']);
    expect(readFileSync(`${out}.stdin`, 'utf8')).toBe('');
    expect(JSON.parse(readFileSync(`${out}.claim`, 'utf8'))).toMatchObject({
      feature: '001',
      token: seen.GITSTATE_TOKEN,
    });
    const feature = await store.show({ feature: '001' });
    expect(feature).toMatchObject({ status: 'completed', summary: 'it went well' });
    expect(feature.steps.map(({ status }) => status)).toEqual(['skipped', 'skipped']);
    expect(existsSync(seen.GITSTATE_SUMMARY_FILE!)).toBe(false);
  });

  it('hands on every other variable as it is', async () => {
    const { store } = await makeProject([{ id: '001' }]);
    const real = systemEnv();
    const variables = { ...real.variables, 'odd-name.x': 'kept', EMPTY: '', GIT_CONFIG_COUNT: '0' };
    const env = { ...real, variables, identity: real.identity, userName: real.userName };
    const { events } = await work({ store, env, command: ['env'] }, '');
    const lines = linesOf(only(events, 'started')[0]?.log as string);
    expect(lines).toEqual(expect.arrayContaining(['odd-name.x=kept', 'EMPTY=', 'GIT_CONFIG_COUNT=0']));
  });

  it('keeps the output of each attempt in a file', async () => {
    const { store, repository } = await makeProject([{ id: '001' }], { maxRetries: 1 });
    const script =
      'echo "out $GITSTATE_ATTEMPT"; echo "err $GITSTATE_ATTEMPT" >&2; test "$GITSTATE_ATTEMPT" = 2';
    const { summary, events } = await work({ store }, script);
    expect(summary.exit_status).toBe(0);
    const folder = join(repository.path, '.git', 'gitstate', 'logs', 's');
    expect(summary.logs).toBe(folder);
    const logs = only(events, 'started').map(({ log }) => log as string);
    expect(logs).toEqual([join(folder, '001', '1.log'), join(folder, '001', '2.log')]);
    for (const [index, path] of logs.entries()) {
      expect(linesOf(path).sort()).toEqual([`err ${index + 1}`, `out ${index + 1}`]);
    }
  });

  it('fails with the end of the error output, and tries again up to the limit', async () => {
    const { store, repository } = await makeProject(
      [{ id: '001' }, { id: '002', dependencies: ['001'] }, { id: '003' }],
      { maxRetries: 5 },
    );
    const script =
      'test "$GITSTATE_FEATURE" = 003 && exit 0; head -c 9000 /dev/zero | tr "\\0" x >&2; printf "\\n\\033[31mlast ä words\\033[0m\\a\\n" >&2; exit 3';
    const { summary, events } = await work({ store, retries: 2 }, script);
    expect(summary).toMatchObject({ exit_status: 5, completed: ['003'], remaining: 2 });
    const failures = only(events, 'failed');
    expect(failures.map(({ attempt, will_retry }) => [attempt, will_retry])).toEqual([
      [1, true],
      [2, true],
      [3, false],
    ]);
    const { status, error, retry_count } = await store.show({ feature: '001' });
    expect({ status, retry_count }).toEqual({ status: 'failed', retry_count: 3 });
    expect(error?.endsWith('xxx\nlast ä words')).toBe(true);
    expect(Buffer.byteLength(error!)).toBeLessThanOrEqual(2000);
    expect(summary.failed).toEqual([{ feature: '001', error, log: failures[2]!.log }]);
    expect(failures[2]!.log).toMatch(/\/s\/001\/3\.log$/);
    expect((await store.show({ feature: '002' })).status).toBe('pending');
    expect(existsSync(join(repository.path, '.worktrees', '001'))).toBe(true);
    expect(readClaimFile(join(repository.path, '.git', 'worktrees', '001'))).toBeNull();
  });

  it('says how a silent command ended', async () => {
    const { store } = await makeProject([{ id: '001' }, { id: '002' }], { maxRetries: 0 });
    const script = 'test "$GITSTATE_FEATURE" = 001 && exit 7; kill -KILL $$';
    const { summary } = await work({ store }, script);
    expect(summary.failed).toMatchObject([
      { feature: '001', error: 'the command exited with status 7' },
      { feature: '002', error: 'the command was ended by SIGKILL' },
    ]);
  });

  it('refuses a program that is not there before anything is claimed', async () => {
    const { store } = await makeProject([{ id: '001' }]);
    const command = ['no-such-program-anywhere', 'x'];
    await expect(work({ store, command }, '')).rejects.toMatchObject({ code: 'USAGE' });
    await expect(work({ store, command: [] }, '')).rejects.toMatchObject({ code: 'USAGE' });
    await expect(work({ store, workers: 0 }, '')).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    await expect(work({ store, base: 'no-such-branch' }, '')).rejects.toMatchObject({
      code: 'COMMIT_NOT_FOUND',
    });
    expect((await store.show({ feature: '001' })).status).toBe('pending');
  });

  it('takes the number of workers from the session, and is done at once where nothing is to do', async () => {
    const { store, scratch } = await makeProject([{ id: '001' }, { id: '002' }], {
      config: { workers_count: 2 },
    });
    const meet =
      'touch "$1/$GITSTATE_FEATURE"; until test -e "$1/001" && test -e "$1/002"; do sleep 0.05; done';
    const { summary } = await work({ store }, meet, scratch);
    expect(summary).toMatchObject({ exit_status: 0, remaining: 0 });
    expect((await work({ store }, 'exit 1')).summary).toMatchObject({ exit_status: 0, completed: [] });
  });
});

describe('steps', () => {
  it('runs the command once per step, and goes on at the step that failed', async () => {
    const { store, scratch } = await makeProject([{ id: '001' }], { steps: ['a', 'b', 'c'] });
    const trace = join(scratch, 'trace');
    const script =
      'echo "$GITSTATE_ATTEMPT $GITSTATE_STEP" >> "$1"; echo "$GITSTATE_STEP" >> "$GITSTATE_SUMMARY_FILE"; test "$GITSTATE_ATTEMPT$GITSTATE_STEP" != 1b';
    const { summary, events } = await work({ store, perStep: true }, script, trace);
    expect(summary).toMatchObject({ exit_status: 0, completed: ['001'] });
    expect(linesOf(trace)).toEqual(['1 a', '1 b', '2 b', '2 c']);
    expect(only(events, 'step_done').map(({ step }) => step)).toEqual(['a', 'b', 'c']);
    expect(only(events, 'started').map(({ log }) => (log as string).split('/').at(-1))).toEqual([
      '1-a.log',
      '1-b.log',
      '2-b.log',
      '2-c.log',
    ]);
    const feature = await store.show({ feature: '001' });
    expect(feature.steps_completed).toEqual(['a', 'b', 'c']);
    expect(feature.summary).toBe('b\nc');
  });

  it('runs once for a feature without steps', async () => {
    const { store, scratch } = await makeProject([{ id: '001' }]);
    const trace = join(scratch, 'trace');
    const { summary } = await work({ store, perStep: true }, 'echo "[$GITSTATE_STEP]" >> "$1"', trace);
    expect(summary.exit_status).toBe(0);
    expect(linesOf(trace)).toEqual(['[]']);
  });
});

describe('worktrees', () => {
  it('removes what is finished and clean, and never what is uncommitted', async () => {
    const { store, repository } = await makeProject([{ id: 'clean' }, { id: 'dirty' }]);
    const script = 'test "$GITSTATE_FEATURE" = clean || echo x > new-file';
    const { events } = await work({ store }, script);
    expect(only(events, 'worktree_removed').map(({ feature }) => feature)).toEqual(['clean']);
    expect(only(events, 'worktree_kept')).toMatchObject([
      { feature: 'dirty', message: 'it has uncommitted changes' },
    ]);
    expect(existsSync(join(repository.path, '.worktrees', 'clean'))).toBe(false);
    expect(existsSync(join(repository.path, '.worktrees', 'dirty', 'new-file'))).toBe(true);
    expect(repository.git('branch', '--list', 'feature/*', '--format=%(refname:short)').split('\n')).toEqual([
      'feature/clean',
      'feature/dirty',
    ]);
  });

  it('keeps commits of a detached HEAD', async () => {
    const { store, repository } = await makeProject([{ id: '001' }]);
    const script =
      'git checkout -q --detach && git -c core.hooksPath=/dev/null -c commit.gpgSign=false -c user.name=A -c user.email=a@b.c commit -q --allow-empty -m x';
    const { summary, events } = await work({ store }, script);
    expect(summary.exit_status).toBe(0);
    expect(only(events, 'worktree_kept')).toMatchObject([
      { message: 'it has commits that are on no branch' },
    ]);
    expect(existsSync(join(repository.path, '.worktrees', '001'))).toBe(true);
  });

  it('keeps or removes them all where that is asked for', async () => {
    const { store, repository } = await makeProject([{ id: '001' }, { id: '002' }], { maxRetries: 0 });
    await work({ store, keepWorktrees: 'always' }, 'test "$GITSTATE_FEATURE" = 001');
    const at = (id: string) => existsSync(join(repository.path, '.worktrees', id));
    expect([at('001'), at('002')]).toEqual([true, true]);
    await store.retry({ feature: '002' });
    await work({ store, keepWorktrees: 'never' }, 'exit 1');
    expect([at('001'), at('002')]).toEqual([true, false]);
  });

  it('skips a feature whose branch is checked out elsewhere, and does the others', async () => {
    const { store, repository, scratch } = await makeProject([{ id: '001' }, { id: '002' }, { id: '003' }]);
    await store.update({ feature: '001', branchName: 'mine' });
    repository.git('worktree', 'add', '-q', '-b', 'mine', join(scratch, 'mine'));
    const { summary, events } = await work({ store, workers: 2 }, 'true');
    expect(summary).toMatchObject({ exit_status: 5, remaining: 1 });
    expect([...summary.completed].sort()).toEqual(['002', '003']);
    expect(summary.skipped).toMatchObject([{ feature: '001' }]);
    expect(only(events, 'skipped')).toMatchObject([{ feature: '001', code: 'BRANCH_EXISTS' }]);
    expect(await store.show({ feature: '001' })).toMatchObject({ status: 'pending', retry_count: 0 });
  });

  it("skips a feature whose branch the user's hook refuses", async () => {
    const { store, repository } = await makeProject([{ id: '001' }, { id: '002' }]);
    repository.write(
      '.git/hooks/reference-transaction',
      '#!/bin/sh\nwhile read -r old new ref; do test "$ref" != refs/heads/feature/001 || { echo "not here" >&2; exit 1; }; done\n',
    );
    repository.git('config', 'core.hooksPath', join(repository.path, '.git', 'hooks'));
    chmodSync(join(repository.path, '.git/hooks/reference-transaction'), 0o755);
    const fresh = await openStore(repository.path);
    const { summary, events } = await work({ store: fresh }, 'true');
    expect(summary).toMatchObject({ exit_status: 5, completed: ['002'] });
    expect(summary.skipped).toMatchObject([{ feature: '001' }]);
    expect(only(events, 'skipped', 'claim_failed').map(({ event }) => event)).toEqual([
      'claim_failed',
      'skipped',
    ]);
    expect((await store.show({ feature: '001' })).status).toBe('pending');
  });
});
