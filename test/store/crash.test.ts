import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { bundle } from '../support/bundle.ts';
import { expectSound } from '../support/oracle.ts';
import { makeStore } from '../support/store.ts';

let script: string;
beforeAll(async () => {
  script = await bundle('note-worker');
});

interface Killed {
  begun: string[];
  done: string[];
}

/** Runs a writer and kills it, with all that it started, after so many acknowledged operations and a moment more. */
function killWriter(cwd: string, name: string, count: number, delayMs: number): Promise<Killed> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [script, cwd, name], { stdio: ['ignore', 'pipe', 'inherit'] });
    let out = '';
    child.stdout.on('data', (chunk) => {
      out += chunk;
      if (out.split('done ').length > count) setTimeout(() => child.kill('SIGKILL'), delayMs);
    });
    child.on('close', () => {
      const ids = (word: string) =>
        [...out.matchAll(new RegExp(`^${word} (\\S+)$`, 'gm'))].map((match) => match[1]!);
      resolve({ begun: ids('begin'), done: ids('done') });
    });
  });
}

test('whatever is killed, what was acknowledged stands, once, and the next command goes on', {
  timeout: 120_000,
}, async () => {
  const { repository, store } = await makeStore();
  const killed: Killed[] = [];
  for (let round = 0; round < 8; round += 1) {
    const victims = Array.from({ length: 3 }, (_, index) =>
      killWriter(repository.path, `k${round}-${index}`, 1 + (round % 3), Math.random() * 12),
    );
    killed.push(...(await Promise.all(victims)));
  }
  await store.add({ feature: 'after' });
  const landed = new Set((await store.list()).features.map(({ id }) => id as string));
  for (const { begun, done } of killed) {
    for (const id of done) expect(landed.has(id), `${id} was acknowledged and is lost`).toBe(true);
    // At most the operation under way when the process was killed may have landed without an answer.
    expect(begun.filter((id) => landed.has(id)).length - done.length).toBeLessThanOrEqual(1);
  }
  // The test proves nothing unless kills hit an operation under way.
  expect(killed.filter(({ begun, done }) => begun.length > done.length).length).toBeGreaterThan(5);
  const locks = readdirSync(join(repository.path, '.git'), { recursive: true }).filter((name) =>
    String(name).endsWith('.lock'),
  );
  expect(locks).toEqual([]);
  await expectSound(repository);
});
