import { execFileSync, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { commandEnvironment, commandFile, makeWorkplace, type Workplace } from '../support/cli.ts';

let place: Workplace;
let folder: string;
/** Every byte, in an order that no text has, and more than a pipe holds. */
const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, at) => (at * 7 + (at >> 8)) % 256));
const token = { env: { GITSTATE_WORKER: 'W1', GITSTATE_FEATURE: '001' } };

beforeAll(async () => {
  place = await makeWorkplace({ session: false });
  folder = place.repository.path;
  await place.ok('init');
  await place.ok('session start S --steps script,audio');
  await place.ok('add 001');
  await place.ok('claim 001 --worker W1');
  mkdirSync(join(folder, 'chunks'));
  writeFileSync(join(folder, 'chunks/01.wav'), bytes);
  writeFileSync(join(folder, 'script.md'), 'hello\n');
});

describe('artifact', () => {
  it('put keeps files and folders under a step', async () => {
    expect(await place.human('artifact list', token)).toBe(
      'no artifacts yet: put some with `git state artifact put STEP FILE...`',
    );
    const value = await place.json('artifact put audio chunks script.md', token);
    expect(value).toMatchObject({
      feature: '001',
      step: 'audio',
      artifacts: [
        { path: 'chunks/01.wav', size: bytes.length },
        { path: 'script.md', size: 6 },
      ],
      changed: true,
    });
    const elsewhere = { cwd: '/', env: token.env };
    expect(await place.human(['-C', folder, 'artifact', 'put', 'script', 'script.md'], elsewhere)).toBe(
      'put 1 file under step script of 001',
    );
    expect(await place.error('artifact put audio script.md --feature 001 --worker W2')).toMatchObject({
      status: 4,
      code: 'NOT_HOLDER',
    });
    expect(await place.error('artifact put audio nonesuch', token)).toMatchObject({ status: 2 });
    expect(await place.error('artifact put mixing script.md', token)).toMatchObject({ status: 3 });
  });

  it('list names them, of all steps or of one', async () => {
    expect(await place.ok('artifact list', token)).toMatch(
      /^audio\/chunks\/01.wav\t300000\t[0-9a-f]{40}\naudio\/script.md\t6\t.*\nscript\/script.md\t6\t.*$/,
    );
    expect(await place.json('artifact list script --feature 001')).toMatchObject({
      artifacts: [{ path: 'script/script.md', size: 6 }],
    });
    expect(await place.json('artifact list --at gitstate~1', token)).toMatchObject({
      artifacts: [{ path: 'audio/chunks/01.wav' }, { path: 'audio/script.md' }],
    });
  });

  it('get prints them byte for byte, with --json too', () => {
    const args = ['artifact', 'get', 'audio', 'chunks/01.wav', '--feature', '001', '--json'];
    const read = execFileSync(process.execPath, [commandFile, ...args], { cwd: folder });
    expect(read.equals(bytes)).toBe(true);
  });

  it('get --output writes a file as a whole or not at all', async () => {
    const out = join(folder, 'out.wav');
    expect(await place.human('artifact get audio chunks/01.wav --output out.wav', token)).toBe(
      'wrote out.wav (300000 bytes)',
    );
    expect(readFileSync(out).equals(bytes)).toBe(true);
    expect(await place.json(['artifact', 'get', 'script', 'script.md', '--output', out], token)).toEqual({
      schema_version: 1,
      output: out,
      size: 6,
    });
    expect(readFileSync(out, 'utf8')).toBe('hello\n');
    expect(await place.error('artifact get script script.md --output chunks', token)).toMatchObject({
      status: 2,
      code: 'INVALID_INPUT',
    });
    const missing = 'artifact get script nonesuch --output new.md';
    expect(await place.error(missing, token)).toMatchObject({ status: 3, code: 'ARTIFACT_NOT_FOUND' });
    expect(existsSync(join(folder, 'new.md'))).toBe(false);
    expect(readdirSync(folder).filter((name) => /^\.(out|chunks|new)/.test(name))).toEqual([]);
  });
});

describe('an artifact of 50 MB', () => {
  const size = 50_000_000;

  /** Runs the command with a small heap. @returns its output and the most memory that it took, in bytes. */
  async function measured(args: string[], to: string): Promise<number> {
    const probe = join(folder, 'probe.cjs');
    const peak = join(folder, 'peak');
    const report = `require('node:fs').writeFileSync(${JSON.stringify(peak)}, String(process.resourceUsage().maxRSS))`;
    writeFileSync(probe, `process.on('exit', () => ${report});`);
    const words = ['--max-old-space-size=32', '--require', probe, commandFile, ...args];
    const output = openSync(to, 'w');
    try {
      const child = spawn(process.execPath, words, {
        cwd: folder,
        env: commandEnvironment(token.env),
        stdio: ['ignore', output, 'inherit'],
      });
      expect(await new Promise((resolve) => child.on('close', resolve))).toBe(0);
    } finally {
      closeSync(output);
    }
    return Number(readFileSync(peak, 'utf8')) * 1024;
  }

  it('is put and got byte for byte, and never stands in memory', async () => {
    fill('large.wav', size);
    fill('medium.wav', size / 5);
    const out = join(folder, 'out');
    // The buffers that it passes through are full from some megabytes on.
    const medium = await measured(['artifact', 'put', 'audio', 'medium.wav'], out);
    const put = await measured(['artifact', 'put', 'audio', 'large.wav'], out);
    const got = await measured(['artifact', 'get', 'audio', 'large.wav'], join(folder, 'got.wav'));
    const written = await measured(
      ['artifact', 'get', 'audio', 'large.wav', '--output', join(folder, 'written.wav')],
      out,
    );
    for (const copy of ['got.wav', 'written.wav']) {
      expect(statSync(join(folder, copy)).size).toBe(size);
      expect(digestOf(copy), copy).toBe(digestOf('large.wav'));
    }
    for (const peak of [put, got, written]) expect(peak - medium).toBeLessThan(size * 0.6);
  });

  /** Bytes that do not shrink, no block of them like another. */
  function fill(name: string, bytesCount: number): void {
    const chunk = randomBytes(1024 * 1024);
    const file = openSync(join(folder, name), 'w');
    for (let left = bytesCount; left > 0; left -= chunk.length) {
      chunk.writeUInt32BE(left);
      writeSync(file, chunk, 0, Math.min(left, chunk.length));
    }
    closeSync(file);
  }

  function digestOf(name: string): string {
    return createHash('sha256')
      .update(readFileSync(join(folder, name)))
      .digest('hex');
  }
});
