import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { expect, test } from 'vitest';
import { openStoreIn } from '../../src/store/open.ts';
import { expectSound } from '../support/oracle.ts';
import { makeRepository, type TestRepository, temporaryDirectory } from '../support/repo.ts';
import { addFeatures, codeOf, makeStore, openTestStore, testEnv } from '../support/store.ts';

/** The main job once through, from `cwd`. */
async function exercise(repository: TestRepository, cwd = repository.path) {
  const store = await openTestStore(cwd);
  await store.init();
  await store.sessionStart({ session: 's', steps: ['a'] });
  await addFeatures(store, ['1', '2']);
  const { token } = await store.claim({ worker: 'W1' });
  await store.stepDone({ feature: '1', step: 'a', token: token! });
  await store.checkpointCreate({ name: 'half' });
  await store.complete({ feature: '1', token: token! });
  await store.restore({ point: 'half' });
  expect((await store.list()).features.map(({ status }) => status)).toEqual(['pending', 'pending']);
  await expectSound(repository);
}

test('from a subfolder', async () => {
  const repository = makeRepository();
  mkdirSync(join(repository.path, 'a/b'), { recursive: true });
  await exercise(repository, join(repository.path, 'a/b'));
});

test('in a linked worktree the same store is seen as in the main one', async () => {
  const repository = makeRepository();
  const linked = join(temporaryDirectory(), 'linked tree');
  repository.git('worktree', 'add', '-q', linked, '-b', 'side');
  await exercise(repository, linked);
  const store = await openTestStore(repository.path);
  expect((await store.list()).features).toHaveLength(2);
});

test('in a bare repository', () => exercise(makeRepository({ bare: true })));

test('in a SHA-256 repository', async () => {
  const repository = makeRepository({ objectFormat: 'sha256' });
  await exercise(repository);
  expect(repository.git('rev-parse', 'gitstate')).toMatch(/^[0-9a-f]{64}$/);
});

test('with GIT_DIR and other variables of a hook set', async () => {
  const repository = makeRepository();
  const elsewhere = temporaryDirectory();
  const variables = {
    ...process.env,
    GIT_DIR: join(repository.path, '.git'),
    GIT_INDEX_FILE: join(elsewhere, 'index'),
    GIT_PREFIX: 'x/',
  };
  const store = await openStoreIn({}, { cwd: elsewhere, env: { ...testEnv(), variables } });
  await store.init();
  await store.close();
  expect(repository.git('rev-parse', '--verify', 'gitstate')).toMatch(/^[0-9a-f]{40}$/);
  expect(existsSync(join(elsewhere, 'index'))).toBe(false);
});

test('with everything packed, and again after Git repacked it', async () => {
  const { repository, store } = await makeStore();
  await addFeatures(store, ['1', '2', '3']);
  await store.checkpointCreate({ name: 'one' });
  repository.git('repack', '-qad');
  repository.git('pack-refs', '--all');
  repository.git('prune-packed');
  const fresh = await openTestStore(repository.path);
  const { token } = await fresh.claim({ worker: 'W1' });
  repository.git('pack-refs', '--all');
  await fresh.complete({ feature: '1', token: token! });
  expect((await store.list({ status: ['completed'] })).features.map(({ id }) => id)).toEqual(['1']);
  repository.git('gc', '-q');
  await fresh.note({ message: 'after gc' });
  await expectSound(repository);
});

test('a branch of another name, by option and by configuration', async () => {
  const repository = makeRepository();
  const store = await openTestStore(repository.path, { branch: 'team/state' });
  expect(await store.init()).toMatchObject({ branch: 'team/state' });
  repository.git('config', 'gitstate.branch', 'team/state');
  const other = await openTestStore(repository.path);
  expect(await other.init()).toMatchObject({ branch: 'team/state', changed: false });
  expect(await codeOf(openTestStore(repository.path, { branch: '../x' }))).toBe('INVALID_INPUT');
});

test('a state branch that is checked out is named', async () => {
  const { repository, store } = await makeStore();
  expect(store.warnings()).toEqual([]);
  const linked = join(temporaryDirectory(), 'state');
  repository.git('worktree', 'add', '-q', linked, 'gitstate');
  expect(store.warnings().join()).toContain('checked out');
  await store.note({ message: 'goes on' });
});

test('inside a receive hook nothing is written', async () => {
  const repository = makeRepository({ bare: true });
  const env = { ...testEnv(), variables: { ...process.env, GIT_QUARANTINE_PATH: 'x' } };
  const store = await openTestStore(repository.path, {}, env);
  expect(await codeOf(store.init())).toBe('READ_ONLY');
});

/** Every file below a folder with its content, but for what is ours. */
function photograph(root: string, skip: (path: string) => boolean): Map<string, string> {
  const files = new Map<string, string>();
  const visit = (folder: string) => {
    for (const name of readdirSync(folder)) {
      const path = join(folder, name);
      if (skip(relative(root, path))) continue;
      if (statSync(path).isDirectory()) visit(path);
      else files.set(relative(root, path), readFileSync(path, 'latin1'));
    }
  };
  visit(root);
  return files;
}

const ours =
  /^\.git\/(objects|gitstate|refs\/gitstate|refs\/tags\/gitstate|refs\/heads\/gitstate|logs\/refs\/heads\/gitstate)(\/|$)/;

test('a rebase in progress with a staged index is not touched', async () => {
  const repository = makeRepository();
  repository.git('checkout', '-q', '-b', 'topic');
  repository.write('README', 'topic\n');
  repository.commit('topic');
  repository.git('checkout', '-q', 'main');
  repository.write('README', 'main\n');
  repository.commit('main');
  repository.git('checkout', '-q', 'topic');
  expect(() => repository.git('rebase', 'main')).toThrow();
  repository.write('staged.txt', 'staged\n');
  repository.git('add', 'staged.txt');
  repository.write('untracked.txt', 'untracked\n');
  const before = photograph(repository.path, (path) => ours.test(path));
  const refs = () =>
    repository
      .git('for-each-ref')
      .split('\n')
      .filter((line) => !line.includes('gitstate'));
  const refsBefore = refs();
  await exercise(repository);
  expect(photograph(repository.path, (path) => ours.test(path))).toEqual(before);
  expect(refs()).toEqual(refsBefore);
  expect(repository.git('status', '--porcelain')).toContain('A  staged.txt');
});

test('a user hook on refs and a signing setting stop nothing', async () => {
  const { repository, store } = await makeStore();
  const hooks = join(repository.path, '.git/hooks');
  mkdirSync(hooks, { recursive: true });
  execFileSync('sh', [
    '-c',
    `printf '#!/bin/sh\\nexit 1\\n' > '${hooks}/reference-transaction'; chmod +x '${hooks}/reference-transaction'`,
  ]);
  await addFeatures(store, ['1']);
  await (await openTestStore(repository.path)).checkpointCreate({ name: 'c' });
});
