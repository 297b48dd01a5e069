import { execFileSync } from 'node:child_process';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  commandFile,
  ended,
  execute,
  makeWorkplace,
  onTerminal,
  start,
  type Workplace,
  withCommand,
} from '../support/cli.ts';

let place: Workplace;
const evil = 'a\u001b[31m\r\ngitstate-op: evil\tb\u202e';
beforeAll(async () => {
  place = await makeWorkplace();
  await place.ok(['add', '001', '--name', evil, '--data', JSON.stringify({ text: evil })]);
  await place.ok('add 002 --needs 001');
});

describe('text of users', () => {
  const escaped = 'a\\u001b[31m\\r\\ngitstate-op: evil\\tb\\u202e';

  it('cannot forge lines, fields or colours', async () => {
    await place.ok(['note', evil]);
    expect(await place.ok('list')).toBe(`001\tpending\t\t\t\t\t${escaped}\n002\tpending\t\t\t\t\t002`);
    await place.ok(['update', '001', '--name', `${evil}!`]);
    for (const line of ['list', 'show 001', 'log', 'diff gitstate~1']) {
      const text = await place.human(line);
      expect(text).toContain('evil\\tb\\u202e');
      expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
      expect(text).not.toMatch(/^gitstate-op/m);
    }
    expect(await place.json('show 001')).toMatchObject({ name: `${evil}!`, data: { text: evil } });
  });

  it('cannot forge a commit message', () => {
    const trailers = place.repository.git(
      'log',
      'gitstate',
      '--format=%(trailers:key=gitstate-op,valueonly)',
    );
    expect(trailers.split('\n').filter(Boolean)).toEqual(
      'feature.update note.add feature.add feature.add session.start store.init'.split(' '),
    );
  });

  it('stands in errors in one line', async () => {
    for (const args of [
      ['show', evil],
      ['step', 'done', '001', evil],
      [evil],
      ['log', '--since', evil],
      [`--${evil}`],
    ]) {
      const { status, stderr } = await place.run(args);
      expect(status).toBeGreaterThan(1);
      expect(stderr.trimEnd().split('\n').length).toBeLessThanOrEqual(2);
      expect(stderr.replaceAll('\n', '')).not.toMatch(/[\u0000-\u001f\u202e]/);
    }
  });
});

describe('on a terminal', () => {
  const inPlace = (env: Record<string, string> = {}) => ({ cwd: place.repository.path, env });

  it('tables are coloured and fit its width', async () => {
    await place.ok(['add', '003', '--name', 'a name that goes on and on '.repeat(6).trim()]);
    const { status, stdout } = await onTerminal('git state list', inPlace());
    expect(status).toBe(0);
    const lines = stdout.trimEnd().split('\r\n');
    expect(lines[0]).toBe('\u001b[2mID   STATUS   WAITS FOR  NAME\u001b[22m');
    expect(lines[1]).toContain('\u001b[1m001\u001b[22m  \u001b[34mpending\u001b[39m');
    expect(lines[3]!.replace(/\u001b\[\d+m/g, '')).toHaveLength(80);
    expect(lines[3]).toMatch(/…$/);
  });

  it.each([
    ['--no-color', {}],
    ['', { NO_COLOR: '1' }],
    ['', { TERM: 'dumb' }],
  ])('without colour where nobody wants it: %s %j', async (flag, env) => {
    const { stdout } = await onTerminal(`git state list ${flag}`, inPlace(env as Record<string, string>));
    expect(stdout).toContain('001  pending');
    expect(stdout).not.toContain('\u001b[');
  });

  it('errors are coloured, and JSON never is', async () => {
    const error = await onTerminal('git state show 999', inPlace());
    expect(error).toMatchObject({ status: 3 });
    expect(error.stdout).toContain("\u001b[31merror:\u001b[39m no feature '999'");
    const json = await onTerminal('git state show 999 --json; git state list --json', inPlace());
    expect(json.stdout).not.toContain('\u001b[');
  });
});

describe('in a pipe', () => {
  it('ids can be used by the shell, through Git', async () => {
    const line =
      'git state claim "$(git state next)" --worker W1 | cut -f1,3; git state release --worker W1 --quiet';
    const { status, stdout, stderr } = await execute(
      'sh',
      ['-c', line],
      withCommand({ cwd: place.repository.path }),
    );
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '001\tW1\n', stderr: '' });
  });

  it('a reader that goes away changes nothing', async () => {
    const features = Array.from({ length: 3000 }, (_, at) => ({ id: `f${at}`, name: 'n'.repeat(60) }));
    await place.ok('plan load -', { input: JSON.stringify({ features }) });
    const line =
      'git state list | true; echo $PIPESTATUS; git state status --check | true; echo $PIPESTATUS; git state log --json | head -n 1 | cut -c1-19; echo $PIPESTATUS';
    const options = withCommand({ cwd: place.repository.path });
    expect(await execute('bash', ['-c', line], options)).toEqual({
      status: 0,
      stdout: '0\n5\n{"schema_version":1\n0\n',
      stderr: '',
    });
  });
});

describe('--quiet', () => {
  it('leaves errors, and what a command is run for', async () => {
    expect(await place.run('add 100 --quiet')).toEqual({ status: 0, stdout: '', stderr: '' });
    expect(await place.ok('next --quiet')).toBe('001');
    expect(await place.ok('claim 100 --worker W7 --quiet')).toMatch(/^100\t1-/);
    expect(await place.run('release 100 --worker W7 --quiet --json')).toMatchObject({
      status: 0,
      stderr: '',
    });
    expect(await place.run('show 999 --quiet')).toMatchObject({ status: 3, stdout: '' });
    expect((await place.run('show 999 --quiet')).stderr).toContain('error: ');
  });
});

describe('warnings', () => {
  it('stand on standard error, before writes', async () => {
    const { git, path } = place.repository;
    git('worktree', 'add', '-q', `${path}-state`, 'gitstate');
    const written = await place.run('add 200 --json');
    expect(written.status).toBe(0);
    expect(written.stderr).toMatch(
      /^warning: the state branch is checked out in 'repository-state': [^\n]*\n$/,
    );
    expect(await place.run('show 200')).toMatchObject({ stderr: '' });
    expect(await place.run('add 201 --quiet')).toMatchObject({ stderr: '' });
    git('worktree', 'remove', '--force', `${path}-state`);
  });
});

describe('signals', () => {
  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('%s ends with %i', async (signal, expected) => {
    const child = start(process.execPath, [commandFile, 'plan', 'load', '-'], { cwd: place.repository.path });
    const end = ended(child);
    // More than a pipe holds: once it is written, the command is reading, and listens to signals.
    await new Promise((resolve) => child.stdin!.write(' '.repeat(1 << 20), resolve));
    child.kill(signal);
    expect(await end).toEqual({ status: expected, stdout: '', stderr: '' });
  });
});

describe('exit statuses', () => {
  it('7: damaged state, which names the commit', async () => {
    const broken = await makeWorkplace();
    const { git, gitWithInput } = broken.repository;
    const blob = gitWithInput('{"id": "S"', 'hash-object', '-w', '--stdin');
    execFileSync(
      'sh',
      [
        '-c',
        `GIT_INDEX_FILE=i git read-tree gitstate && GIT_INDEX_FILE=i git update-index --add --cacheinfo 100644,${blob},sessions/S/session.json`,
      ],
      { cwd: broken.repository.path },
    );
    const tree = execFileSync('sh', ['-c', 'GIT_INDEX_FILE=i git write-tree'], {
      cwd: broken.repository.path,
    })
      .toString()
      .trim();
    git('update-ref', 'refs/heads/gitstate', git('commit-tree', tree, '-p', 'gitstate', '-m', 'broken'));
    expect(await broken.error('list')).toMatchObject({ status: 7, code: 'CORRUPT_STATE' });
  });

  it('6: not now', async () => {
    const env = { GIT_QUARANTINE_PATH: place.repository.path };
    expect(await place.error('add 300', { env })).toMatchObject({ status: 6, code: 'READ_ONLY' });
  });

  it('3: no Git', async () => {
    const { status, stderr } = await place.run('list', { env: { PATH: '/nonexistent' } });
    expect(status).toBe(3);
    expect(stderr).toContain('(GIT_NOT_FOUND)');
  });
});
