import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { deflateSync } from 'node:zlib';
import { afterEach, describe, expect, test } from 'vitest';
import { BatchParser } from '../../src/git/batch-parser.ts';
import { CatFileReader, streamBlob } from '../../src/git/reader.ts';
import type { GitVersion } from '../../src/git/repository.ts';
import { openRepository } from '../../src/git/repository.ts';
import { Git } from '../../src/git/run.ts';
import {
  cloneRepository,
  makeRepository,
  runGit,
  type TestRepository,
  temporaryDirectory,
} from '../support/repo.ts';

const open: CatFileReader[] = [];
afterEach(() => {
  for (const reader of open.splice(0)) reader.close();
});

async function readerOf(path: string, options = {}, version?: GitVersion): Promise<CatFileReader> {
  const repository = await openRepository({ cwd: path, variables: process.env });
  const reader = new CatFileReader({ ...repository, version: version ?? repository.version }, options);
  // From the start, so that nothing is read without it.
  reader.warm();
  open.push(reader);
  return reader;
}

function putBlob({ gitWithInput }: TestRepository, content: string | Uint8Array): string {
  return gitWithInput(content, 'hash-object', '-w', '--stdin');
}

/** Bytes that look like the answers of Git, and every byte there is. */
const awkward = Buffer.concat([
  Buffer.from(`${'a'.repeat(40)} missing\n${'a'.repeat(40)} blob 3\nabc\n`),
  Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)),
]);

describe.each<[string, GitVersion | undefined]>([
  ['with the installed Git', undefined],
  ['as with Git 2.34, which has no --batch-command', [2, 34, 0]],
])('objects are read %s', (_name, version) => {
  test('by name, by ref and by path, many at a time', async () => {
    const repository = makeRepository();
    const contents = ['', '\n', 'x', awkward, 'y'.repeat(300_000)];
    const oids = contents.map((content) => putBlob(repository, content));
    const reader = await readerOf(repository.path, {}, version);
    const missing = 'b'.repeat(40);
    const [objects, infos, none, head, file] = await Promise.all([
      Promise.all(oids.map((oid) => reader.read(oid))),
      Promise.all(oids.map((oid) => reader.info(oid))),
      Promise.all([reader.read(missing), reader.info(missing)]),
      reader.read('refs/heads/main'),
      reader.read('refs/heads/main:README'),
    ]);
    for (const [index, content] of contents.entries()) {
      expect(objects[index]).toEqual({ oid: oids[index], type: 'blob', body: Buffer.from(content) });
      expect(infos[index]).toEqual({ oid: oids[index], type: 'blob', size: Buffer.from(content).length });
    }
    expect(none).toEqual([null, null]);
    expect(head).toMatchObject({ oid: repository.git('rev-parse', 'HEAD'), type: 'commit' });
    expect(file?.body.toString()).toBe('a project\n');
    expect(await reader.resolve('refs/heads/nothing')).toBeNull();
  });

  test('in one stream, in the order that was asked for, those that are missing last', async () => {
    const repository = makeRepository();
    const contents = ['', awkward, 'x', 'y'.repeat(300_000), 'z'];
    const oids = contents.map((content) => putBlob(repository, content));
    const missing = 'b'.repeat(40);
    const reader = await readerOf(repository.path, {}, version);
    const seen: unknown[] = [];
    await reader.readEach([oids[0]!, missing, ...oids.slice(1)], (object, index) => {
      seen.push(object && [index, object.oid, object.type, object.body.toString('latin1')]);
    });
    const all = oids.map((oid, index) => [
      index === 0 ? 0 : index + 1,
      oid,
      'blob',
      Buffer.from(contents[index]!).toString('latin1'),
    ]);
    expect(seen).toEqual([...all, null]);
    await reader.readEach([], () => expect.unreachable());
    let taken = 0;
    const stopped = reader.readEach(oids, () => {
      taken += 1;
      if (taken === 3) throw new TypeError('enough');
    });
    await expect(stopped).rejects.toThrow('enough');
    expect(taken).toBe(3);
    expect((await reader.read(oids[2]!))?.body.toString()).toBe('x');
  });

  test('with SHA-256', async () => {
    const repository = makeRepository({ objectFormat: 'sha256' });
    const oid = putBlob(repository, 'text');
    const reader = await readerOf(repository.path, {}, version);
    expect((await reader.read(oid))?.body.toString()).toBe('text');
    expect(await reader.resolve('refs/heads/main')).toBe(repository.git('rev-parse', 'HEAD'));
  });
});

describe('a reader sees', () => {
  test('refs that other processes move, loose or packed', async () => {
    const repository = makeRepository();
    const reader = await readerOf(repository.path);
    const seen: (string | null)[] = [];
    const expected: (string | null)[] = [];
    const look = async () => {
      seen.push(await reader.resolve('refs/heads/main'));
      expected.push(repository.git('rev-parse', '-q', '--verify', 'refs/heads/main'));
    };
    await look();
    for (let round = 0; round < 3; round += 1) {
      repository.commit();
      await look();
      repository.git('pack-refs', '--all', '--prune');
      await look();
    }
    expect(existsSync(join(repository.path, '.git/refs/heads/main'))).toBe(false);
    expect(seen).toEqual(expected);
    expect(new Set(seen).size).toBe(4);
    repository.git('update-ref', '-d', 'refs/heads/main');
    expect(await reader.resolve('refs/heads/main')).toBeNull();
  });

  test('objects written after it started, loose, packed and repacked', async () => {
    const repository = makeRepository();
    const reader = await readerOf(repository.path);
    await reader.info('HEAD');
    const loose = putBlob(repository, 'loose');
    expect((await reader.read(loose))?.body.toString()).toBe('loose');
    repository.write('file', 'packed');
    repository.commit();
    repository.git('repack', '-adq');
    const packed = repository.git('rev-parse', 'HEAD:file');
    expect(existsSync(join(repository.path, '.git/objects', packed.slice(0, 2), packed.slice(2)))).toBe(
      false,
    );
    expect((await reader.read(packed))?.body.toString()).toBe('packed');
    repository.commit('more');
    repository.git('repack', '-adfq');
    expect((await reader.read(packed))?.body.toString()).toBe('packed');
  });

  test('objects of alternates and of a partial clone', async () => {
    const source = makeRepository();
    source.git('config', 'uploadpack.allowFilter', 'true');
    source.git('config', 'uploadpack.allowAnySHA1InWant', 'true');
    const oid = source.git('rev-parse', 'HEAD:README');
    for (const flags of [['--shared'], ['--filter=blob:none', '--no-checkout']]) {
      const from = flags.includes('--shared') ? source.path : `file://${source.path}`;
      const reader = await readerOf(cloneRepository(from, ...flags).path);
      expect((await reader.read(oid))?.body.toString()).toBe('a project\n');
    }
  });

  test('the same from a linked worktree and in a bare repository', async () => {
    const source = makeRepository();
    const head = source.git('rev-parse', 'HEAD');
    const linked = join(temporaryDirectory(), 'linked');
    source.git('worktree', 'add', '-q', '-b', 'side', linked);
    const bare = cloneRepository(source.path, '--bare');
    for (const path of [linked, bare.path]) {
      const reader = await readerOf(path);
      expect(await reader.resolve('refs/heads/main')).toBe(head);
      expect((await reader.read(head))?.type).toBe('commit');
    }
    runGit(linked, ['commit', '-q', '--allow-empty', '-m', 'side']);
    expect(await (await readerOf(linked)).resolve('HEAD')).toBe(runGit(linked, ['rev-parse', 'HEAD']));
  });

  test('no replacement in place of an object', async () => {
    const repository = makeRepository();
    const [good, evil] = [putBlob(repository, 'good'), putBlob(repository, 'evil')];
    repository.git('replace', good, evil);
    expect((await (await readerOf(repository.path)).read(good))?.body.toString()).toBe('good');
  });
});

describe('damage', () => {
  const deflated = (text: string) => deflateSync(Buffer.from(`blob ${text.length}\0${text}`));
  test.each<[string, (bytes: Buffer) => Buffer]>([
    ['garbage', () => Buffer.from('not an object')],
    ['nothing', () => Buffer.alloc(0)],
    ['a part', (bytes) => bytes.subarray(0, 40)],
    ['a flipped bit', (bytes) => Buffer.from(bytes.map((byte, index) => (index === 50 ? byte ^ 4 : byte)))],
    ['another object', () => deflated('other')],
  ])('in an object is CORRUPT_STATE, and the rest stays readable: %s', async (_name, spoil) => {
    const repository = makeRepository();
    const oids = ['one', 'two two two'.repeat(9) + awkward.toString('hex'), 'three'].map((content) =>
      putBlob(repository, content),
    );
    const path = join(repository.path, '.git/objects', oids[1]!.slice(0, 2), oids[1]!.slice(2));
    chmodSync(path, 0o644);
    writeFileSync(path, spoil(readFileSync(path)));
    const reader = await readerOf(repository.path);
    const [first, second, third] = await Promise.allSettled(oids.map((oid) => reader.read(oid)));
    expect([first?.status, third?.status]).toEqual(['fulfilled', 'fulfilled']);
    expect(second).toMatchObject({ reason: { code: 'CORRUPT_STATE', details: { object: oids[1] } } });
    const taken: number[] = [];
    const stream = reader.readEach(oids, (_, index) => void taken.push(index));
    await expect(stream).rejects.toMatchObject({ code: 'CORRUPT_STATE', details: { object: oids[1] } });
    expect(taken).not.toContain(1);
  });

  test('of a ref whose object is gone is told apart from no ref', async () => {
    const repository = makeRepository();
    const oid = putBlob(repository, 'gone');
    repository.git('update-ref', 'refs/tags/packed', oid);
    repository.git('pack-refs', '--all', '--prune');
    repository.git('update-ref', 'refs/tags/loose', oid);
    rmSync(join(repository.path, '.git/objects', oid.slice(0, 2), oid.slice(2)));
    writeFileSync(join(repository.path, '.git/refs/tags/empty'), '');
    const reader = await readerOf(repository.path);
    for (const ref of ['refs/tags/packed', 'refs/tags/loose', 'refs/tags/empty']) {
      await expect(reader.resolve(ref)).rejects.toMatchObject({ code: 'CORRUPT_STATE', details: { ref } });
    }
    expect(await reader.resolve('refs/tags/none')).toBeNull();
    expect(await reader.resolve('refs/tags/loose/below')).toBeNull();
  });

  test('of a head that is not born yet is none', async () => {
    const reader = await readerOf(makeRepository({ empty: true }).path);
    expect(await reader.resolve('HEAD')).toBeNull();
  });
});

describe('the process', () => {
  test('that is killed is replaced, and what was asked is answered', async () => {
    const { path } = makeRepository();
    const repository = await openRepository({ cwd: path, variables: process.env });
    const started: number[] = [];
    class WatchedGit extends Git {
      override start(args: readonly string[]) {
        const child = super.start(args);
        started.push(child.pid!);
        return child;
      }
    }
    const reader = new CatFileReader({ ...repository, git: new WatchedGit(repository.git.context) });
    open.push(reader);
    await reader.info('HEAD');
    process.kill(started[0]!, 'SIGSTOP');
    const answers = Promise.all([reader.info('HEAD'), reader.read('HEAD')]);
    process.kill(started[0]!, 'SIGKILL');
    expect((await answers).map((answer) => answer?.type)).toEqual(['commit', 'commit']);
    expect(started).toHaveLength(2);
  });

  test('that keeps silent too long is given up', async () => {
    const { path } = makeRepository();
    const repository = await openRepository({ cwd: path, variables: process.env });
    const shims = temporaryDirectory();
    writeFileSync(join(shims, 'git'), '#!/bin/sh\nexec sleep 60\n', { mode: 0o755 });
    const variables = { ...process.env, PATH: `${shims}:${process.env.PATH}` };
    const git = new Git({ ...repository.git.context, variables });
    const reader = new CatFileReader({ ...repository, git }, { deadlineMs: 200 });
    open.push(reader);
    const answers = await Promise.allSettled([reader.info('HEAD'), reader.info('HEAD')]);
    for (const answer of answers) {
      expect(answer).toMatchObject({
        status: 'rejected',
        reason: { code: 'GIT_FAILED', details: { timeout: true } },
      });
    }
  });

  test('refuses names that Git could misread', async () => {
    const reader = await readerOf(makeRepository().path);
    for (const name of ['main', '', '-p', 'refs/heads/main\nHEAD', 'abcdef', 'HEAD\n', '@{u}']) {
      await expect(reader.read(name)).rejects.toThrow(TypeError);
    }
  });

  test('does not take a body into memory that is too large', async () => {
    const repository = makeRepository();
    const [large, small] = [putBlob(repository, 'x'.repeat(200_000)), putBlob(repository, 'small')];
    const reader = await readerOf(repository.path, { sizeMax: 1000 });
    const [first, second] = await Promise.allSettled([reader.read(large), reader.read(small)]);
    expect(first).toMatchObject({ reason: { code: 'CORRUPT_STATE' } });
    expect(second).toMatchObject({ value: { oid: small } });
  });
});

test('a blob can be streamed', async () => {
  const repository = makeRepository();
  const content = Buffer.alloc(3_000_000, 'abc');
  const oid = putBlob(repository, content);
  const opened = await openRepository({ cwd: repository.path, variables: process.env });
  expect((await buffer(streamBlob(opened, oid))).equals(content)).toBe(true);
  await expect(buffer(streamBlob(opened, 'c'.repeat(40)))).rejects.toMatchObject({ code: 'GIT_FAILED' });
});

test('answers are cut right wherever the pieces end', () => {
  const name = 'a'.repeat(40);
  const output = Buffer.concat([
    Buffer.from(`${name} blob ${awkward.length}\n`),
    awkward,
    Buffer.from(`\n${name} missing\n${name} tree 0\n\n`),
  ]);
  const ways = [1, 2, 7, 41, 1000].flatMap((size) => [true, false].map((kept) => ({ size, kept })));
  for (const { size, kept } of ways) {
    const answers: unknown[] = [];
    const parser = new BatchParser(
      () => ({ withBody: true, kept, sizeMax: 1e9 }),
      (answer) => answers.push(answer),
    );
    for (let at = 0; at < output.length; at += size) parser.push(output.subarray(at, at + size));
    expect(answers).toEqual([
      { oid: name, type: 'blob', size: awkward.length, body: awkward },
      null,
      { oid: name, type: 'tree', size: 0, body: Buffer.alloc(0) },
    ]);
  }
});
