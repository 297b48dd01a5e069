import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  buildRunner,
  isRunning,
  linesOf,
  makeProject,
  only,
  openStore,
  startRunner,
  until,
  work,
} from './support.ts';

beforeAll(async () => {
  await buildRunner();
});

/** Writes a line to `trace` when it runs. */
const tracing = (trace: string, word: string) => `echo "${word} $GITSTATE_FEATURE" >> '${trace}'`;

describe('a setup', () => {
  it('comes once in a worktree, before the command, with its environment', async () => {
    const { store, scratch } = await makeProject([{ id: '001' }], { maxRetries: 1 });
    const trace = join(scratch, 'trace');
    const setup = `${tracing(trace, 'setup')}; pwd > '${scratch}/pwd'; echo "$GITSTATE_TOKEN" > '${scratch}/token'; echo .env > .env`;
    const script = `echo "run $(cat .env)" >> "$1"; test "$GITSTATE_ATTEMPT" = 2`;
    const { summary, events } = await work({ store, setup }, script, trace);
    expect(summary.exit_status).toBe(0);
    expect(linesOf(trace)).toEqual(['setup 001', 'run .env', 'run .env']);
    expect(linesOf(join(scratch, 'pwd'))).toEqual([only(events, 'claimed')[0]!.worktree]);
    expect(linesOf(join(scratch, 'token'))[0]).toMatch(/^1-[0-9a-f]{40}$/);
    const [started] = only(events, 'setup_started');
    expect(started).toMatchObject({ worker: 'W1', feature: '001', pid: expect.any(Number) });
    expect((started!.log as string).endsWith('/001/1.setup.log')).toBe(true);
  });

  it('that fails fails the attempt with what it said, and comes again', async () => {
    const { store, scratch } = await makeProject([{ id: '001' }], { maxRetries: 1 });
    const trace = join(scratch, 'trace');
    const setup = `${tracing(trace, 'setup')}; echo "no network"; test -e ready || { touch ready; exit 3; }`;
    const { summary, events } = await work({ store, setup }, 'echo run >> "$1"', trace);
    expect(summary.exit_status).toBe(0);
    expect(only(events, 'failed')).toMatchObject([
      { error: 'no network\nthe setup command exited with status 3', status: 3, will_retry: true },
    ]);
    expect(linesOf(trace)).toEqual(['setup 001', 'setup 001', 'run']);
  });

  it('that was cut off, or reads differently, comes again', async () => {
    const { store, repository, scratch } = await makeProject([{ id: '001' }]);
    const trace = join(scratch, 'trace');
    const setup = `${tracing(trace, 'setup')}; test -e once || { touch once; echo $$ > '${scratch}/pid'; exec sleep 300; }`;
    const command = ['sh', '-c', 'echo run >> "$1"; exit 1', 'sh', trace];
    const first = await startRunner(repository.path, { setup, command });
    await until('the setup', () => linesOf(join(scratch, 'pid')).length === 1);
    first.kill('SIGKILL');
    await first.exit;
    await work({ store, setup, retries: 0, command }, '');
    expect(linesOf(trace)).toEqual(['setup 001', 'setup 001', 'run']);
    await store.retry({ feature: '001' });
    await work({ store, setup: `${setup};`, retries: 0, command }, '');
    expect(linesOf(trace).slice(3)).toEqual(['setup 001', 'run']);
  });

  it('is under the time limit, too', async () => {
    const { store } = await makeProject([{ id: '001' }], { maxRetries: 0 });
    const { summary } = await work(
      { store, setup: 'exec sleep 300', timeout: '300ms', graceMs: 200 },
      'true',
    );
    expect(summary.failed).toMatchObject([{ error: 'the attempt was ended at its time limit of 300ms' }]);
  });
});

describe('a teardown', () => {
  it('comes after each attempt, however it ended, and the setup comes again after it', async () => {
    const { store, scratch } = await makeProject([{ id: '001' }, { id: '002' }], { maxRetries: 1 });
    const trace = join(scratch, 'trace');
    const script = `echo "run $GITSTATE_FEATURE" >> "$1"; test "$GITSTATE_FEATURE$GITSTATE_ATTEMPT" != 0011`;
    const { summary } = await work(
      { store, setup: tracing(trace, 'setup'), teardown: tracing(trace, 'teardown') },
      script,
      trace,
    );
    expect(summary).toMatchObject({ exit_status: 0, completed: expect.arrayContaining(['001', '002']) });
    const round = (id: string) => [`setup ${id}`, `run ${id}`, `teardown ${id}`];
    const lines = linesOf(trace);
    expect(lines.filter((line) => line.endsWith('001'))).toEqual([...round('001'), ...round('001')]);
    expect(lines.filter((line) => line.endsWith('002'))).toEqual(round('002'));
  });

  it('comes after a failed setup and after the second Ctrl-C, and its own failure is only told', async () => {
    const { store, scratch } = await makeProject([{ id: '001' }], { maxRetries: 0 });
    const trace = join(scratch, 'trace');
    const teardown = `${tracing(trace, 'teardown')}; echo "still there" >&2; exit 1`;
    const failing = await work({ store, setup: 'exit 1', teardown }, 'true');
    expect(failing.summary.failed.length).toBe(1);
    await store.retry({ feature: '001' });
    const kill = new AbortController();
    const onEvent = ({ event }: { event: string }) => event === 'started' && kill.abort();
    const ended = await work({ store, teardown, kill: kill.signal, onEvent }, 'exec sleep 300');
    expect(ended.summary).toMatchObject({ exit_status: 130, failed: [] });
    const again = await work({ store, teardown }, 'true');
    expect(again.summary).toMatchObject({ exit_status: 0, completed: ['001'] });
    expect(linesOf(trace).length).toBe(3);
    for (const { events } of [failing, ended, again]) {
      expect(only(events, 'teardown_failed')).toMatchObject([{ feature: '001', message: 'still there' }]);
    }
    const log = only(again.events, 'teardown_failed')[0]!.log as string;
    expect(readFileSync(log, 'utf8')).toContain('still there');
  });

  it('that does not come to an end is ended at the limit, and the work counts all the same', async () => {
    const { store, scratch } = await makeProject([{ id: '001' }]);
    const teardown = `echo $$ > '${scratch}/pid'; exec sleep 300`;
    const { summary, events } = await work({ store, teardown, timeout: '1s', graceMs: 200 }, 'true');
    expect(summary).toMatchObject({ exit_status: 0, completed: ['001'] });
    expect(only(events, 'teardown_failed')).toMatchObject([{ message: 'it took too long' }]);
    expect(isRunning(Number(linesOf(join(scratch, 'pid'))[0]))).toBe(false);
  });

  it('does not touch a worktree that somebody else took over', async () => {
    const { store, repository, scratch } = await makeProject([{ id: '001' }]);
    const other = await openStore(repository.path);
    const onEvent = ({ event }: { event: string }) =>
      event === 'started' && void other.claim({ feature: '001', worker: 'thief', force: true });
    const teardown = `touch '${scratch}/torn'`;
    const { events } = await work(
      { store, lease: '900ms', teardown, graceMs: 200, onEvent },
      'exec sleep 300',
    );
    expect(only(events, 'lost').length).toBe(1);
    expect(existsSync(join(scratch, 'torn'))).toBe(false);
  });
});
