import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Commit, decodeCommit, encodeCommit } from '../../src/git/commit.ts';
import { crc32 } from '../../src/git/crc32.ts';
import { isFullRefName, isOid } from '../../src/git/ids.ts';
import { hashObject, newObject, type ObjectFormat } from '../../src/git/objects.ts';
import { decodeTag, encodeTag } from '../../src/git/tag.ts';
import { decodeTree, encodeTree, type TreeEntry } from '../../src/git/tree.ts';
import { TreeBody } from '../../src/git/tree-body.ts';
import { makeRepository, runGit } from '../support/repo.ts';

const oidOf = (format: ObjectFormat) =>
  fc
    .uint8Array({ minLength: format === 'sha1' ? 20 : 32, maxLength: format === 'sha1' ? 20 : 32 })
    .map((bytes) => Buffer.from(bytes).toString('hex'));
const word = fc.string({ unit: 'binary' }).map((text) => text.replace(/[<>\n\0]/g, ''));
const signature = fc.record({
  name: word,
  email: word,
  at: fc.integer({ min: 0, max: 2 ** 40 }),
  timezone: fc.constantFrom('+0000', '-0330', '+1400'),
});
const commit = fc.record({
  tree: oidOf('sha1'),
  parents: fc.array(oidOf('sha1'), { maxLength: 3 }),
  author: signature,
  committer: signature,
  extraHeaders: fc.constantFrom('', 'gpgsig -----BEGIN\n \n abc=\n -----END\n', 'encoding x\nfoo bar\n'),
  message: fc.string({ unit: 'binary' }).map((text) => text.replaceAll('\0', '')),
  charset: fc.constant('utf8' as const),
});
const entryName = fc
  .oneof(
    fc.string({ unit: 'binary', minLength: 1, maxLength: 6 }),
    fc.string({ unit: fc.constantFrom('a', 'b', '.', '-', '0', '\uffff', '😀'), minLength: 1, maxLength: 3 }),
  )
  .filter((name) => !/[/\0]|^\.{1,2}$|^\.git$/i.test(name));
const entry = (format: ObjectFormat) =>
  fc.record({
    mode: fc.constantFrom('100644', '100755', '120000', '40000', '160000'),
    name: entryName,
    oid: oidOf(format),
  });
const entries = (format: ObjectFormat) =>
  fc.uniqueArray(entry(format), { selector: ({ name }) => name, maxLength: 20 });

const someone = { name: 'Zoë', email: 'z@example.com', at: 1_700_000_000, timezone: '+0100' };
const oid = 'a'.repeat(40);
const plain: Commit = { tree: oid, parents: [], author: someone, committer: someone, message: 'begin\n' };

describe('commits', () => {
  test('what is encoded is decoded, and encodes to the same bytes', () => {
    fc.assert(
      fc.property(commit, (value) => {
        const body = encodeCommit(value);
        expect(decodeCommit(body)).toEqual(value);
        expect(encodeCommit(decodeCommit(body))).toEqual(body);
      }),
    );
  });

  test('bytes that are not UTF-8 come through', () => {
    const body = Buffer.from(encodeCommit(plain).toString('latin1').replace('begin', 'b\xe9gin'), 'latin1');
    expect(decodeCommit(body).charset).toBe('latin1');
    expect(encodeCommit(decodeCommit(body))).toEqual(body);
  });

  test.each([
    ['no tree', (text: string) => text.replace(/^tree .*\n/, '')],
    ['a parent that is no name', (text: string) => text.replace('author', 'parent 123\nauthor')],
    ['no committer', (text: string) => text.replace(/committer .*\n/, '')],
    ['a padded time', (text: string) => text.replace('17000', '017000')],
    ['no blank line', (text: string) => text.replace('\n\n', '\n')],
    ['a header without value', (text: string) => text.replace('\n\n', '\nodd\n\n')],
    ['a NUL byte', (text: string) => text.replace('begin', 'be\0gin')],
  ])('%s is refused', (_name, spoil) => {
    const body = Buffer.from(spoil(encodeCommit(plain).toString()));
    expect(() => decodeCommit(body)).toThrow(expect.objectContaining({ code: 'CORRUPT_STATE' }));
  });

  test.each([
    ['a line feed in the name', { author: { ...someone, name: `x\nparent ${oid}` } }],
    ['an angle bracket', { committer: { ...someone, email: 'a>b' } }],
    ['a fraction of a second', { author: { ...someone, at: 1.5 } }],
    ['a negative time', { author: { ...someone, at: -1 } }],
    ['a huge time', { author: { ...someone, at: 1e18 } }],
    ['a NUL in the message', { message: 'a\0b' }],
    ['a header that ends the headers', { extraHeaders: 'a b\n\nc' }],
    ['a short parent', { parents: ['abc'] }],
  ])('%s is not written', (_name, part) => {
    expect(() => encodeCommit({ ...plain, ...part })).toThrow(TypeError);
  });
});

describe('trees', () => {
  test.each(['sha1', 'sha256'] as const)('what is encoded is decoded (%s)', (format) => {
    fc.assert(
      fc.property(entries(format), (value) => {
        const body = encodeTree(value);
        const decoded = decodeTree(format, body);
        expect(new Set(decoded)).toEqual(new Set(value));
        expect(encodeTree(decoded)).toEqual(body);
      }),
    );
  });

  test.each(['sha1', 'sha256'] as const)('with other object names are as if encoded anew (%s)', (format) => {
    const changes = fc.array(fc.tuple(fc.nat(), oidOf(format)), { maxLength: 5 });
    fc.assert(
      fc.property(entries(format), fc.array(changes, { maxLength: 4 }), (value, rounds) => {
        let now = value;
        let body = new TreeBody(format, encodeTree(value));
        for (const round of value.length === 0 ? [] : rounds) {
          const before = Buffer.from(body.bytes);
          const oids = new Map(round.map(([index, name]) => [value[index % value.length]!.name, name]));
          const next = body.with(oids);
          now = now.map((entry) => ({ ...entry, oid: oids.get(entry.name) ?? entry.oid }));
          expect(next.bytes).toEqual(encodeTree(now));
          expect(body.bytes).toEqual(before);
          body = next;
        }
      }),
    );
  });

  test('take no name that is not there, and nothing that is no object name', () => {
    const body = new TreeBody('sha1', encodeTree([{ mode: '100644', name: 'a', oid }]));
    expect(() => body.with(new Map([['b', oid]]))).toThrow(TypeError);
    for (const bad of ['', 'a'.repeat(39), 'g'.repeat(40), 'a'.repeat(64)]) {
      expect(() => body.with(new Map([['a', bad]]))).toThrow(TypeError);
    }
  });

  test('the order is the one of git mktree', () => {
    const { git, gitWithInput } = makeRepository();
    const blob = gitWithInput('x', 'hash-object', '-w', '--stdin');
    const tree = git('mktree');
    const names = ['a', 'a.b', 'a-b', 'a0', 'A', 'é', '\uffff', '😀', 'ab', 'a b'];
    const value: TreeEntry[] = names.flatMap((name) => [
      { mode: '100644', name, oid: blob },
      { mode: '40000', name: `${name}.d`, oid: tree },
      { mode: '40000', name: `${name}~`, oid: tree },
    ]);
    value.push({ mode: '40000', name: 'a+', oid: tree }, { mode: '100644', name: 'a+.x', oid: blob });
    const lines = value.map(({ mode, name, oid: object }) => {
      return `${mode.padStart(6, '0')} ${mode === '40000' ? 'tree' : 'blob'} ${object}\t${name}\0`;
    });
    expect(newObject('sha1', 'tree', encodeTree(value)).oid).toBe(
      gitWithInput(lines.join(''), 'mktree', '-z'),
    );
  });

  const good = encodeTree([
    { mode: '100644', name: 'a', oid },
    { mode: '40000', name: 'b', oid },
  ]);
  test.each([
    ['cut off', good.subarray(0, good.length - 1)],
    ['a name with a slash', Buffer.from(good.toString('latin1').replace(' a\0', ' /\0'), 'latin1')],
    ['..', Buffer.from(good.toString('latin1').replace(' a\0', ' ..\0'), 'latin1')],
    ['.GIT', Buffer.from(good.toString('latin1').replace(' a\0', ' .GIT\0'), 'latin1')],
    ['an unknown mode', Buffer.from(good.toString('latin1').replace('100644', '100000'), 'latin1')],
    ['out of order', Buffer.from(good.toString('latin1').replace(' a\0', ' c\0'), 'latin1')],
    ['a name twice', Buffer.concat([good.subarray(0, 29), good.subarray(0, 29)])],
    ['no UTF-8', Buffer.from(good.toString('latin1').replace(' a\0', ' \xe9\0'), 'latin1')],
  ])('%s is refused', (_name, body) => {
    expect(() => decodeTree('sha1', body)).toThrow(expect.objectContaining({ code: 'CORRUPT_STATE' }));
  });

  test.each(['', '.', '..', 'a/b', '.git', '.GiT', 'a\0', '\ud800'])('the name %j is not written', (name) => {
    expect(() => encodeTree([{ mode: '100644', name, oid }])).toThrow(TypeError);
  });

  test('a name that stands twice is not written', () => {
    const twice = [
      { mode: '100644', name: 'a', oid },
      { mode: '40000', name: 'a', oid },
    ];
    expect(() => encodeTree(twice)).toThrow(TypeError);
  });
});

describe('tags', () => {
  test('what is encoded is decoded', () => {
    const tag = {
      object: oid,
      type: 'commit',
      tag: 'v1/é',
      tagger: someone,
      extraHeaders: '',
      message: 'm',
    } as const;
    expect(decodeTag(encodeTag(tag))).toEqual({ ...tag, charset: 'utf8' });
  });

  test('Git reads it, and its own is read', () => {
    const { git, path } = makeRepository();
    const head = git('rev-parse', 'HEAD');
    const body = encodeTag({ object: head, type: 'commit', tag: 'v1', tagger: someone, message: 'one\n' });
    const named = runGit(path, ['mktag'], { input: body });
    expect(named).toBe(hashObject('sha1', 'tag', body));
    git('tag', '-a', '-m', 'two', 'v2');
    const theirs = Buffer.from(`${git('cat-file', 'tag', 'v2')}\n`);
    expect(decodeTag(theirs)).toMatchObject({ object: head, type: 'commit', tag: 'v2', message: 'two\n' });
    expect(encodeTag(decodeTag(theirs))).toEqual(theirs);
  });
});

test.each(['sha1', 'sha256'] as const)('names are those of git hash-object (%s)', (objectFormat) => {
  const { gitWithInput } = makeRepository({ objectFormat, empty: true });
  for (const text of ['', 'é\n', 'x'.repeat(100_000)]) {
    expect(newObject(objectFormat, 'blob', text).oid).toBe(gitWithInput(text, 'hash-object', '--stdin'));
  }
});

test('ref names are judged as git check-ref-format judges them', () => {
  const { path } = makeRepository({ empty: true });
  const names = [
    'main',
    'a/b',
    'a..b',
    'a.lock',
    'a.lock/b',
    '.a',
    'a/.b',
    'a.',
    'a//b',
    'a/',
    'a@{b',
    '@',
    'a b',
  ];
  names.push('a\tb', 'a~1', 'a^', 'a:b', 'a?', 'a*', 'a[b', 'a\\b', 'é', '-a', 'a\x7fb', 'HEAD', 'a.locked');
  for (const name of names) {
    const accepted = isAccepted(() => runGit(path, ['check-ref-format', `refs/heads/${name}`]));
    expect([name, isFullRefName(`refs/heads/${name}`)]).toEqual([name, accepted]);
  }
  for (const name of ['main', 'refs/heads', 'HEAD', '', 'refs//a', 'refs/heads/']) {
    expect(isFullRefName(name)).toBe(false);
  }
});

function isAccepted(action: () => unknown): boolean {
  try {
    action();
    return true;
  } catch {
    return false;
  }
}

test('object names are whole and in lower case', () => {
  expect(
    [oid, 'b'.repeat(64), 'A'.repeat(40), 'a'.repeat(39), `${oid}\n`].map((text) => isOid(text)),
  ).toEqual([true, true, false, false, false]);
  expect(isOid(oid, 'sha256')).toBe(false);
});

test('CRC-32 gives the value of the standard', () => {
  expect(crc32(Buffer.from('123456789'))).toBe(0xcbf43926);
});
