import {
  appendFileSync,
  chownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openRemembered } from '../../src/git/remembered.ts';
import { openRepository } from '../../src/git/repository.ts';
import { makeRepository, runGit, temporaryDirectory } from '../support/repo.ts';

const cacheDirectory = 'app/cache';

/** A Git that notes each call; `opened` opens with it and says how often it was called. */
function watchedGit() {
  const directory = temporaryDirectory();
  const log = join(directory, 'calls');
  const real = join(runGit('/', ['--exec-path']), 'git');
  writeFileSync(join(directory, 'git'), `#!/bin/sh\necho x >>${log}\nexec ${real} "$@"\n`, { mode: 0o755 });
  const home = temporaryDirectory();
  const variables = { PATH: `${directory}:${process.env.PATH}`, HOME: home, GIT_CONFIG_NOSYSTEM: '1' };
  const opened = async (cwd: string, more: Record<string, string> = {}) => {
    writeFileSync(log, '');
    const repository = await openRemembered({ cwd, variables: { ...variables, ...more }, cacheDirectory });
    const calls =
      runGit(directory, ['hash-object', 'calls']) === runGit(directory, ['hash-object', '/dev/null']);
    return { repository, asked: !calls };
  };
  return { opened, home, variables };
}

test('a second look needs no Git and gives the same', async () => {
  const { opened, variables } = watchedGit();
  const { path, write, git } = makeRepository();
  write('src/file', 'x');
  expect((await opened(path)).asked).toBe(true);
  const { repository, asked } = await opened(join(path, 'src'));
  expect(asked).toBe(false);
  const fresh = await openRepository({ cwd: join(path, 'src'), variables });
  expect({ ...repository, shallow: null, git: null }).toEqual({ ...fresh, shallow: null, git: null });
  expect(await repository.git.text(['rev-parse', 'HEAD'])).toBe(git('rev-parse', 'HEAD'));
});

test('no secret is copied into the repository', async () => {
  const { opened, home } = watchedGit();
  const { path } = makeRepository();
  const lines = '[http "https://h"]\n\textraHeader = s3cr3t\n[app]\n\tname = kept\n\ttoken = s3cr3t\n';
  writeFileSync(join(home, '.gitconfig'), lines);
  await opened(path);
  const directory = join(path, '.git', cacheDirectory);
  const [file = ''] = readdirSync(directory);
  expect(readFileSync(join(directory, file), 'utf8')).not.toContain('s3cr3t');
  expect(statSync(join(directory, file)).mode & 0o777).toBe(0o600);
  expect((await opened(path)).repository.config.get('app.name')).toBe('kept');
});

test('linked worktrees have memories of their own', async () => {
  const { opened } = watchedGit();
  const { path, git } = makeRepository();
  const linked = join(temporaryDirectory(), 'linked');
  git('worktree', 'add', '-q', linked);
  for (const cwd of [path, linked]) await opened(cwd);
  const [main, other] = [await opened(path), await opened(linked)];
  expect([main.asked, other.asked]).toEqual([false, false]);
  expect([main.repository.worktreeName, other.repository.worktreeName]).toEqual([null, 'linked']);
});

test.each<[string, (place: { path: string; home: string }) => void]>([
  ['a setting of the repository', ({ path }) => runGit(path, ['config', 'app.name', 'new'])],
  ['a first global file', ({ home }) => writeFileSync(join(home, '.gitconfig'), '[app]\n\tname = new\n')],
  [
    'another first global file',
    ({ home }) => {
      mkdirSync(join(home, '.config/git'), { recursive: true });
      writeFileSync(join(home, '.config/git/config'), '[app]\n\tname = new\n');
    },
  ],
  [
    'an included file that was missing',
    ({ home }) => writeFileSync(join(home, 'more'), '[app]\n\tname = new\n'),
  ],
])('is forgotten after a change of %s', async (_name, change) => {
  const { opened, home } = watchedGit();
  const { path, git } = makeRepository();
  git('config', 'include.path', '~/more');
  for (let round = 0; round < 2; round += 1) await opened(path);
  change({ path, home });
  const { repository, asked } = await opened(path);
  expect([asked, repository.config.get('app.name')]).toEqual([true, 'new']);
  expect((await opened(path)).asked).toBe(false);
});

test('variables that point elsewhere or bring settings are for Git to judge', async () => {
  const { opened } = watchedGit();
  const [{ path }, other] = [makeRepository(), makeRepository()];
  await opened(path);
  const { repository, asked } = await opened(path, { GIT_DIR: join(other.path, '.git') });
  expect([asked, repository.commonDir]).toEqual([true, join(other.path, '.git')]);
  const variables = { GIT_CONFIG_COUNT: '1', GIT_CONFIG_KEY_0: 'app.name', GIT_CONFIG_VALUE_0: 'given' };
  expect((await opened(path, variables)).repository.config.get('app.name')).toBe('given');
});

test('what is damaged, a link, or somebody else’s is not believed', async () => {
  const { opened } = watchedGit();
  const { path } = makeRepository();
  await opened(path);
  const directory = join(path, '.git', cacheDirectory);
  const file = join(directory, readdirSync(directory)[0]!);
  appendFileSync(file, 'x');
  expect((await opened(path)).asked).toBe(true);
  expect((await opened(path)).asked).toBe(false);
  rmSync(file);
  const target = join(temporaryDirectory(), 'target');
  writeFileSync(target, '{}');
  symlinkSync(target, file);
  expect((await opened(path)).asked).toBe(true);
});

test.skipIf(process.getuid?.() !== 0)('a repository that changes hands is judged again', async () => {
  const { opened } = watchedGit();
  const { path } = makeRepository();
  await opened(path);
  chownSync(join(path, '.git'), 12345, 12345);
  chownSync(path, 12345, 12345);
  await expect(opened(path)).rejects.toMatchObject({ code: 'NOT_A_REPOSITORY' });
});

test('inside a Git directory and in a bare repository Git is asked', async () => {
  const { opened } = watchedGit();
  const { path } = makeRepository();
  const bare = makeRepository({ bare: true });
  for (const cwd of [join(path, '.git'), join(path, '.git/refs'), bare.path]) {
    await opened(cwd);
    const { repository, asked } = await opened(cwd);
    expect([asked, repository.workTree]).toEqual([true, null]);
  }
});
