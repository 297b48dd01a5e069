import { execFileSync } from 'node:child_process';
import fs, {
  chmodSync,
  existsSync,
  readdirSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import git from 'isomorphic-git';
import { afterEach, describe, expect, test } from 'vitest';
import { encodeCommit } from '../../src/git/commit.ts';
import { type NewObject, newObject, type ObjectFormat } from '../../src/git/objects.ts';
import { writePack } from '../../src/git/pack.ts';
import { encodeTag } from '../../src/git/tag.ts';
import { encodeTree } from '../../src/git/tree.ts';
import { ObjectWriter } from '../../src/git/writer.ts';
import { makeRepository, temporaryDirectory } from '../support/repo.ts';

const who = { name: 'Zoë', email: 'z@example.com', at: 1_700_000_000, timezone: '+0000' };

/** A commit and a tag with trees of `size` files: everything that a repository can hold. */
function sample(format: ObjectFormat, size = 12) {
  const blobs = Array.from({ length: size }, (_, index) =>
    newObject(format, 'blob', `é ${index} `.repeat(index * 40)),
  );
  const inner = newObject(
    format,
    'tree',
    encodeTree(blobs.map(({ oid }, index) => ({ mode: '100644', name: `f${index}.json`, oid }))),
  );
  const root = newObject(format, 'tree', encodeTree([{ mode: '40000', name: 'dir', oid: inner.oid }]));
  const body = encodeCommit({ tree: root.oid, parents: [], author: who, committer: who, message: 'begin\n' });
  const commit = newObject(format, 'commit', body);
  const tag = newObject(
    format,
    'tag',
    encodeTag({ object: commit.oid, type: 'commit', tag: 'v1', tagger: who, message: 'one\n' }),
  );
  return { objects: [...blobs, inner, root, commit, tag], commit, tag, blobs };
}

/** Commits each of which changes one of `files` in a flat tree. */
function history(format: ObjectFormat, { files, commits }: { files: number; commits: number }) {
  const objects: NewObject[] = [];
  const add = (type: NewObject['type'], body: Uint8Array | string) => {
    const object = newObject(format, type, body);
    objects.push(object);
    return object;
  };
  const first = add('blob', 'nothing yet\n');
  const rows = Array.from({ length: files }, (_, index) => ({
    mode: '100644',
    name: `f${String(index).padStart(4, '0')}`,
    oid: first.oid,
  }));
  const trees: NewObject[] = [];
  let tip: NewObject | null = null;
  for (let count = 0; count < commits; count += 1) {
    rows[(count * 7) % files]!.oid = add('blob', `now ${count}\n`).oid;
    const tree = add('tree', encodeTree(rows));
    trees.push(tree);
    const parents = tip === null ? [] : [tip.oid];
    tip = add(
      'commit',
      encodeCommit({ tree: tree.oid, parents, author: who, committer: who, message: `change ${count}\n` }),
    );
  }
  return { objects, trees, tip: tip! };
}

function temporariesIn(path: string): string[] {
  return readdirSync(path, { recursive: true })
    .map(String)
    .filter((name) => name.includes('tmp_'));
}

const mounted: string[] = [];
afterEach(() => {
  for (const path of mounted.splice(0)) execFileSync('umount', [path]);
});

/** Mounts a file system of 256 KiB. */
function mountSmallDisk(): string {
  const path = temporaryDirectory();
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'none', path], { stdio: 'ignore' });
  mounted.push(path);
  return path;
}

function mayMount(): boolean {
  try {
    execFileSync('umount', [mountSmallDisk()]);
    return true;
  } catch {
    return false;
  } finally {
    mounted.length = 0;
  }
}

describe.each([
  ['sha1', false],
  ['sha1', true],
  ['sha256', true],
] as const)('%s, durable: %s', (objectFormat, fsync) => {
  const options = (path: string) => ({ objectsDir: join(path, '.git/objects'), objectFormat, fsync });

  test('loose objects please git fsck', async () => {
    const repository = makeRepository({ objectFormat, empty: true });
    const { objects, commit, tag } = sample(objectFormat, 100);
    await new ObjectWriter(options(repository.path)).write(objects);
    repository.git('update-ref', 'refs/heads/main', commit.oid);
    repository.git('update-ref', 'refs/tags/v1', tag.oid);
    expect(repository.git('fsck', '--strict', '--full', '--no-dangling')).toBe('');
    expect(repository.git('count-objects')).toMatch(new RegExp(`^${objects.length} objects`));
    const file = join(options(repository.path).objectsDir, commit.oid.slice(0, 2), commit.oid.slice(2));
    expect(statSync(file).mode & 0o777).toBe(0o444);
    expect(temporariesIn(repository.path)).toEqual([]);
  });

  test('a pack pleases git fsck and git verify-pack', async () => {
    const repository = makeRepository({ objectFormat, empty: true });
    const { objects, commit, tag } = sample(objectFormat, 300);
    const name = await writePack(options(repository.path), [...objects, objects[0]!]);
    const directory = join(repository.path, '.git/objects/pack');
    expect(readdirSync(directory).sort()).toEqual([`${name}.idx`, `${name}.pack`]);
    expect(statSync(join(directory, `${name}.idx`)).mode & 0o777).toBe(0o444);
    const listed = repository.git('verify-pack', '-v', join(directory, `${name}.idx`));
    expect(listed).toContain(`non delta: ${objects.length} objects`);
    repository.git('update-ref', 'refs/heads/main', commit.oid);
    repository.git('update-ref', 'refs/tags/v1', tag.oid);
    expect(repository.git('fsck', '--strict', '--full', '--no-dangling')).toBe('');
    repository.git('repack', '-adq');
    expect(repository.git('log', '--format=%an %s', 'v1')).toBe('Zoë begin');
  });

  test('trees that change by a row each are a row each in a pack, and no long chains', async () => {
    const repository = makeRepository({ objectFormat, empty: true });
    const commits = 50;
    const { objects, tip, trees } = history(objectFormat, { files: 200, commits });
    const name = await writePack(options(repository.path), objects);
    const index = join(repository.path, '.git/objects/pack', `${name}.idx`);
    const listed = repository.git('verify-pack', '-v', index);
    expect(listed).toContain('chain length = 16: ');
    expect(listed).not.toContain('chain length = 17: ');
    const whole = trees.reduce((sum, { body }) => sum + body.byteLength, 0);
    expect(statSync(index.replace(/idx$/, 'pack')).size).toBeLessThan(whole / 4);
    repository.git('update-ref', 'refs/heads/main', tip.oid);
    expect(repository.git('fsck', '--strict', '--full', '--no-dangling')).toBe('');
    expect(repository.git('rev-list', '--count', 'main')).toBe(String(commits));
    for (const { oid, body } of trees.filter((_, at) => at % 7 === 0)) {
      if (objectFormat === 'sha256') break;
      const { object } = await git.readObject({ fs, dir: repository.path, oid, format: 'content' });
      expect(Buffer.from(object as Uint8Array).equals(body)).toBe(true);
    }
  });

  test('an object of any size is written from a stream', async () => {
    const repository = makeRepository({ objectFormat, empty: true });
    const content = Buffer.alloc(2_500_000, 'some content ');
    const writer = new ObjectWriter(options(repository.path));
    const pieces = [content.subarray(0, 1), content.subarray(1, 2_000_000), content.subarray(2_000_000)];
    const oid = await writer.writeStream('blob', content.length, Readable.from(pieces));
    expect(oid).toBe(newObject(objectFormat, 'blob', content).oid);
    expect(repository.git('cat-file', '-s', oid)).toBe(String(content.length));
    repository.git('fsck', '--strict', '--full');
    for (const size of [content.length - 1, content.length + 1]) {
      await expect(writer.writeStream('blob', size, Readable.from(pieces))).rejects.toThrow(TypeError);
    }
    expect(temporariesIn(repository.path)).toEqual([]);
  });
});

describe('writing again', () => {
  test('mends a torn object and keeps an old one young', async () => {
    const repository = makeRepository({ empty: true });
    const objectsDir = join(repository.path, '.git/objects');
    const writer = new ObjectWriter({ objectsDir, objectFormat: 'sha1', fsync: false });
    const object = newObject('sha1', 'blob', 'text');
    const file = join(objectsDir, object.oid.slice(0, 2), object.oid.slice(2));
    await writer.write([object]);
    chmodSync(file, 0o644);
    truncateSync(file, 3);
    await writer.write([object]);
    expect(repository.git('cat-file', 'blob', object.oid)).toBe('text');
    utimesSync(file, 1, 1);
    await writer.write([object]);
    expect(statSync(file).mtimeMs).toBeGreaterThan(Date.now() - 60_000);
  });

  test('a pack that must stay has a .keep file', async () => {
    const repository = makeRepository({ empty: true });
    const objectsDir = join(repository.path, '.git/objects');
    const { objects, blobs } = sample('sha1');
    const options = { objectsDir, objectFormat: 'sha1', fsync: true } as const;
    const name = await writePack(options, objects, { keep: true });
    expect(await writePack(options, objects, { keep: true })).toBe(name);
    repository.git('gc', '-q', '--prune=now');
    expect(existsSync(join(objectsDir, 'pack', `${name}.keep`))).toBe(true);
    expect(repository.git('cat-file', '-t', blobs[3]!.oid)).toBe('blob');
    await expect(writePack(options, [])).rejects.toThrow(TypeError);
  });
});

describe('another implementation reads alike', () => {
  const read = async (dir: string, { oid, type, body }: NewObject) => {
    const stored = await git.readObject({ fs, dir, oid, format: 'content' });
    expect([stored.type, Buffer.from(stored.object as Uint8Array)]).toEqual([type, Buffer.from(body)]);
  };

  test.each(['loose', 'pack'])('%s', async (kind) => {
    const { path } = makeRepository({ empty: true });
    const options = { objectsDir: join(path, '.git/objects'), objectFormat: 'sha1', fsync: false } as const;
    const { objects, commit } = sample('sha1');
    if (kind === 'pack') await writePack(options, objects);
    else await new ObjectWriter(options).write(objects);
    for (const object of objects) await read(path, object);
    const parsed = await git.readCommit({ fs, dir: path, oid: commit.oid });
    expect(parsed.commit).toMatchObject({
      author: { name: who.name, timestamp: who.at },
      message: 'begin\n',
    });
  });
});

describe('a repository that a group shares', () => {
  test('stays writable for the group', async () => {
    const { path } = makeRepository({ empty: true });
    const objectsDir = join(path, '.git/objects');
    chmodSync(objectsDir, 0o2775);
    const object = newObject('sha1', 'blob', 'shared');
    await new ObjectWriter({ objectsDir, objectFormat: 'sha1', fsync: false }).write([object]);
    expect(statSync(join(objectsDir, object.oid.slice(0, 2))).mode & 0o7777).toBe(0o2775);
  });
});

describe('a write that fails', () => {
  test.skipIf(!mayMount()).each([false, true])(
    'for want of space is DISK_FULL and leaves nothing (durable: %s)',
    async (fsync) => {
      const objectsDir = mountSmallDisk();
      const random = execFileSync('head', ['-c', '400000', '/dev/urandom']);
      const large = newObject('sha1', 'blob', random);
      const small = newObject('sha1', 'blob', 'small');
      const options = { objectsDir, objectFormat: 'sha1', fsync } as const;
      const writer = new ObjectWriter(options);
      const full = { code: 'DISK_FULL', retryable: true };
      await expect(writer.write([small, large])).rejects.toMatchObject(full);
      await expect(writer.writeStream('blob', random.length, Readable.from([random]))).rejects.toMatchObject(
        full,
      );
      await expect(writePack(options, [large])).rejects.toMatchObject(full);
      expect(temporariesIn(objectsDir)).toEqual([]);
      expect(existsSync(join(objectsDir, large.oid.slice(0, 2), large.oid.slice(2)))).toBe(false);
      await writer.write([small]);
    },
  );

  test('because a file stands in the way says where', async () => {
    const { path } = makeRepository({ empty: true });
    const objectsDir = join(path, '.git/objects');
    const object = newObject('sha1', 'blob', 'text');
    writeFileSync(join(objectsDir, object.oid.slice(0, 2)), '');
    const writer = new ObjectWriter({ objectsDir, objectFormat: 'sha1', fsync: true });
    await expect(writer.write([object])).rejects.toMatchObject({
      code: 'GIT_FAILED',
      details: { path: objectsDir, errno: 'ENOTDIR' },
    });
    expect(temporariesIn(objectsDir)).toEqual([]);
  });
});
