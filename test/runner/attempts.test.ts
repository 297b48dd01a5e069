import { existsSync, mkdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { systemEnv } from '../../src/env.ts';
import { isRunning, linesOf, makeProject, only, openStore, until, work } from './support.ts';

describe('a time limit', () => {
  it('ends the whole process group of an attempt, whatever it ignores, and the attempt has failed', async () => {
    const { store, scratch } = await makeProject([{ id: '001' }], { maxRetries: 0 });
    const script = `trap "" TERM; sh -c 'trap "" TERM; while :; do sleep 1; done' & echo "$$ $!" > "$1/pids"
      echo "so far" >&2; while :; do sleep 1; done`;
    const { summary, events } = await work({ store, timeout: '700ms', graceMs: 200 }, script, scratch);
    expect(summary).toMatchObject({
      exit_status: 5,
      failed: [{ feature: '001', error: 'so far\nthe attempt was ended at its time limit of 700ms' }],
    });
    expect(only(events, 'failed')).toMatchObject([{ timed_out: true, will_retry: false }]);
    for (const pid of linesOf(join(scratch, 'pids'))[0]!.split(' '))
      expect(isRunning(Number(pid))).toBe(false);
    expect(await store.show({ feature: '001' })).toMatchObject({ status: 'failed', retry_count: 1 });
  });

  it('counts over all steps of an attempt, and not over the next attempt', async () => {
    const { store, scratch } = await makeProject([{ id: '001' }], { steps: ['a', 'b'], maxRetries: 1 });
    const trace = join(scratch, 'trace');
    const script = `echo "$GITSTATE_ATTEMPT $GITSTATE_STEP" >> "$1"
      test "$GITSTATE_STEP" = a && exec sleep 0.3; test "$GITSTATE_ATTEMPT" = 2 || exec sleep 300`;
    const { summary } = await work({ store, perStep: true, timeout: '2s', graceMs: 200 }, script, trace);
    expect(summary).toMatchObject({ exit_status: 0, completed: ['001'] });
    expect(linesOf(trace)).toEqual(['1 a', '1 b', '2 b']);
  });

  it('has to be a length of time', async () => {
    const { store } = await makeProject([{ id: '001' }]);
    await expect(work({ store, timeout: '0s' }, 'true')).rejects.toMatchObject({ code: 'INVALID_INPUT' });
  });
});

describe('the pause between attempts', () => {
  it('lets other features go first, and no runner may cut it short', async () => {
    const { store, repository, scratch } = await makeProject([{ id: '001' }, { id: '002' }]);
    const trace = join(scratch, 'trace');
    const script = `echo "$GITSTATE_FEATURE $(date +%s%N)" >> "$1"
      test "$GITSTATE_FEATURE" != 001 || test "$GITSTATE_ATTEMPT" = 2`;
    const options = { backoff: '2s', command: ['sh', '-c', script, 'sh', trace] };
    const [{ summary }, other] = await Promise.all([
      work({ store, ...options }, ''),
      work({ store: await openStore(repository.path), ...options }, ''),
    ]);
    expect([summary.exit_status, other.summary.exit_status]).toEqual([0, 0]);
    const runs = linesOf(trace).map((line) => line.split(' '));
    expect(runs.map(([feature]) => feature).sort()).toEqual(['001', '001', '002']);
    expect(runs.at(-1)![0]).toBe('001');
    const times = runs.filter(([feature]) => feature === '001').map(([, time]) => Number(time) / 1e6);
    // Failures are noted in whole seconds, so up to one second is lost.
    expect(times[1]! - times[0]!).toBeGreaterThan(1000);
  });

  it('is waited for without asking the store over and over', async () => {
    const { store } = await makeProject([{ id: '001' }], { maxRetries: 1 });
    let claims = 0;
    const claim = (options: object) => {
      claims += 1;
      return store.claim(options);
    };
    const counting = { ...store, claim };
    const { summary, events } = await work({ store: counting, backoff: '2s' }, 'exit 1');
    expect(summary.exit_status).toBe(5);
    expect(only(events, 'failed').length).toBe(2);
    expect(only(events, 'waiting').length).toBe(1);
    // Two attempts, one look at either end of the pause, and those of the wait itself.
    expect(claims).toBeLessThan(12);
  });

  it('ends at once on Ctrl-C', async () => {
    const { store } = await makeProject([{ id: '001' }]);
    const stop = new AbortController();
    const onEvent = ({ event }: { event: string }) => event === 'waiting' && stop.abort();
    const { summary } = await work({ store, backoff: '1h', stop: stop.signal, onEvent }, 'exit 1');
    expect(summary).toMatchObject({ exit_status: 130, remaining: 1 });
  });
});

describe('the number of retries', () => {
  it('can be lowered for a run, and never raised', async () => {
    const { store } = await makeProject([{ id: '001' }, { id: '002' }], { maxRetries: 1 });
    const lower = await work({ store, match: ['id=001'], retries: 0 }, 'exit 1');
    expect(only(lower.events, 'failed').length).toBe(1);
    const raised = await work({ store, match: ['id=002'], retries: 5 }, 'exit 1');
    expect(only(raised.events, 'failed').length).toBe(2);
    expect((await store.sessionShow()).max_retries).toBe(1);
  });
});

describe('a choice of features', () => {
  it('is made inside the claim, and all else is left alone', async () => {
    const { store, scratch } = await makeProject([
      { id: 'api-1', priority: 'P0', data: { labels: ['backend'] } },
      { id: 'api-2', priority: 'P2', data: { labels: ['backend'] } },
      { id: 'web-1', priority: 'P0', data: { labels: ['frontend'] } },
      { id: 'api-3', priority: 'P1', data: { labels: ['backend'] }, dependencies: ['api-1'] },
    ]);
    const trace = join(scratch, 'trace');
    const match = ['priority=P0,P1', 'label=backend'];
    const { summary } = await work({ store, workers: 2, match }, 'echo "$GITSTATE_FEATURE" >> "$1"', trace);
    expect(summary).toMatchObject({ exit_status: 0, completed: ['api-1', 'api-3'], remaining: 0 });
    expect(linesOf(trace)).toEqual(['api-1', 'api-3']);
    expect((await store.ready({ match: ['id=*-2'] })).features.map(({ id }) => id)).toEqual(['api-2']);
    expect((await store.next({ match: ['label=front*'] })).id).toBe('web-1');
    const claimed = await store.claim({ worker: 'me', match: ['label=frontend'] });
    expect(claimed.feature.id).toBe('web-1');
    await expect(store.claim({ worker: 'you', match: ['label=frontend'] })).rejects.toMatchObject({
      code: 'NOTHING_READY',
      details: { all_complete: false, in_progress: [{ id: 'web-1' }] },
    });
    await expect(store.claim({ match: ['id=nothing'] })).rejects.toMatchObject({
      message: 'nothing is ready: no feature matches',
    });
  });

  it('waits for what it needs in the hands of others, and for nothing else', async () => {
    const { store, repository } = await makeProject([
      { id: 'a' },
      { id: 'b', dependencies: ['a'] },
      { id: 'c' },
    ]);
    const other = await openStore(repository.path);
    const { token } = await other.claim({ feature: 'a', worker: 'somebody' });
    await other.claim({ feature: 'c', worker: 'else' });
    const onEvent = ({ event }: { event: string }) =>
      event === 'waiting' && void other.complete({ feature: 'a', token: token! });
    const { summary } = await work({ store, match: ['id=b'], onEvent }, 'true');
    expect(summary).toMatchObject({ exit_status: 0, completed: ['b'] });
    expect((await work({ store, match: ['id=c'] }, 'true')).summary).toMatchObject({ exit_status: 5 });
  });

  it('that nobody works on is not waited for', async () => {
    const { store } = await makeProject([{ id: 'a' }, { id: 'b', dependencies: ['a'] }, { id: 'c' }]);
    await store.claim({ feature: 'c', worker: 'somebody' });
    await expect(store.claim({ worker: 'me', match: ['id=b'], wait: true })).rejects.toMatchObject({
      code: 'NOTHING_READY',
      details: { blocked: [{ id: 'b' }], in_progress: [] },
    });
  });

  it('that cannot be read is refused before anything is claimed', async () => {
    const { store } = await makeProject([{ id: '001' }]);
    await expect(work({ store, match: ['colour=red'] }, 'true')).rejects.toMatchObject({
      code: 'INVALID_INPUT',
    });
    expect((await store.show({ feature: '001' })).status).toBe('pending');
  });
});

describe('logs', () => {
  it('of old attempts are removed when a run begins', async () => {
    const { store, repository } = await makeProject([{ id: '001' }]);
    const folder = join(repository.path, '.git', 'gitstate', 'logs');
    const put = (path: string, ageDays: number) => {
      mkdirSync(join(folder, path, '..'), { recursive: true });
      writeFileSync(join(folder, path), 'x');
      const time = systemEnv().now() / 1000 - ageDays * 86_400;
      utimesSync(join(folder, path), time, time);
    };
    for (let attempt = 1; attempt <= 12; attempt += 1) put(`s/many/${attempt}-plan.log`, 1);
    put('s/many/12.setup.log', 1);
    put('s/old/1.log', 15);
    put('gone/old/1.log', 15);
    put('gone/young/1.log', 13);
    put('s/many/note.txt', 1);
    await work({ store }, 'true');
    const there = (path: string) => existsSync(join(folder, path));
    expect([1, 2, 3, 12].map((attempt) => there(`s/many/${attempt}-plan.log`))).toEqual([
      ...[false, false, true, true],
    ]);
    expect(there('s/many/12.setup.log')).toBe(true);
    expect([there('s/old'), there('gone/old'), there('gone/young/1.log')]).toEqual([false, false, true]);
    expect(readFileSync(join(folder, 's/001/1.log'), 'utf8')).toBe('');
  });

  it('hold what a silent command printed: nothing', async () => {
    const { store } = await makeProject([{ id: '001' }]);
    const { summary, events } = await work({ store }, 'sleep 0.1');
    expect(summary.exit_status).toBe(0);
    expect(readFileSync(only(events, 'started')[0]!.log as string, 'utf8')).toBe('');
  });
});

describe('a command that forks and goes', () => {
  it('has what it left in its group ended, and its own status counts', async () => {
    const { store, scratch } = await makeProject([{ id: '001' }], { maxRetries: 0 });
    const script = `(trap "" TERM HUP; while :; do sleep 0.2; done) & echo $! > "$1/pid"; kill -SEGV $$`;
    const { summary } = await work({ store, graceMs: 200 }, script, scratch);
    expect(summary.failed).toMatchObject([{ error: 'the command was ended by SIGSEGV' }]);
    const pid = Number(linesOf(join(scratch, 'pid'))[0]);
    await until('the end of the child', () => !isRunning(pid));
  });
});
