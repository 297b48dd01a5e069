import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { lineOf } from '../../src/cli/work-lines.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

test('every event is in the reference, and the reference has no other', () => {
  const folder = join(root, 'src/runner');
  const sources = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8'));
  const emitted = sources.flatMap((source) =>
    [...source.matchAll(/\bemit\('(\w+)'/g)].map(([, name]) => name!),
  );
  // These are put together from what is started.
  const all = new Set([...emitted, 'started', 'setup_started', 'teardown_started']);
  const reference = readFileSync(join(root, 'docs/reference.md'), 'utf8');
  const table = /\| event \| more fields \|\n([\s\S]*?)\n\n/.exec(reference)![1]!;
  const documented = table
    .split('\n')
    .flatMap((row) => [...row.split('|')[1]!.matchAll(/`(\w+)`/g)].map(([, name]) => name!));
  expect(documented.sort()).toEqual([...all].sort());
});

test('what is told in lines names the feature, and what is routine is not told', () => {
  const told = (event: string, fields: object = {}) =>
    lineOf({ event, at: '', worker: 'W1', feature: '7', ...fields });
  expect(told('merged', { branch: 'feature/7', into: 'next' })).toBe('W1: merged feature/7 into next');
  expect(told('teardown_failed', { message: 'a\nb' })).toBe('W1: warning: the teardown of 7 failed: b');
  for (const event of ['renewed', 'started', 'setup_started', 'teardown_started'])
    expect(told(event)).toBeNull();
});
