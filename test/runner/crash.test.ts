import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { kill } from 'node:process';
import { beforeAll, describe, expect, it } from 'vitest';
import { buildRunner, isRunning, linesOf, makeProject, only, startRunner, until, work } from './support.ts';

beforeAll(async () => {
  await buildRunner();
});

describe('a runner that was killed', () => {
  it('is resumed at the first unfinished step', async () => {
    const { store, repository, scratch } = await makeProject([{ id: '001' }], { steps: ['a', 'b', 'c'] });
    const trace = join(scratch, 'trace');
    const script =
      'echo "$GITSTATE_ATTEMPT $GITSTATE_STEP" >> "$1"; echo "$GITSTATE_STEP" >> "$GITSTATE_SUMMARY_FILE"; if test "$GITSTATE_STEP" = b && test ! -e "$1.once"; then touch "$1.once"; echo $$ > "$1.pid"; exec sleep 300; fi';
    const first = await startRunner(repository.path, {
      perStep: true,
      command: ['sh', '-c', script, 'sh', trace],
    });
    await until('step b', () => linesOf(`${trace}.pid`).length === 1);
    first.kill('SIGKILL');
    await first.exit;
    const pid = Number(linesOf(`${trace}.pid`)[0]);
    expect(isRunning(pid)).toBe(true);
    const { summary, events } = await work({ store, perStep: true, graceMs: 500 }, script, trace);
    expect(summary).toMatchObject({ exit_status: 0, completed: ['001'] });
    expect(linesOf(trace)).toEqual(['1 a', '1 b', '1 b', '1 c']);
    expect(isRunning(pid)).toBe(false);
    expect(only(events, 'claimed')).toMatchObject([
      { worker: 'W2', attempt: 1, takeover: { worker: 'W1', reason: 'dead' } },
    ]);
    expect(await store.show({ feature: '001' })).toMatchObject({ retry_count: 0, summary: 'a\nb\nb\nc' });
  });

  it('has what it left running ended before its feature is worked on again', async () => {
    const { store, repository, scratch } = await makeProject([{ id: '001' }]);
    const script = `
      if test ! -e "$1/pids"; then
        trap "" TERM
        sh -c 'trap "" TERM; while :; do sleep 0.1; echo >> "$1/beat"; done' sh "$1" &
        echo "$$ $!" > "$1/pids"
        while :; do sleep 1; done
      fi
      for pid in $(cat "$1/pids"); do
        if grep -qs "^State:.[^ZX]" "/proc/$pid/status"; then echo alive; else echo gone; fi >> "$1/seen"
      done`;
    const first = await startRunner(repository.path, { command: ['sh', '-c', script, 'sh', scratch] });
    await until('the command', () => linesOf(join(scratch, 'beat')).length > 0);
    await until('its note in the lease', () => first.events.some(({ event }) => event === 'renewed'));
    first.kill('SIGKILL');
    await first.exit;
    const pids = linesOf(join(scratch, 'pids'))[0]!.split(' ').map(Number);
    expect(pids.map(isRunning)).toEqual([true, true]);
    const { summary, events } = await work({ store, graceMs: 300 }, script, scratch);
    expect(summary).toMatchObject({ exit_status: 0, completed: ['001'] });
    expect(linesOf(join(scratch, 'seen'))).toEqual(['gone', 'gone']);
    const order = only(events, 'orphan_ending', 'claimed', 'started').map(({ event }) => event);
    expect(order).toEqual(['orphan_ending', 'claimed', 'started']);
  });

  it('has descendants ended, too, where the leader of their group is gone', async () => {
    const { store, repository, scratch } = await makeProject([{ id: '001' }]);
    const script = `
      if test ! -e "$1/pids"; then
        sleep 300 & echo "$$ $!" > "$1/pids"; wait
      fi
      grep -qs "^State:.[^ZX]" "/proc/$(cut -d" " -f2 "$1/pids")/status" || echo gone > "$1/seen"`;
    const first = await startRunner(repository.path, { command: ['sh', '-c', script, 'sh', scratch] });
    await until('the command', () => linesOf(join(scratch, 'pids')).length === 1);
    await until('its note in the lease', () => first.events.some(({ event }) => event === 'renewed'));
    const [leader, descendant] = linesOf(join(scratch, 'pids'))[0]!.split(' ').map(Number);
    first.kill('SIGKILL');
    await first.exit;
    kill(leader!, 'SIGKILL');
    await until('the leader to go', () => !isRunning(leader!));
    expect(isRunning(descendant!)).toBe(true);
    expect((await work({ store }, script, scratch)).summary.exit_status).toBe(0);
    expect(linesOf(join(scratch, 'seen'))).toEqual(['gone']);
  });
});

describe('a runner that was stopped for longer than its lease', () => {
  it('loses the feature, and what it started does not run beside the next attempt', async () => {
    const { store, repository, scratch } = await makeProject([{ id: '001' }]);
    const script = `
      if test ! -e "$1/pid"; then echo mine > uncommitted; echo $$ > "$1/pid"; while :; do sleep 0.1; done; fi
      grep -qs "^State:.[^ZX]" "/proc/$(cat "$1/pid")/status" || echo gone > "$1/seen"
      cat uncommitted >> "$1/seen"`;
    const options = { lease: '1s', command: ['sh', '-c', script, 'sh', scratch] };
    const first = await startRunner(repository.path, options);
    await until('its note in the lease', () => first.events.some(({ event }) => event === 'renewed'));
    first.kill('SIGSTOP');
    const pid = Number(linesOf(join(scratch, 'pid'))[0]);
    expect(isRunning(pid)).toBe(true);
    await until('the end of the lease', async () => (await store.claimCheck({ feature: '001' })).expired);
    const { summary, events } = await work({ store }, script, scratch);
    expect(summary).toMatchObject({ exit_status: 0, completed: ['001'] });
    expect(only(events, 'claimed')).toMatchObject([{ takeover: { worker: 'W1', reason: 'expired' } }]);
    expect(linesOf(join(scratch, 'seen'))).toEqual(['gone', 'mine']);
    first.kill('SIGCONT');
    expect(await first.exit).toBe(0);
    expect(only(first.events, 'lost').length).toBe(1);
    expect(only(first.events, 'completed', 'failed')).toEqual([]);
  });
});

describe('two runners', () => {
  it('never run one feature twice', async () => {
    const ids = Array.from({ length: 14 }, (_, index) => `f${index}`);
    const { store, repository, scratch } = await makeProject(ids.map((id) => ({ id })));
    const trace = join(scratch, 'trace');
    const script =
      'echo "$GITSTATE_FEATURE $GITSTATE_WORKER" >> "$1"; until test -e "$1.go"; do sleep 0.02; done';
    const command = ['sh', '-c', script, 'sh', trace];
    const runners = await Promise.all([
      startRunner(repository.path, { workers: 3, command }),
      startRunner(repository.path, { workers: 3, command }),
    ]);
    await until('work in both', () => runners.every(({ events }) => only(events, 'started').length > 0));
    writeFileSync(`${trace}.go`, '');
    const exits = await Promise.all(runners.map(({ exit }) => exit));
    // One may end while the other still works on the last ones, which free nothing.
    expect(exits).toContain(0);
    const features = linesOf(trace).map((line) => line.split(' ')[0]);
    expect(features.sort()).toEqual([...ids].sort());
    const done = runners.map(({ events }) => only(events, 'completed').length);
    expect(done[0]! + done[1]!).toBe(ids.length);
    expect(Math.min(...done)).toBeGreaterThan(0);
    expect((await store.status()).progress).toMatchObject({ completed: ids.length });
    // Claims by one name overlap nowhere: a second one would have been refused.
    for (const { events } of runners) expect(only(events, 'lost', 'failed', 'skipped')).toEqual([]);
  });
});

describe('signals', () => {
  it('are answered like the words they stand for', async () => {
    const { store, repository, scratch } = await makeProject([{ id: '001' }, { id: '002' }]);
    const script = 'echo $$ > "$1/$GITSTATE_FEATURE"; until test -e "$1/go"; do sleep 0.05; done';
    const command = ['sh', '-c', script, 'sh', scratch];
    const first = await startRunner(repository.path, { command });
    await until('the command', () => linesOf(join(scratch, '001')).length === 1);
    first.kill('SIGINT');
    await until('the answer', () => first.events.some(({ event }) => event === 'stopping'));
    writeFileSync(join(scratch, 'go'), '');
    expect(await first.exit).toBe(130);
    expect((await store.status()).progress).toMatchObject({ completed: 1, pending: 1, in_progress: 0 });
  });
});
