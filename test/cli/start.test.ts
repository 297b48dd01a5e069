import {
  chmodSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { commandFile, execute, gitState, makeWorkplace } from '../support/cli.ts';
import { runGit, temporaryDirectory } from '../support/repo.ts';

/** How the command starts: what it loads, what it keeps for the next time, and which processes it needs. */

/** Runs a command with a cache folder of its own. */
function cached() {
  const home = temporaryDirectory();
  const folder = join(home, 'gitstate');
  const run = (...args: string[]) => gitState(args, { cwd: home, env: { XDG_CACHE_HOME: home } });
  const files = () => (existsSync(folder) ? readdirSync(folder) : []);
  const file = () => join(folder, files()[0]!);
  return { home, folder, run, files, file };
}

async function expectHelp({ run }: ReturnType<typeof cached>, times = 1) {
  for (let count = 0; count < times; count += 1) {
    const { status, stdout } = await run('help', 'claim');
    expect([status, stdout]).toEqual([0, expect.stringContaining('Takes a feature')]);
  }
}

test('--version needs nothing but the file that is run', async () => {
  const alone = join(temporaryDirectory(), 'git-state.cjs');
  copyFileSync(commandFile, alone);
  const { version } = JSON.parse(readFileSync(join(dirname(commandFile), '..', 'package.json'), 'utf8'));
  const plain = await execute(process.execPath, [alone, '--version']);
  expect(plain).toEqual({ status: 0, stdout: `git-state ${version}\n`, stderr: '' });
  // The answer is the same where the rest is loaded, too.
  expect((await gitState(['--version', '--quiet'])).stdout).toBe(plain.stdout);
  expect((await execute(process.execPath, [alone, 'claim'])).status).toBe(1);
});

test('compiled code is kept where only the user can write, and thrice for each command', async () => {
  const place = cached();
  await expectHelp(place);
  expect(place.files()).toHaveLength(1);
  const modes = [place.folder, place.file()].map((path) => statSync(path).mode & 0o777);
  expect(modes).toEqual([0o700, 0o600]);
  // A number of an inode that is free is given again.
  const stamp = () => statSync(place.file(), { bigint: true }).ctimeNs;
  const first = stamp();
  await expectHelp(place, 2);
  const third = stamp();
  expect(third).not.toBe(first);
  await expectHelp(place);
  expect(stamp()).toBe(third);
  expect((await place.run('help', 'status')).status).toBe(0);
  expect(place.files()).toHaveLength(1);
  expect(stamp()).not.toBe(third);
});

test.each<[string, (path: string) => void]>([
  ['garbled', (path) => writeFileSync(path, flipped(readFileSync(path), 5000))],
  ['cut off', (path) => writeFileSync(path, readFileSync(path).subarray(0, 20_000))],
  ['empty', (path) => writeFileSync(path, '')],
  ['a header alone', (path) => writeFileSync(path, readFileSync(path).subarray(0, 60))],
  ['writable for others', (path) => chmodSync(path, 0o666)],
  [
    'a symbolic link',
    (path) => {
      renameSync(path, `${path}.real`);
      symlinkSync(`${path}.real`, path);
    },
  ],
])('compiled code that is %s is not run, and is made anew', async (_, spoil) => {
  const place = cached();
  await expectHelp(place);
  const path = place.file();
  spoil(path);
  await expectHelp(place, 3);
  const { mode, ino } = lstatSync(path);
  expect(mode & 0o170777).toBe(0o100600);
  await expectHelp(place);
  expect(lstatSync(path).ino).toBe(ino);
});

test('a folder in which others can write gets nothing, and one that cannot be made is no failure', async () => {
  const place = cached();
  mkdirSync(place.folder);
  chmodSync(place.folder, 0o777);
  await expectHelp(place);
  expect(place.files()).toEqual([]);
  rmSync(place.folder, { recursive: true });
  writeFileSync(place.folder, '');
  await expectHelp(place);
});

test('a claim takes one process of Git, the first one in a repository four, and status none', async () => {
  const { repository, ok, json } = await makeWorkplace();
  for (const id of ['1', '2']) await ok(`add ${id}`);
  const shim = temporaryDirectory();
  const log = join(shim, 'log');
  const real = join(runGit('/', ['--exec-path']), 'git');
  writeFileSync(join(shim, 'git'), `#!/bin/sh\necho x >>'${log}'\nexec '${real}' "$@"\n`, { mode: 0o755 });
  const processesOf = async (args: string) => {
    writeFileSync(log, '');
    await json(args, { env: { PATH: `${shim}:${process.env.PATH}` } });
    return readFileSync(log, 'utf8').length / 2;
  };
  rmSync(join(repository.path, '.git/gitstate/cache'), { recursive: true });
  expect(await processesOf('claim --worker W1')).toBe(4);
  expect(await processesOf('claim --worker W2')).toBe(1);
  expect(await processesOf('status')).toBe(0);
});

test('a command runs the code that it needs, and no more', async () => {
  const { ok } = await makeWorkplace();
  await ok('add 1');
  const coverage = temporaryDirectory();
  /** The parts of the command that have begun to run, but for those that several share. */
  const partsOf = async (args: string) => {
    rmSync(coverage, { recursive: true });
    await ok(args, { env: { NODE_V8_COVERAGE: coverage } });
    const scripts = readdirSync(coverage).flatMap(
      (name) => JSON.parse(readFileSync(join(coverage, name), 'utf8')).result as Script[],
    );
    const { functions } = scripts.find(({ url }) => /command-[0-9a-f]+\.cjs$/.test(url))!;
    const ran = functions.filter(({ ranges }) => ranges[0]!.count > 0);
    const names = ran.map(({ functionName }) => /^\.\/(\w+)(?:-\w{8})?\.js$/.exec(functionName)?.[1]);
    return names.filter((name) => name !== undefined && name !== 'chunk').sort();
  };
  expect(await partsOf('show 1')).toEqual(['features', 'open', 'program', 'schemas', 'show']);
  // `lib` is write-file-atomic, for the cache.
  expect(await partsOf('claim 1')).toEqual(['claim', 'claims', 'lib', 'open', 'program', 'schemas']);
});

interface Script {
  url: string;
  functions: { functionName: string; ranges: { count: number }[] }[];
}

function flipped(bytes: Buffer, at: number): Buffer {
  bytes[at]! ^= 1;
  return bytes;
}
