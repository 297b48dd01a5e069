import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { deflateSync } from 'node:zlib';
import { afterEach, expect, test } from 'vitest';
import { CatFileReader } from '../../src/git/reader.ts';
import { openRepository } from '../../src/git/repository.ts';
import { makeRepository } from '../support/repo.ts';

/** Objects and refs in files of their own, as they are read before any Git process runs. */

const open: CatFileReader[] = [];
afterEach(() => {
  for (const reader of open.splice(0)) reader.close();
});

/** A repository, a reader of it, and the Git processes that the reader has started. */
async function scene(options = {}) {
  const repository = makeRepository();
  const found = await openRepository({ cwd: repository.path, variables: process.env });
  let processes = 0;
  const git = Object.create(found.git, {
    start: {
      value: (...args: Parameters<typeof found.git.start>) => {
        processes += 1;
        return found.git.start(...args);
      },
    },
  });
  const reader = new CatFileReader({ ...found, git }, options);
  open.push(reader);
  const put = (content: string) => repository.gitWithInput(content, 'hash-object', '-w', '--stdin');
  const pathOf = (oid: string) => join(found.objectsDir, oid.slice(0, 2), oid.slice(2));
  return { repository, reader, put, pathOf, processes: () => processes };
}

test('objects, refs and refs that are not there are read without Git', async () => {
  const { repository, reader, put, processes } = await scene();
  const oid = put('content');
  const tip = repository.git('rev-parse', 'HEAD');
  expect(await reader.read(oid)).toEqual({ oid, type: 'blob', body: Buffer.from('content') });
  expect(await reader.info(oid)).toEqual({ oid, type: 'blob', size: 7 });
  expect(await reader.read('refs/heads/main')).toMatchObject({ oid: tip, type: 'commit' });
  expect(await reader.resolve('refs/heads/main')).toBe(tip);
  expect(await reader.info('refs/heads/none')).toBeNull();
  // A directory is no ref.
  expect(await reader.info('refs/heads/none/below')).toBeNull();
  expect(await reader.resolve('refs/gitstate/none')).toBeNull();
  expect(processes()).toBe(0);
});

test('what is packed, symbolic, large or named otherwise is left to Git', async () => {
  const { repository, reader, put, processes } = await scene({ sizeMax: 100_000 });
  repository.git('branch', 'packed');
  repository.git('symbolic-ref', 'refs/heads/other', 'refs/heads/main');
  repository.git('pack-refs', '--all');
  const tip = repository.git('rev-parse', 'HEAD');
  expect(await reader.resolve('refs/heads/packed')).toBe(tip);
  expect(processes()).toBe(1);
  expect(await reader.resolve('refs/heads/other')).toBe(tip);
  for (const name of [put('x'.repeat(90_000)), 'HEAD', `${tip}^{tree}`, 'refs/heads/main:README']) {
    expect(await reader.info(name), name).not.toBeNull();
  }
  await expect(reader.read(put('y'.repeat(200_000)))).rejects.toMatchObject({ code: 'CORRUPT_STATE' });
});

test.each<[string, (path: string) => void]>([
  ['torn', (path) => writeFileSync(path, readFileSync(path).subarray(0, 8))],
  ['empty', (path) => writeFileSync(path, '')],
  ['another object', (path) => writeFileSync(path, deflateSync('blob 5\0other'))],
])('a file of an object that is %s is never taken for it', async (_, spoil) => {
  const { reader, put, pathOf } = await scene();
  const oid = put('content');
  chmodSync(pathOf(oid), 0o644);
  spoil(pathOf(oid));
  await expect(reader.read(oid)).rejects.toMatchObject({ code: 'CORRUPT_STATE' });
});

test('an object that is nowhere is missing, one of an alternate is found', async () => {
  const { reader, put, pathOf } = await scene();
  const oid = put('content');
  const other = makeRepository();
  const theirs = other.gitWithInput('theirs', 'hash-object', '-w', '--stdin');
  writeFileSync(
    join(dirname(dirname(pathOf(oid))), 'info', 'alternates'),
    `${join(other.path, '.git', 'objects')}\n`,
  );
  rmSync(pathOf(oid));
  expect(await reader.read(oid)).toBeNull();
  expect(await reader.read(theirs)).toMatchObject({ body: Buffer.from('theirs') });
});

test('after some two dozen looks Git is asked, once for all that follows', async () => {
  const { reader, put, processes } = await scene();
  const oids = Array.from({ length: 40 }, (_, index) => put(`content ${index}`));
  for (const oid of oids) expect(await reader.info(oid)).toMatchObject({ oid });
  expect(processes()).toBe(1);
});
