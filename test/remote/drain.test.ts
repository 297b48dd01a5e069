import { spawn } from 'node:child_process';
import { beforeAll, expect, test } from 'vitest';
import { bundle } from '../support/bundle.ts';
import { openClone } from '../support/clones.ts';
import { expectSound } from '../support/oracle.ts';
import { repositoryAt } from '../support/repo.ts';
import { daemonMissing } from '../support/servers/daemon.ts';
import { cutEvery } from '../support/servers/faults.ts';
import { httpMissing } from '../support/servers/http.ts';
import {
  cloneServed,
  commitIn,
  gitOk,
  kindOf,
  type Served,
  serve,
  through,
} from '../support/servers/kinds.ts';
import { startProxy } from '../support/servers/proxy.ts';
import { describeServer } from '../support/servers/server.ts';

/** Clones on machines of their own drain one list of features through a server. DRAIN=8x4x200 for 8 clones of 4 workers
 *  and 200 features, which takes minutes. */

const [clones = 3, workers = 2, features = 12] = (process.env.DRAIN ?? '3x2x12').split('x').map(Number);
const size = { clones, workers, features };

let script: string;
beforeAll(async () => {
  script = await bundle('drain-worker');
});

interface Ended {
  status: number | null;
  out: string[];
  err: string;
}

function drain(cwd: string, name: string, env: Record<string, string>): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [script, cwd, name, String(size.workers)], {
      env: { ...process.env, ...env },
    });
    let [out, err] = ['', ''];
    child.stdout.on('data', (chunk) => {
      out += chunk;
    });
    child.stderr.on('data', (chunk) => {
      err += chunk;
    });
    child.on('close', (status) => resolve({ status, out: out.split('\n').filter(Boolean), err }));
  });
}

async function drainAll(served: Served, ways: readonly { url: string; env: Record<string, string> }[]) {
  const ids = Array.from({ length: size.features }, (_, index) => String(index + 1).padStart(3, '0'));
  const author = await openClone(repositoryAt(await cloneServed(served)), { variables: served.env });
  await author.store.init();
  await author.store.sessionStart({ session: 's' });
  await author.store.planLoad({ features: ids.map((id) => ({ id })) });
  const paths = await Promise.all(
    ways.map(async (way) => {
      const path = await cloneServed(served);
      repositoryAt(path).git('remote', 'set-url', 'origin', way.url);
      return path;
    }),
  );
  const startedMs = performance.now();
  const runs = await Promise.all(paths.map((path, index) => drain(path, `c${index + 1}`, ways[index]!.env)));
  const seconds = (performance.now() - startedMs) / 1000;
  expect(runs.map(({ status }) => status)).toEqual(runs.map(() => 0));
  for (const { err } of runs) expect(err).not.toMatch(/non-fast-forward|stale info|fetch first/);
  expect(runs.flatMap(({ out }) => out).sort()).toEqual(ids);
  const ops = served.bare
    .git('log', '--format=%(trailers:key=gitstate-op,valueonly,separator=%x2C)', 'gitstate')
    .split('\n');
  expect(ops.filter((op) => op === 'feature.claim')).toHaveLength(ids.length);
  expect(ops.filter((op) => op === 'feature.complete')).toHaveLength(ids.length);
  const here = repositoryAt(await cloneServed(served));
  here.git('branch', 'gitstate', 'origin/gitstate');
  await expectSound(here);
  return { seconds, operations: 2 * ids.length, runs };
}

/** Seconds for as many bare pushes of one clone, one after the other: what a lone user pays for them. */
async function barePushes(served: Served, count: number): Promise<number> {
  const path = await cloneServed(served);
  const startedMs = performance.now();
  for (let n = 0; n < count; n += 1) {
    await commitIn(path, String(n));
    await gitOk(path, ['push', '-q', 'origin', 'HEAD:refs/heads/bare'], served.env);
  }
  return (performance.now() - startedMs) / 1000;
}

describeServer('clones that share a web server', httpMissing, () => {
  test('drain a list with every feature done exactly once', { timeout: 900_000 }, async () => {
    const served = await serve(kindOf('HTTP with a header'));
    const { seconds, operations } = await drainAll(served, Array(size.clones).fill(served));
    const sample = Math.min(40, features / 2);
    const bare = ((await barePushes(served, sample)) / sample) * operations;
    const rate = (operations / seconds).toFixed(1);
    console.log(
      `${size.clones} clones x ${size.workers} workers: ${operations} operations in ${seconds.toFixed(1)} s, ` +
        `${rate}/s; as many bare pushes, one after the other: ${bare.toFixed(1)} s (${(bare / seconds).toFixed(2)}x)`,
    );
  });
});

describeServer('clones behind a proxy that cuts every tenth connection', daemonMissing, () => {
  test('lose nothing and double nothing', { timeout: 900_000 }, async () => {
    const served = await serve(kindOf('git daemon'));
    const proxy = await startProxy({ port: served.server.port! }, { seed: 11 });
    proxy.plan = cutEvery(10);
    await drainAll(served, Array(size.clones).fill(through(served, proxy)));
    const struck = proxy.connections.filter(({ end }) => end === 'struck').length;
    expect(struck).toBeGreaterThan(0);
    console.log(`${struck} of ${proxy.connections.length} connections were cut`);
  });
});
