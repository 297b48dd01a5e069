import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { systemEnv } from '../../src/env.ts';
import { isRunning, linesOf, makeProject, only, openStore, until, work } from './support.ts';

/** Waits for a file that the test makes. */
const untilGo = 'until test -e "$1/go"; do sleep 0.02; done';

describe('the lease', () => {
  it('is renewed while the command runs, through several lengths of it', async () => {
    const { store, repository, scratch } = await makeProject([{ id: '001' }]);
    const ref = 'refs/gitstate/leases/s/001';
    const leases = new Set<string>();
    const other = await openStore(repository.path);
    const running = work({ store, lease: '800ms' }, 'echo $$ > "$1/pid"; sleep 3.2', scratch);
    await until('the command', () => linesOf(join(scratch, 'pid')).length === 1);
    const pid = Number(linesOf(join(scratch, 'pid'))[0]);
    while (isRunning(pid)) {
      const oid = repository.git('for-each-ref', '--format=%(objectname)', ref);
      if (oid !== '') {
        leases.add(oid);
        const lease = JSON.parse(repository.git('log', '-1', '--format=%B', oid));
        if (leases.size > 2) expect(lease.child).toMatchObject({ pid });
      }
      await expect(other.claim({ worker: 'thief' })).rejects.toMatchObject({ code: 'NOTHING_READY' });
      const check = await other.claimCheck({ feature: '001', worker: 'W1' });
      if (isRunning(pid)) expect(check).toMatchObject({ held: true, expired: false });
    }
    const { summary, events } = await running;
    expect(summary).toMatchObject({ exit_status: 0, completed: ['001'] });
    // On a busy machine one may be late, and is told; none may be too late.
    expect(only(events, 'lost')).toEqual([]);
    // Four lengths of the lease, renewed every third of one.
    expect(leases.size).toBeGreaterThan(4);
  });

  it('is reported when it cannot be renewed, and renewed as soon as it can', async () => {
    const { store, repository, scratch } = await makeProject([{ id: '001' }]);
    const seen: string[] = [];
    const count = (name: string) => seen.filter((event) => event === name).length;
    const onEvent = ({ event }: { event: string }) => void seen.push(event);
    const running = work({ store, lease: '900ms', onEvent }, untilGo, scratch);
    await until('a first renewal', () => count('renewed') > 0);
    const lock = join(repository.path, '.git', 'refs', 'gitstate', 'leases', 's', '001.lock');
    writeFileSync(lock, '');
    await until('two complaints', () => count('renewal_failed') > 1);
    const before = count('renewed');
    rmSync(lock);
    await until('a renewal', () => count('renewed') > before);
    writeFileSync(join(scratch, 'go'), '');
    expect((await running).summary).toMatchObject({ exit_status: 0, completed: ['001'] });
  });

  it('that was taken over ends the command, and the run goes on with the next feature', async () => {
    const { store, repository, scratch } = await makeProject([{ id: '001' }, { id: '002' }]);
    const other = await openStore(repository.path);
    const script =
      'test "$GITSTATE_FEATURE" = 002 && exit; trap "" TERM; sleep 300 & echo $$ $! > "$1/pids"; while :; do sleep 1; done';
    const running = work({ store, lease: '900ms', graceMs: 300 }, script, scratch);
    await until('the command', () => linesOf(join(scratch, 'pids')).length === 1);
    const taken = await other.claim({ feature: '001', worker: 'thief', force: true, worktree: true });
    const { summary, events } = await running;
    expect(only(events, 'lost')).toMatchObject([{ feature: '001', holder: 'thief' }]);
    expect(summary).toMatchObject({ exit_status: 5, completed: ['002'], failed: [] });
    for (const pid of linesOf(join(scratch, 'pids'))[0]!.split(' '))
      expect(isRunning(Number(pid))).toBe(false);
    expect(await store.show({ feature: '001' })).toMatchObject({ status: 'in_progress', worker_id: 'thief' });
    const gitDir = join(repository.path, '.git', 'worktrees', '001');
    expect(JSON.parse(readFileSync(join(gitDir, 'gitstate-claim.json'), 'utf8')).token).toBe(taken.token);
  });
});

describe('a command', () => {
  it('may complete its own feature and finish afterwards', async () => {
    const { store, repository, scratch } = await makeProject([{ id: '001' }]);
    const other = await openStore(repository.path);
    const script = 'echo "$GITSTATE_TOKEN" > "$1/token"; sleep 1.5; touch "$1/finished"';
    const running = work({ store, lease: '600ms' }, script, scratch);
    await until('the command', () => linesOf(join(scratch, 'token')).length === 1);
    const token = linesOf(join(scratch, 'token'))[0]!;
    await other.complete({ feature: '001', token, summary: 'by itself', skipRemaining: true });
    const { summary, events } = await running;
    expect(statSync(join(scratch, 'finished')).isFile()).toBe(true);
    expect(summary).toMatchObject({ exit_status: 0, completed: ['001'] });
    expect(only(events, 'lost')).toEqual([]);
  });

  it('has its end written down, even if somebody holds the branch for a while', async () => {
    const { store, repository, scratch } = await makeProject([{ id: '001' }]);
    const lock = join(repository.path, '.git', 'refs', 'heads', 'gitstate.lock');
    const running = work({ store }, `touch "$1/ran"; ${untilGo}; touch "$1/over"`, scratch);
    await until('the command', () => exists(join(scratch, 'ran')));
    writeFileSync(lock, '');
    writeFileSync(join(scratch, 'go'), '');
    await until('its end', () => exists(join(scratch, 'over')));
    await systemEnv().sleep(1200);
    expect((await store.show({ feature: '001' })).status).toBe('in_progress');
    rmSync(lock);
    expect((await running).summary).toMatchObject({ exit_status: 0, completed: ['001'] });
  });

  it('may write more than fits into memory buffers, on both outputs', async () => {
    const { store } = await makeProject([{ id: '001' }], { maxRetries: 0 });
    const script =
      'head -c 20000000 /dev/zero | tr "\\0" o; head -c 20000000 /dev/zero | tr "\\0" e >&2; echo END >&2; exit 1';
    const { summary, events } = await work({ store }, script);
    const log = only(events, 'started')[0]?.log as string;
    expect(statSync(log).size).toBe(40_000_004);
    expect(summary.failed[0]?.error).toMatch(/^e{1997}END$/);
  });

  it('leaves nothing behind that it started in the background', async () => {
    const { store, scratch } = await makeProject([{ id: '001' }]);
    const { summary } = await work({ store }, 'sleep 300 & echo $! > "$1/pid"', scratch);
    expect(summary.exit_status).toBe(0);
    expect(isRunning(Number(linesOf(join(scratch, 'pid'))[0]))).toBe(false);
  });
});

describe('stopping', () => {
  it('first makes no new claims and waits for what runs', async () => {
    const { store, scratch } = await makeProject([
      { id: '001' },
      { id: '002' },
      { id: '003', dependencies: ['001'] },
    ]);
    const stop = new AbortController();
    const running = work({ store, stop: stop.signal }, `touch "$1/$GITSTATE_FEATURE"; ${untilGo}`, scratch);
    await until('the command', () => exists(join(scratch, '001')));
    stop.abort();
    writeFileSync(join(scratch, 'go'), '');
    const { summary, events } = await running;
    expect(summary).toMatchObject({ exit_status: 130, completed: ['001'], remaining: 2 });
    expect(only(events, 'claimed').length).toBe(1);
    expect(only(events, 'stopping').length).toBe(1);
  });

  it('gives back a claim that came while it was asked for', async () => {
    const { store, repository, scratch } = await makeProject([{ id: '001' }]);
    const hook = join(repository.path, '.git', 'hooks', 'post-checkout');
    const wait = `until test -e '${scratch}/go'; do sleep 0.02; done`;
    writeFileSync(hook, `#!/bin/sh\ntouch '${scratch}/placing'\n${wait}\n`, { mode: 0o755 });
    repository.git('config', 'core.hooksPath', join(repository.path, '.git', 'hooks'));
    const stop = new AbortController();
    const running = work({ store: await openStore(repository.path), stop: stop.signal }, 'true');
    await until('the worktree being made', () => exists(join(scratch, 'placing')));
    stop.abort();
    writeFileSync(join(scratch, 'go'), '');
    const { summary, events } = await running;
    expect(summary).toMatchObject({ exit_status: 130, completed: [], remaining: 1 });
    expect(only(events, 'claimed', 'started')).toEqual([]);
    expect(only(events, 'released').length).toBe(1);
    expect(await store.show({ feature: '001' })).toMatchObject({ status: 'pending', worker_id: null });
    expect(exists(join(repository.path, '.git', 'worktrees', '001', 'gitstate-claim.json'))).toBe(false);
  });

  it('ends a worker that waits', async () => {
    const { store, repository } = await makeProject([{ id: '001' }, { id: '002', dependencies: ['001'] }]);
    await (await openStore(repository.path)).claim({ feature: '001', worker: 'somebody' });
    const stop = new AbortController();
    const { summary } = await work(
      { store, stop: stop.signal, onEvent: ({ event }) => event === 'waiting' && stop.abort() },
      'true',
    );
    expect(summary).toMatchObject({ exit_status: 130, completed: [] });
  });

  it('then ends what runs, whatever it ignores, and gives the claims back', async () => {
    const { store, repository, scratch } = await makeProject([{ id: '001' }, { id: '002' }]);
    const stop = new AbortController();
    const kill = new AbortController();
    const script = `trap "" TERM INT; sh -c 'trap "" TERM; while :; do sleep 1; done' & echo "$$ $!" > "$1/$GITSTATE_FEATURE"; while :; do sleep 1; done`;
    const running = work(
      { store, workers: 2, stop: stop.signal, kill: kill.signal, graceMs: 200 },
      script,
      scratch,
    );
    const files = [join(scratch, '001'), join(scratch, '002')];
    await until('both commands', () => files.every((file) => linesOf(file).length === 1));
    stop.abort();
    kill.abort();
    const { summary, events } = await running;
    expect(summary).toMatchObject({ exit_status: 130, completed: [], failed: [], remaining: 2 });
    expect(only(events, 'released').length).toBe(2);
    const pids = files.flatMap((file) => linesOf(file)[0]!.split(' ').map(Number));
    expect(pids.map(isRunning)).toEqual([false, false, false, false]);
    for (const { status, retry_count } of (await store.list()).features) {
      expect({ status, retry_count }).toEqual({ status: 'pending', retry_count: 0 });
    }
    expect(repository.git('for-each-ref', 'refs/gitstate/leases')).toBe('');
  });
});

describe('waiting', () => {
  it('goes on when somebody else finishes what was needed', async () => {
    const { store, repository } = await makeProject([{ id: '001' }, { id: '002', dependencies: ['001'] }]);
    const other = await openStore(repository.path);
    const { token } = await other.claim({ feature: '001', worker: 'W1' });
    const { summary, events } = await work(
      {
        store,
        onEvent: ({ event }) => {
          if (event === 'waiting')
            void other.complete({ feature: '001', token: token!, skipRemaining: true });
        },
      },
      'true',
    );
    expect(summary).toMatchObject({ exit_status: 0, completed: ['002'] });
    // The first name has a claim already.
    expect(only(events, 'claimed')).toMatchObject([{ feature: '002', worker: 'W2' }]);
  });

  it('takes over a claim that ends while it waits', async () => {
    const { store, repository } = await makeProject([{ id: '001' }, { id: '002', dependencies: ['001'] }]);
    await (await openStore(repository.path)).claim({ feature: '001', worker: 'gone', lease: '1s' });
    const { summary, events } = await work({ store }, 'true');
    expect(summary).toMatchObject({ exit_status: 0, completed: ['001', '002'] });
    expect(only(events, 'claimed')[0]).toMatchObject({
      feature: '001',
      attempt: 1,
      takeover: { worker: 'gone', reason: 'expired' },
    });
  });

  it('does not wait for what could free nothing', async () => {
    const { store, repository } = await makeProject([
      { id: '001' },
      { id: '002' },
      { id: '003', dependencies: ['001', '002'] },
    ]);
    const other = await openStore(repository.path);
    await other.claim({ feature: '001', worker: 'somebody' });
    await other.claim({ feature: '002', worker: 'else' });
    await other.fail({ feature: '002', worker: 'else', error: 'no', noRetry: true });
    const { summary, events } = await work({ store }, 'true');
    expect(summary).toMatchObject({ exit_status: 5, completed: [], remaining: 3 });
    expect(only(events, 'waiting')).toEqual([]);
  });
});

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}
