import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeMessage, encodeArgs, encodeMessage, needsPayload } from '../../src/codec/message.ts';
import { type Operation, type OperationType, operationTypes } from '../../src/core/operation.ts';
import { GitStateError } from '../../src/errors.ts';
import { operation, operationOfType } from '../support/arbitraries.ts';
import { claimId, claiming, oid, Scene } from '../support/scene.ts';

interface Written {
  message: string;
  author: { name: string; at: number };
  payload: (tree: string) => string;
}

/** The operation as a commit has it; large arguments stand in the tree `tree`. */
function written(value: Operation, tree = oid('f')): Written {
  const args = encodeArgs(value);
  const large = needsPayload(args);
  return {
    message: encodeMessage(value, args, large ? tree : null),
    author: { name: value.actor, at: Date.parse(value.at) / 1000 },
    payload: (name) => (large && name === tree ? args : ''),
  };
}

const read = ({ message, author, payload }: Written) => decodeMessage(message, author, payload);

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof GitStateError) return error.code;
    throw error;
  }
  return 'accepted';
}

const note = (message: string) => new Scene().operation('note.add', { message, level: 'info' });

test('a claim looks like this', () => {
  const value = {
    ...new Scene().operation('feature.claim', claiming('003', 'W1')),
    id: 'op1',
    request: 'e'.repeat(64),
  };
  expect(written(value as Operation).message).toBe(`claim 003 for W1

gitstate-op: feature.claim
gitstate-session: s
gitstate-feature: 003
gitstate-worker: W1
gitstate-id: op1
gitstate-request: ${'e'.repeat(64)}
gitstate-schema: 1
gitstate-args: {"feature":"003","worker":"W1","claim":"${claimId(1)}","lease_end":"2026-03-01T10:15:00.000Z","holder":{"host":"host","boot":null,"pidns":null,"pid":null,"started":null}}
`);
});

describe('what was written reads back', () => {
  test.each(operationTypes)('%s', (type: OperationType) => {
    fc.assert(
      fc.property(operationOfType(type), (value) => {
        expect(read(written(value))).toEqual(value);
      }),
      { numRuns: 40 },
    );
  });

  test('and no text of a user makes a line of its own', () => {
    const trailer =
      /^gitstate-(op|session|feature|worker|id|request|schema|args|args-oid): [^\p{Cc}\u2028\u2029]+$/u;
    fc.assert(
      fc.property(operation, (value) => {
        const [subject, blank, ...lines] = written(value).message.split('\n');
        expect(subject).not.toMatch(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u);
        expect([...subject!].length).toBeLessThanOrEqual(72);
        expect([blank, lines.pop()]).toEqual(['', '']);
        for (const line of lines) expect(line).toMatch(trailer);
        expect(new Set(lines.map((line) => line.split(':')[0])).size).toBe(lines.length);
      }),
      { numRuns: 300 },
    );
  });

  test('half a character is refused before it is written', () => {
    expect(() => note('\ud800')).toThrow();
    expect(() =>
      new Scene().operation('state.restore', { commit: oid(1), tree: oid(1), point: '\udc00' }),
    ).toThrow();
  });

  test('but in free JSON it comes through', () => {
    const args = { name: 'v1', commit: null, step: null, next_step: null, data: { k: '\ud800' }, heads: {} };
    const value = new Scene().operation('checkpoint.create', args);
    const { message, ...rest } = written(value);
    expect(read({ message: Buffer.from(message).toString(), ...rest })).toEqual(value);
  });

  test('arguments of up to 16 KiB stand in the message, larger ones beside it', () => {
    const room = 16 * 1024 - encodeArgs(note('')).length;
    expect(written(note('x'.repeat(room))).message).toContain('\ngitstate-args: ');
    const large = written(note('x'.repeat(room + 1)));
    expect(large.message).toContain(`\ngitstate-args-oid: ${oid('f')}\n`);
    expect(read(large)).toEqual(note('x'.repeat(room + 1)));
  });
});

describe('every change of a byte', () => {
  /** Of a few operations of each type the one with the shortest message: there every byte can be changed. */
  const samples = operationTypes.map((type) => {
    const some = fc.sample(operationOfType(type), { numRuns: 8, seed: 7 });
    const [shortest] = some.sort((a, b) => written(a).message.length - written(b).message.length);
    return [type, shortest!] as const;
  });

  /** The message as Git's layer would hand it on: bytes that are no UTF-8 are read one by one. */
  function textOf(bytes: Buffer): { text: string; charset: 'utf8' | 'latin1' } {
    const text = bytes.toString('utf8');
    return Buffer.from(text).equals(bytes)
      ? { text, charset: 'utf8' }
      : { text: bytes.toString('latin1'), charset: 'latin1' };
  }

  function expectKnown(original: Written, bytes: Buffer): void {
    const { text, charset } = textOf(bytes);
    let value: Operation | null;
    try {
      value = read({ ...original, message: text });
    } catch (error) {
      if (!(error instanceof GitStateError)) throw error;
      expect(['VERIFY_FAILED', 'SCHEMA_TOO_NEW']).toContain(error.code);
      return;
    }
    expect(value).not.toBeNull();
    const payload = /^gitstate-args-oid: (.*)$/m.exec(text)?.[1] ?? null;
    expect(Buffer.from(encodeMessage(value!, encodeArgs(value!), payload), charset).equals(bytes)).toBe(true);
  }

  test.each(samples)(
    'of a message of %s is refused, or is another operation that is written so',
    (_, value) => {
      const original = written(value);
      const bytes = Buffer.from(original.message);
      for (const at of bytes.keys()) {
        for (const byte of [bytes[at]! ^ 1, bytes[at]! ^ 0x20, 0x0a, 0x80 | bytes[at]!]) {
          if (byte === bytes[at]) continue;
          const changed = Buffer.from(bytes);
          changed[at] = byte;
          expectKnown(original, changed);
        }
        expectKnown(original, Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1)]));
        expectKnown(original, Buffer.concat([bytes.subarray(0, at), Buffer.from('0'), bytes.subarray(at)]));
      }
    },
  );
});

describe('what claims to be ours and is not', () => {
  const good = written(note('hello'));
  const args = '{"message":"hello","level":"info"}';
  const cases: [string, (message: string) => string][] = [
    ['another subject', (m) => m.replace('note: hello', 'note: hallo')],
    ['no blank line', (m) => m.replace('\n\n', '\n')],
    ['a line of text', (m) => m.replace('gitstate-op', 'hello\ngitstate-op')],
    ['a trailer twice', (m) => m.replace(/(gitstate-id: .*\n)/, '$1$1')],
    ['a trailer that we do not know', (m) => `${m}gitstate-extra: 1\n`],
    ['a trailer of somebody else', (m) => `${m}Signed-off-by: x\n`],
    ['trailers in another order', (m) => m.replace(/(gitstate-op: .*\n)(gitstate-session: .*\n)/, '$2$1')],
    ['no newline at the end', (m) => m.slice(0, -1)],
    ['a newline more', (m) => `${m}\n`],
    ['lines that end in CR LF', (m) => m.replaceAll('\n', '\r\n')],
    ['spaces in the arguments', (m) => m.replace(args, args.replace(':', ': '))],
    ['arguments in another order', (m) => m.replace(args, '{"level":"info","message":"hello"}')],
    ['a key of the arguments twice', (m) => m.replace(args, args.replace('{', '{"level":"warn",'))],
    ['a key too much', (m) => m.replace(args, args.replace('{', '{"__proto__":1,'))],
    ['arguments that are no JSON', (m) => m.replace(args, '{')],
    ['no arguments', (m) => m.replace(/gitstate-args: .*\n/, '')],
    ['an operation that we do not know', (m) => m.replace('note.add', 'note.sub')],
    ['no schema', (m) => m.replace(/gitstate-schema: .*\n/, '')],
    ['schema 0', (m) => m.replace('gitstate-schema: 1', 'gitstate-schema: 0')],
    ['schema 1.0', (m) => m.replace('gitstate-schema: 1', 'gitstate-schema: 1.0')],
    ['only one line of ours', () => 'Fix a typo\n\ngitstate-op: note.add\n'],
    ['our line within other text', () => 'Fix\n\nSee\ngitstate-foo\n'],
  ];
  test.each(cases)('%s is refused', (_, change) => {
    const message = change(good.message);
    expect(message).not.toBe(good.message);
    expect(codeOf(() => read({ ...good, message }))).toBe('VERIFY_FAILED');
  });

  test('a newer schema is named as such', () => {
    const message = good.message
      .replace('gitstate-schema: 1', 'gitstate-schema: 2')
      .replace('note.add', 'note.sing');
    expect(codeOf(() => read({ ...good, message }))).toBe('SCHEMA_TOO_NEW');
  });

  test('the feature and the worker of the trailers are those of the arguments', () => {
    const claim = written(new Scene().operation('feature.claim', claiming('a', 'W')));
    for (const [from, to] of [
      ['gitstate-feature: a', 'gitstate-feature: b'],
      ['gitstate-worker: W', 'gitstate-worker: V'],
    ] as const) {
      expect(codeOf(() => read({ ...claim, message: claim.message.replace(from, to) }))).toBe(
        'VERIFY_FAILED',
      );
    }
  });

  test('a payload has to be needed, to be there, and to be written as we do', () => {
    const tree = oid('d');
    const small = encodeMessage(note('hello'), args, tree);
    expect(codeOf(() => read({ ...good, message: small, payload: () => args }))).toBe('VERIFY_FAILED');
    const value = note('x'.repeat(20_000));
    const large = written(value);
    expect(codeOf(() => read({ ...large, payload: () => '' }))).toBe('VERIFY_FAILED');
    const spaced = encodeArgs(value).replace(':', ': ');
    expect(codeOf(() => read({ ...large, payload: () => spaced }))).toBe('VERIFY_FAILED');
    const inline = encodeMessage(value, encodeArgs(value), null);
    expect(codeOf(() => read({ ...large, message: inline }))).toBe('VERIFY_FAILED');
  });

  test.each([253_402_300_800, 1e13, 9e15])('an author time of %i is refused', (at) => {
    expect(codeOf(() => read({ ...good, author: { name: 'x', at } }))).toBe('VERIFY_FAILED');
  });
});

test.each(['Fix a typo\n', 'Merge branch x\n\nSigned-off-by: y\n', '', ' gitstate-op: note.add\n'])(
  '%j is not ours',
  (message) => {
    expect(decodeMessage(message, { name: 'x', at: 0 }, () => '')).toBeNull();
  },
);
