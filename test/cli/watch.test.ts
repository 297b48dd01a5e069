import type { ChildProcess } from 'node:child_process';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  commandFile,
  ended,
  makeWorkplace,
  printed,
  type RunOptions,
  start,
  startOnTerminal,
  type Workplace,
} from '../support/cli.ts';

let place: Workplace;
beforeAll(async () => {
  place = await makeWorkplace();
});

function watching(args: string[], options: RunOptions = {}): ChildProcess {
  const cwd = place.repository.path;
  return start(process.execPath, [commandFile, 'watch', ...args], { cwd, ...options });
}

describe('watch', () => {
  it('prints one entry for each new commit, from any commit on', async () => {
    const { commit } = await place.json<{ commit: string }>('add 001');
    await place.ok('add 002');
    const child = watching(['--json', '--since', commit.slice(0, 9)]);
    const end = ended(child);
    await printed(child, /"feature":"002"/);
    const next = printed(child, /"feature":"003"/);
    await place.ok('add 003');
    await next;
    child.kill('SIGINT');
    const { status, stdout, stderr } = await end;
    expect({ status, stderr }).toEqual({ status: 130, stderr: '' });
    const entries = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(entries.map(({ schema_version, feature, op }) => [schema_version, feature, op])).toEqual([
      [1, '002', 'feature.add'],
      [1, '003', 'feature.add'],
    ]);
  });

  it('draws the status again as the branch moves', async () => {
    const child = watching([], { env: { GITSTATE_FORCE_TTY: '90' } });
    const end = ended(child);
    await printed(child, /0\/3 done, 3 ready/);
    const next = printed(child, /0\/4 done, 4 ready/);
    await place.ok('add 004');
    await next;
    child.kill('SIGTERM');
    expect(await end).toMatchObject({ status: 143, stderr: '' });
  });

  it('tells how much is left as soon as something was finished', async () => {
    const child = watching([], { env: { GITSTATE_FORCE_TTY: '90' } });
    const end = ended(child);
    await printed(child, /0\/4 done/);
    const next = printed(child, /1\/4 done, 3 ready, about \d+[sm] left/);
    await place.ok('update 004 --status completed');
    await next;
    child.kill('SIGTERM');
    await end;
    await place.ok('update 004 --status pending');
  });

  it('leaves the terminal as it was on Ctrl-C', async () => {
    const line = `exec '${process.execPath}' '${commandFile}' watch`;
    const child = startOnTerminal(line, { cwd: place.repository.path });
    const end = ended(child);
    await printed(child, /4 ready/);
    child.stdin!.write('\u0003');
    const { status, stdout } = await end;
    expect(status).toBe(130);
    expect(stdout).toMatch(/\u001b\[\?1049h\u001b\[H.*4 ready.*\u001b\[\?1049l.*4 ready/s);
  });

  it('needs a store, and a commit that is there', async () => {
    const nowhere = await makeWorkplace({ session: false });
    expect(await nowhere.error('watch')).toMatchObject({ status: 3, code: 'NOT_INITIALIZED' });
    expect(await place.error('watch --since 0123456789')).toMatchObject({
      status: 3,
      code: 'COMMIT_NOT_FOUND',
    });
    expect(await place.error('watch --since yesterday')).toMatchObject({ status: 2, code: 'INVALID_INPUT' });
  });
});
