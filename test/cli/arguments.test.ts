import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { gitState, makeWorkplace, type Workplace } from '../support/cli.ts';
import { makeRepository, temporaryDirectory } from '../support/repo.ts';

let place: Workplace;
beforeAll(async () => {
  place = await makeWorkplace();
  await place.ok('session start T');
  await place.ok('add 001 --session S --steps plan,code');
  await place.ok('add 002 --session T --steps plan,code');
});

describe('mistakes are usage errors with a way on', () => {
  const mistakes: [string, string, string][] = [
    ['cliam', "no command 'cliam'", 'did you mean claim?'],
    ['frobnicate', "no command 'frobnicate'", 'see `git state -h`'],
    ['step', 'step needs one of start, done, fail, skip', 'see `git state help step`'],
    ['step dnoe', "no command 'step dnoe'; there are start, done, fail, skip", 'did you mean step done?'],
    ['step done', 'step done needs STEP', 'see `git state help step done`'],
    ['step done 1 2 3', "step done takes [ID] STEP, but '3' is given too", 'see `git state help step done`'],
    ['list 003', "list takes no operand, but '003' is given", 'see `git state help list`'],
    ['claim --lese 5m', "unknown option '--lese'", 'did you mean --lease?'],
    ['claim --lease', "option '--lease' needs a value", 'see `git state help claim`'],
    ['claim --lease 5', "--lease: '5' is no duration", "durations look like '90s'"],
    [
      '--lease 5m claim',
      "unknown option '--lease' before the command",
      'options of a command stand behind it',
    ],
    ['add --session S', 'add needs ID', 'see `git state help add`'],
    ['add 001 --feature 002', "two features are named: '001' and '002'", 'see `git state help add`'],
    ['add 009 --phase one', "--phase: 'one' is no number", 'see `git state help add`'],
    ['fail 001', 'fail needs --error TEXT', 'see `git state help fail`'],
    ['claim --base main', '--base is where the branch of a worktree starts', 'see `git state help claim`'],
    ['session start U --budget-day 1.1234567', 'has more than six decimal places', 'help session start'],
    ['session start U --budget-day -1', "--budget-day: '-1' is no amount", 'an amount looks like'],
    ['session start U --budget-step plan', "'plan' is not of the form STEP=AMOUNT", 'help session start'],
    ['note hi --level loud', "'loud' is none of info, warn, error", 'see `git state help note`'],
    ['note two words', "note takes TEXT, but 'words' is given too", 'see `git state help note`'],
    ['log --all --session S', '--all and --session exclude each other', 'see `git state help log`'],
    ['work', 'work needs COMMAND', 'see `git state help work`'],
    ['work --workers 0 -- true', '--workers: has to be at least 1', 'see `git state help work`'],
    [
      'completion tcsh',
      "no completion for 'tcsh': there is bash, zsh, fish",
      'see `git state help completion`',
    ],
    ['list -C /nonexistent', "no directory '/nonexistent'", 'give -C the path of a repository'],
    ['list --branch a..b', "'a..b'", 'give --branch'],
    ['show', 'no feature is named', 'GITSTATE_FEATURE'],
  ];

  it.each(mistakes)('%s', async (line, message, hint) => {
    const { status, stdout, stderr } = await place.run(line);
    const lines = stderr.trimEnd().split('\n');
    expect({ status, stdout, lines: lines.length }).toEqual({ status: 2, stdout: '', lines: 2 });
    expect(lines[0]).toMatch(/^error: [a-z'-].* \((USAGE|INVALID_INPUT)\)$/);
    expect(lines[0]).toContain(message);
    expect(lines[1]).toMatch(/^hint: /);
    expect(lines[1]).toContain(hint);
  });

  it('as JSON, too', async () => {
    expect(await place.error('step dnoe')).toMatchObject({
      status: 2,
      code: 'USAGE',
      retryable: false,
      details: {},
    });
    expect((await gitState(['--json'])).stderr).toBe(
      '{"schema_version":1,"error":{"code":"USAGE","message":"no command is given","hint":"see `git state -h`","retryable":false,"details":{}}}\n',
    );
  });
});

describe('global options', () => {
  it('stand before or after the command, and between its words', async () => {
    const lines = [
      'list --session T --json',
      '--session T list --json',
      '--json --session=T list',
      '--json list --session=T',
    ];
    const answers = await Promise.all(lines.map((line) => place.run(line)));
    for (const { stdout } of answers) expect(JSON.parse(stdout).features).toMatchObject([{ id: '002' }]);
    const between = await place.json('session --session T show');
    expect(between).toMatchObject({ id: 'T' });
  });

  it('-C moves, and moves on when repeated', async () => {
    mkdirSync(join(place.repository.path, 'below'), { recursive: true });
    const options = { cwd: temporaryDirectory() };
    const line = ['-C', place.repository.path, 'list', '--session', 'S', '-C', 'below'];
    expect(await place.ok(line, options)).toMatch(/^001\t/);
    expect((await gitState(['list'], options)).stderr).toContain('(NOT_A_REPOSITORY)');
    expect((await gitState(['list'], options)).status).toBe(3);
  });

  it('--branch names another store', async () => {
    const { path } = makeRepository();
    const run = (line: string) => gitState(line.split(' '), { cwd: path });
    expect((await run('--branch elsewhere init')).stdout).toMatch(/^elsewhere\t[0-9a-f]{40}\n$/);
    expect(await run('session list')).toMatchObject({ status: 3 });
    expect(await run('session list --branch elsewhere')).toEqual({ status: 0, stdout: '', stderr: '' });
  });

  it('the environment stands in for session, feature, worker and token', async () => {
    const env = { GITSTATE_SESSION: 'S', GITSTATE_FEATURE: '001', GITSTATE_WORKER: 'E1' };
    expect(await place.json('show', { env })).toMatchObject({ id: '001' });
    const { token } = await place.json<{ token: string }>('claim 001', { env });
    expect(await place.json('step done plan', { env })).toMatchObject({ id: '001', current_step: 'code' });
    const stale = { ...env, GITSTATE_TOKEN: '1-00000000000000000000000000000000' };
    expect(await place.error('heartbeat', { env: stale })).toMatchObject({ status: 4, code: 'STALE_TOKEN' });
    expect(await place.json('heartbeat', { env: { ...env, GITSTATE_TOKEN: token } })).toMatchObject({
      feature: '001',
    });
    expect(
      await place
        .json('heartbeat', { env: { ...env, GITSTATE_SESSION: '', GITSTATE_TOKEN: '' } })
        .catch(String),
    ).toContain('several sessions');
    await place.ok('release', { env });
  });

  it('a flag wins over the environment', async () => {
    const env = { GITSTATE_SESSION: 'S', GITSTATE_FEATURE: '001' };
    expect(await place.json('show --session T --feature 002', { env })).toMatchObject({ id: '002' });
    expect(await place.json('show 002 --session T', { env })).toMatchObject({ id: '002' });
  });

  it('several active sessions have to be told apart', async () => {
    expect(await place.error('list')).toMatchObject({
      status: 4,
      code: 'AMBIGUOUS_SESSION',
      details: { sessions: ['S', 'T'] },
    });
  });
});

describe('a missing ID', () => {
  const env = { GITSTATE_SESSION: 'T', GITSTATE_WORKER: 'D1' };

  it('is told by the number of operands, whatever their form', async () => {
    await place.ok('add plan --steps plan,code', { env });
    await place.ok('claim plan', { env });
    // One operand is the step, though there is a feature of that name.
    expect(await place.json('step done plan', { env })).toMatchObject({
      id: 'plan',
      steps_completed: ['plan'],
    });
    expect(await place.json('step start plan code', { env })).toMatchObject({
      id: 'plan',
      current_step: 'code',
    });
    expect(await place.json('step fail code --feature plan --error no', { env })).toMatchObject({
      id: 'plan',
      steps: [{}, { name: 'code', status: 'failed', error: 'no' }],
    });
    await place.ok('release', { env });
  });

  it('is an error where nothing names a feature', async () => {
    expect(await place.error('step done plan', { env })).toMatchObject({ status: 2, code: 'USAGE' });
    expect(await place.error('complete', { env })).toMatchObject({ status: 2, code: 'USAGE' });
  });

  it('asks `claim` for the next feature, not for that of the environment', async () => {
    await place.ok('add 003 --priority P0', { env });
    const answer = await place.json('claim', { env: { ...env, GITSTATE_FEATURE: '002' } });
    expect(answer).toMatchObject({ feature: { id: '003' }, worker: 'D1' });
    await place.ok('release', { env });
    expect(await place.json('claim --feature 002', { env })).toMatchObject({ feature: { id: '002' } });
    await place.ok('release', { env });
  });
});

describe('--at', () => {
  it('is refused by commands that write', async () => {
    const { status, stderr } = await place.run('add 010 --at 2h');
    expect(status).toBe(2);
    expect(stderr).toContain(
      "error: --at is for commands that only read; 'add' writes to the present (USAGE)",
    );
    expect((await place.run('diff 2h --at 2h')).stderr).toContain("'diff' does not take --at");
  });

  it('answers as of then', async () => {
    const env = { GITSTATE_SESSION: 'S' };
    const before = place.repository.git('rev-parse', 'gitstate');
    await place.ok('add 011', { env });
    const ids = async (line: string) =>
      (await place.json<{ features: { id: string }[] }>(line, { env })).features.map(({ id }) => id);
    expect(await ids(`list --at ${before}`)).toEqual(['001']);
    expect(await ids(`--at ${before} ready`)).toEqual(['001']);
    expect(await ids('list --at now')).toEqual(['001', '011']);
    expect(await place.error(['list', '--at', 'no such time'], { env })).toMatchObject({
      code: 'INVALID_INPUT',
    });
    expect(await place.error(`show 011 --at ${before}`, { env })).toMatchObject({
      code: 'FEATURE_NOT_FOUND',
    });
    expect(await place.json(`session list --at gitstate~1`, { env })).toMatchObject({ sessions: [{}, {}] });
    expect((await place.ok(`log -n 1 --all --at ${before}`, { env })).split('\t')[0]).toBe(before);
  });
});
