import { spawn } from 'node:child_process';
import { beforeAll, expect, test } from 'vitest';
import { bundle } from '../support/bundle.ts';
import { makeStore } from '../support/store.ts';

let script: string;
beforeAll(async () => {
  script = await bundle('claim-worker');
});

function runWorker(
  cwd: string,
  worker: string,
): Promise<{ status: number | null; out: string; err: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [script, cwd, worker]);
    let out = '';
    let err = '';
    child.stdout.on('data', (chunk) => {
      out += chunk;
    });
    child.stderr.on('data', (chunk) => {
      err += chunk;
    });
    child.on('close', (status) => resolve({ status, out, err }));
  });
}

test('16 processes drain 200 features, each claimed exactly once', { timeout: 120_000 }, async () => {
  const { repository, store } = await makeStore();
  const ids = Array.from({ length: 200 }, (_, index) => String(index + 1).padStart(3, '0'));
  await store.planLoad({ features: ids.map((id) => ({ id })) });
  const runs = await Promise.all(
    Array.from({ length: 16 }, (_, index) => runWorker(repository.path, `W${index + 1}`)),
  );
  expect(runs.map(({ status, err }) => ({ status, err }))).toEqual(runs.map(() => ({ status: 0, err: '' })));
  const claimed = runs.flatMap(({ out }) => out.split('\n').filter(Boolean));
  expect(claimed.sort()).toEqual(ids);
  const log = repository
    .git('log', '--format=%(trailers:key=gitstate-op,valueonly,separator=%x2C)', 'gitstate')
    .split('\n');
  expect(log.filter((op) => op === 'feature.claim')).toHaveLength(200);
  expect(log.filter((op) => op === 'feature.complete')).toHaveLength(200);
  expect(repository.git('rev-list', '--min-parents=2', 'gitstate')).toBe('');
  expect(repository.git('for-each-ref', 'refs/gitstate/leases')).toBe('');
  expect(repository.git('fsck', '--strict', '--full', '--no-dangling')).toBe('');
  const { progress } = await store.status();
  expect(progress).toMatchObject({ total: 200, completed: 200, in_progress: 0 });
});
