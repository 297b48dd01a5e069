import { mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { committerIdentity } from '../../src/git/identity.ts';
import { bindRepository, openRepository } from '../../src/git/repository.ts';
import { cloneRepository, makeRepository, runGit, temporaryDirectory } from '../support/repo.ts';

const open = (cwd: string, variables: Record<string, string> = {}) =>
  openRepository({ cwd, variables: { ...process.env, ...variables } });

describe('a repository is found', () => {
  test('from a folder inside it', async () => {
    const { path, write } = makeRepository();
    write('src/deep/file', 'x');
    const repository = await open(join(path, 'src/deep'));
    expect(repository).toMatchObject({
      cwd: join(path, 'src/deep'),
      gitDir: join(path, '.git'),
      commonDir: join(path, '.git'),
      objectsDir: join(path, '.git/objects'),
      workTree: path,
      mainWorkTree: path,
      worktreeName: null,
      bare: false,
      objectFormat: 'sha1',
      refFormat: 'files',
      quarantined: false,
    });
    expect(`git version ${repository.version.join('.')}`).toBe(
      runGit(path, ['version']).replace(/(\d+\.\d+\.\d+).*/, '$1'),
    );
  });

  test('from a linked worktree, through a symbolic link', async () => {
    const { path, git } = makeRepository({ name: 'with space é' });
    const linked = join(temporaryDirectory(), 'linked');
    git('worktree', 'add', '-q', linked);
    const link = join(temporaryDirectory(), 'link');
    symlinkSync(linked, link);
    expect(await open(link)).toMatchObject({
      gitDir: join(path, '.git/worktrees/linked'),
      commonDir: join(path, '.git'),
      objectsDir: join(path, '.git/objects'),
      workTree: linked,
      mainWorkTree: path,
      worktreeName: 'linked',
      bare: false,
    });
  });

  test('when it is bare, and from a worktree of it', async () => {
    const source = makeRepository();
    const bare = cloneRepository(source.path, '--bare');
    expect(await open(bare.path)).toMatchObject({
      gitDir: bare.path,
      commonDir: bare.path,
      workTree: null,
      mainWorkTree: null,
      bare: true,
    });
    const linked = join(temporaryDirectory(), 'linked');
    bare.git('worktree', 'add', '-q', linked);
    expect(await open(linked)).toMatchObject({
      commonDir: bare.path,
      workTree: linked,
      mainWorkTree: null,
      bare: true,
    });
  });

  test('from inside its Git directory', async () => {
    const { path } = makeRepository();
    expect(await open(join(path, '.git/refs'))).toMatchObject({
      commonDir: join(path, '.git'),
      workTree: null,
      mainWorkTree: path,
    });
  });

  test('by GIT_DIR, even a relative one, as inside hooks', async () => {
    const { path } = makeRepository();
    const other = makeRepository();
    const repository = await open(path, { GIT_DIR: '.git', GIT_INDEX_FILE: '/nowhere', GIT_PREFIX: 'x/' });
    expect(repository.commonDir).toBe(join(path, '.git'));
    const elsewhere = await open(path, { GIT_DIR: join(other.path, '.git'), GIT_WORK_TREE: other.path });
    expect(elsewhere).toMatchObject({ commonDir: join(other.path, '.git'), workTree: other.path });
    // Once found it is bound: the variables have no further say.
    expect(await elsewhere.git.text(['rev-parse', 'HEAD'])).toBe(other.git('rev-parse', 'HEAD'));
  });

  test('as a submodule', async () => {
    const { path, git } = makeRepository();
    const inner = makeRepository();
    git('-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'add', inner.path, 'sub');
    expect(await open(join(path, 'sub'))).toMatchObject({
      commonDir: join(path, '.git/modules/sub'),
      workTree: join(path, 'sub'),
      mainWorkTree: join(path, 'sub'),
      worktreeName: null,
    });
  });

  test('with SHA-256', async () => {
    const { path, git } = makeRepository({ objectFormat: 'sha256' });
    const repository = await open(path);
    expect(repository.objectFormat).toBe('sha256');
    expect(await repository.git.text(['rev-parse', 'HEAD'])).toBe(git('rev-parse', 'HEAD'));
  });

  test('shallow or not, as it is at the moment', async () => {
    const source = makeRepository();
    source.commit('second');
    const clone = cloneRepository(`file://${source.path}`, '--depth=1');
    const repository = await open(clone.path);
    expect(repository.shallow()).toBe(true);
    clone.git('fetch', '-q', '--unshallow');
    expect(repository.shallow()).toBe(false);
  });

  test('in quarantine, inside a receive hook', async () => {
    const { path } = makeRepository();
    expect((await open(path, { GIT_QUARANTINE_PATH: '/x' })).quarantined).toBe(true);
  });

  test('without Git, from facts found earlier', async () => {
    const { path, git } = makeRepository();
    const facts = await open(path);
    const again = bindRepository(facts, { ...process.env });
    expect(await again.git.text(['rev-parse', 'HEAD'])).toBe(git('rev-parse', 'HEAD'));
  });
});

describe('no repository', () => {
  test('where there is none', async () => {
    const cwd = temporaryDirectory();
    await expect(open(cwd)).rejects.toMatchObject({
      code: 'NOT_A_REPOSITORY',
      message: `no Git repository at '${cwd}'`,
    });
  });

  test('where there is no directory', async () => {
    await expect(open('/no/such/directory')).rejects.toMatchObject({ code: 'NOT_A_REPOSITORY' });
  });

  test('where it belongs to somebody else: with the advice of Git', async () => {
    const { path } = makeRepository();
    const variables = { GIT_TEST_ASSUME_DIFFERENT_OWNER: '1' };
    // Only Git's own test switch, which is scrubbed; so a Git that sets it stands before the real one.
    const shims = temporaryDirectory();
    const real = runGit(path, ['--exec-path']);
    writeFileSync(
      join(shims, 'git'),
      `#!/bin/sh\nGIT_TEST_ASSUME_DIFFERENT_OWNER=1 exec ${real}/git "$@"\n`,
      { mode: 0o755 },
    );
    await expect(open(path, { ...variables, PATH: `${shims}:${process.env.PATH}` })).rejects.toMatchObject({
      code: 'NOT_A_REPOSITORY',
      message: expect.stringContaining('dubious ownership'),
      hint: expect.stringContaining(`git config --global --add safe.directory ${path}`),
    });
  });

  test('where its format is unknown', async () => {
    const { path, git } = makeRepository();
    git('config', 'core.repositoryFormatVersion', '99');
    await expect(open(path)).rejects.toMatchObject({
      code: 'GIT_FAILED',
      message: expect.stringContaining('99'),
    });
  });

  test('without Git', async () => {
    const { path } = makeRepository();
    await expect(open(path, { PATH: temporaryDirectory() })).rejects.toMatchObject({ code: 'GIT_NOT_FOUND' });
  });

  test('with a Git that is too old', async () => {
    const { path } = makeRepository();
    const shims = temporaryDirectory();
    writeFileSync(join(shims, 'git'), '#!/bin/sh\ncase "$*" in *version) echo git version 2.20.1 ;; esac\n', {
      mode: 0o755,
    });
    await expect(open(path, { PATH: `${shims}:${process.env.PATH}` })).rejects.toMatchObject({
      code: 'GIT_NOT_FOUND',
      message: 'git 2.20.1 is too old',
      details: { version: '2.20.1' },
    });
  });
});

describe('settings', () => {
  test('are read from every file, included ones too', async () => {
    const { path, git } = makeRepository();
    const included = join(temporaryDirectory(), 'more');
    writeFileSync(included, '[app]\n\tname = included\n\tlist = two\n[Remote "Origin.X"]\n\tURL = u\n');
    git('config', 'app.list', 'one');
    git('config', 'include.path', included);
    git('config', 'app.flag', 'yes');
    git('config', 'app.size', '2k');
    writeFileSync(join(path, '.git/config'), '[app]\n\tbare\n\tempty =\n\ttext = "a\\nb"\n', { flag: 'a' });
    const { config } = await open(path);
    expect(config.getAll('app.list')).toEqual(['one', 'two']);
    expect(config.get('APP.List')).toBe('two');
    expect(config.get('app.name')).toBe('included');
    expect(config.get('remote.Origin.X.url')).toBe('u');
    expect(config.get('remote.origin.x.url')).toBeUndefined();
    expect(config.get('app.text')).toBe('a\nb');
    expect([
      config.bool('app.flag', false),
      config.bool('app.bare', false),
      config.bool('app.none', true),
    ]).toEqual([true, true, true]);
    expect(config.bool('app.empty', true)).toBe(false);
    expect(config.int('app.size', 1)).toBe(2048);
    expect(() => config.bool('app.name', true)).toThrow(expect.objectContaining({ code: 'INVALID_INPUT' }));
  });

  test('given for one command hold', async () => {
    const { path } = makeRepository();
    const variables = { GIT_CONFIG_COUNT: '1', GIT_CONFIG_KEY_0: 'app.name', GIT_CONFIG_VALUE_0: 'given' };
    expect((await open(path, variables)).config.get('app.name')).toBe('given');
  });

  test('of a linked worktree of its own hold there', async () => {
    const { git } = makeRepository();
    const linked = join(temporaryDirectory(), 'linked');
    git('config', 'extensions.worktreeConfig', 'true');
    git('worktree', 'add', '-q', linked);
    runGit(linked, ['config', '--worktree', 'app.name', 'own']);
    expect((await open(linked)).config.get('app.name')).toBe('own');
  });
});

describe('the committer', () => {
  test('has a name even where nobody is named', async () => {
    const { config } = await open(makeRepository().path);
    const { name, email } = committerIdentity(config, {});
    expect(name).toBe('gitstate');
    expect(email).toMatch(/^gitstate@./);
  });

  test('is who Git says it is', async () => {
    const { path, git } = makeRepository();
    git('config', 'user.name', 'Ú. Ser');
    git('config', 'user.email', 'u@example.com');
    const { config } = await open(path);
    expect(committerIdentity(config, {})).toEqual({ name: 'Ú. Ser', email: 'u@example.com' });
    expect(committerIdentity(config, { GIT_COMMITTER_NAME: 'Other' }).name).toBe('Other');
  });

  test('cannot break a header', async () => {
    const { config } = await open(makeRepository().path);
    const variables = { GIT_COMMITTER_NAME: 'a\nparent <x>\0', GIT_COMMITTER_EMAIL: ' <\n> ', EMAIL: 'e@x' };
    expect(committerIdentity(config, variables)).toEqual({ name: 'aparent x', email: 'e@x' });
  });
});

test('a repository that moves away is no Git failure without words', async () => {
  const { path } = makeRepository();
  const repository = await open(path);
  renameSync(path, `${path}-moved`);
  await expect(repository.git.run(['rev-parse', 'HEAD'])).rejects.toMatchObject({
    code: 'NOT_A_REPOSITORY',
    message: `no directory '${path}'`,
  });
  mkdirSync(path);
});
