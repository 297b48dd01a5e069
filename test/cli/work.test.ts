import { chmodSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, it } from 'vitest';
import { commandFile, makeWorkplace, onTerminal, start, type Workplace } from '../support/cli.ts';

async function makeWork(...ids: string[]): Promise<Workplace> {
  const place = await makeWorkplace();
  await place.ok('session update --max-retries 0');
  await place.ok('plan load -', { input: JSON.stringify({ features: ids.map((id) => ({ id })) }) });
  return place;
}

describe('work', () => {
  it('prints lines, and exit status 0 when all is complete', async () => {
    const place = await makeWork('001', '002');
    const { status, stdout, stderr } = await place.run(['work', '--workers', '2', '--', 'sh', '-c', 'true']);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const lines = stdout.trimEnd().split('\n');
    expect(lines[0]).toBe('2 workers on session S');
    expect(lines).toContainEqual(expect.stringMatching(/^W[12]: claimed 001$/));
    expect(lines).toContainEqual(expect.stringMatching(/^W[12]: completed 002 in \d+s$/));
    expect(lines.at(-1)).toMatch(/^2 completed in \d+s$/);
    expect(await place.json('status')).toMatchObject({ progress: { completed: 2 } });
  });

  it('prints one event a line with --json, and exit status 5 when something failed', async () => {
    const place = await makeWork('001', '002');
    const script = 'echo "no\\033[31m luck" >&2; test $GITSTATE_FEATURE = 001';
    const { status, stdout } = await place.run(['work', '--json', '--', 'sh', '-c', script]);
    expect(status).toBe(5);
    const events = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    for (const event of events) {
      expect(event).toMatchObject({
        schema_version: 1,
        event: expect.any(String),
        at: expect.stringMatching(/Z$/),
      });
    }
    expect(events[0]).toMatchObject({ event: 'begun', workers: 1, session: 'S' });
    expect(events).toContainEqual(
      expect.objectContaining({ event: 'claimed', worker: 'W1', feature: '001' }),
    );
    expect(events.at(-1)).toMatchObject({
      event: 'finished',
      summary: {
        exit_status: 5,
        completed: ['001'],
        failed: [{ feature: '002', error: expect.stringContaining('luck') }],
      },
    });
    const again = await place.run('work -- true');
    expect(again.status).toBe(5);
    expect(again.stdout).toContain('0 completed, 1 remaining');
  });

  it('says what failed without what the command printed to move the cursor', async () => {
    const place = await makeWork('001');
    const { stdout } = await place.run(['work', '--', 'sh', '-c', 'printf "no\\033[2J luck\\n" >&2; false']);
    expect(stdout).toContain('W1: 001 failed: no luck');
    const logs = join(place.repository.path, '.git/gitstate/logs/S');
    expect(stdout.trimEnd().split('\n').slice(-4)).toEqual([
      'failed 001: no luck',
      `  ${join(logs, '001', '1.log')}`,
      `logs in ${logs}`,
      expect.stringMatching(/^0 completed, 1 failed, 1 remaining in \ds$/),
    ]);
    expect(stdout).not.toContain('\u001b');
  });

  it('draws workers and a bar on a terminal', async () => {
    const place = await makeWork('001');
    const { status, stdout } = await onTerminal('git state work -- sleep 0.1', {
      cwd: place.repository.path,
    });
    expect(status).toBe(0);
    const text = stdout.replaceAll('\r\n', '\n');
    expect(text).toMatch(/W1 {2}\u001b\[1m001\u001b\[22m {2}0s\n/);
    expect(text).toMatch(/░ *\u001b\[22m 0\/1 done, 0s\n/);
    expect(text).toContain('\u001b[2A\u001b[J');
    expect(text).toMatch(/\u001b\[JW1: completed 001 in 0s\n/);
    expect(text).toMatch(/W1 {2}\u001b\[2midle\u001b\[22m\n/);
    expect(text).toMatch(/\u001b\[2A\u001b\[Jlogs in .*\n1 completed in \ds\n$/);
  });

  it('shows on a terminal what each worker does and how much is left, and keeps warnings out of it', async () => {
    const place = await makeWork('001', '002', '003');
    const script = 'sleep 1.2; test $GITSTATE_FEATURE != 002 || { echo "no luck" >&2; exit 1; }';
    place.repository.write('.git/hooks/post-checkout', '#!/bin/sh\nexit 1\n');
    const hooks = join(place.repository.path, '.git/hooks');
    chmodSync(join(hooks, 'post-checkout'), 0o755);
    place.repository.git('config', 'core.hooksPath', hooks);
    const line = `git state work --setup 'sleep 0.1' -- sh -c '${script}'`;
    const { status, stdout } = await onTerminal(line, { cwd: place.repository.path });
    expect(status).toBe(5);
    const text = stdout.replaceAll('\r\n', '\n');
    expect(text).toMatch(/W1 {2}\u001b\[1m001\u001b\[22m {2}setup {2}0s\n/);
    expect(text).toMatch(/1\/3 done, \ds, about 10s left\n/);
    expect(text).toMatch(/1\/3 done, 1 failed, \ds, about 10s left\n/);
    // What was drawn in place is taken away before a warning comes.
    expect(text).toMatch(/\u001b\[J\u001b\[33mwarning:\u001b\[39m the worktree was made, but/);
    expect(text).toContain('failed 002: no luck\n');
  });

  it('takes limits, conditions and surroundings, and refuses what it cannot read', async () => {
    const place = await makeWork('api-1', 'web-1');
    const args = ['work', '--match', 'id=api-*', '--setup', 'echo ready > setup', '--teardown', 'rm setup'];
    const flags = ['--timeout', '30s', '--retries', '0', '--backoff', '1s'];
    const { status, stdout } = await place.run([...args, ...flags, '--', 'cat', 'setup']);
    expect(status).toBe(0);
    expect(stdout).toMatch(/\n1 completed in \ds\n$/);
    expect(await place.json('show web-1')).toMatchObject({ status: 'pending' });
    for (const bad of ['--match colour=red', '--timeout 10', '--backoff soon', '--on-complete push'])
      expect(await place.error(`work ${bad} -- true`)).toMatchObject({ status: 2, code: 'INVALID_INPUT' });
    expect(await place.error('work --on-complete merge -- true')).toMatchObject({ code: 'BRANCH_EXISTS' });
    expect(await place.ok('ready --match id=web*')).toMatch(/^web-1\t/);
    expect(await place.ok(['next', '--match', 'id=web*', '--match', 'priority=none'])).toBe('web-1');
    expect(await place.error('next --match label=x')).toMatchObject({ status: 5, code: 'NOTHING_READY' });
    expect(await place.error('claim web-1 --match id=web*')).toMatchObject({ status: 2, code: 'USAGE' });
    expect(await place.ok('claim --match id=web* --worker me')).toMatch(/^web-1\t/);
  });

  it('the first Ctrl-C waits for what runs, the second ends it', async () => {
    const place = await makeWork('001', '002');
    const first = await interrupted(place, 'until test -e go; do sleep 0.02; done', async (child, event) => {
      if (event.event === 'started') child.kill('SIGINT');
      if (event.event === 'stopping')
        writeFileSync(join(place.repository.path, '.worktrees', '001', 'go'), '');
    });
    expect(first.status).toBe(130);
    expect(first.events).toContain('completed 001');
    expect(first.events).not.toContain('claimed 002');

    const second = await interrupted(place, 'exec sleep 100', async (child, event) => {
      if (event.event === 'started' || event.event === 'stopping') child.kill('SIGINT');
    });
    expect(second.status).toBe(130);
    expect(second.events).toContain('released 002');
    expect(await place.json('show 002')).toMatchObject({ status: 'pending', claim: null });
  });

  it('SIGTERM ends what runs, and gives the claims back', async () => {
    const place = await makeWork('001');
    const { status } = await interrupted(place, 'exec sleep 100', async (child, event) => {
      if (event.event === 'started') child.kill('SIGTERM');
    });
    expect(status).toBe(143);
    expect(await place.json('show 001')).toMatchObject({ status: 'pending', claim: null });
  });

  it('says what is wrong before it claims anything', async () => {
    const place = await makeWork('001');
    expect(await place.error('work -- nonesuch-program')).toMatchObject({ status: 2, code: 'USAGE' });
    expect(await place.ok('log -n 1')).toContain('\tplan.load\t');
    expect(existsSync(join(place.repository.path, '.worktrees'))).toBe(false);
  });
});

type Event = { event: string; feature?: string };

/** Runs a shell command for each feature, with a listener that may send signals. */
async function interrupted(
  place: Workplace,
  script: string,
  listen: (child: ReturnType<typeof start>, event: Event) => Promise<void>,
) {
  const args = [commandFile, 'work', '--json', '--keep-worktrees', 'always', '--', 'sh', '-c', script];
  const child = start(process.execPath, args, { cwd: place.repository.path });
  child.stdin!.end();
  const status = new Promise<number | null>((resolve) => child.on('close', resolve));
  const events: string[] = [];
  for await (const line of createInterface({ input: child.stdout! })) {
    const event = JSON.parse(line) as Event;
    events.push(`${event.event} ${event.feature}`);
    await listen(child, event);
  }
  return { status: await status, events };
}
