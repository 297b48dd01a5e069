import { beforeAll, describe, expect, it } from 'vitest';
import { makeWorkplace, type Workplace } from '../support/cli.ts';

const written = { changed: true, durability: 'local', commit: expect.stringMatching(/^[0-9a-f]{40}$/) };

describe('init', () => {
  it('makes the branch once', async () => {
    const place = await makeWorkplace({ session: false });
    expect(await place.error('list')).toMatchObject({
      status: 3,
      code: 'NOT_INITIALIZED',
      hint: 'git state init',
    });
    expect(await place.error('session list')).toMatchObject({ status: 3, code: 'NOT_INITIALIZED' });
    expect(await place.error('log')).toMatchObject({ status: 3, code: 'NOT_INITIALIZED' });
    const first = await place.human('init --preset orchestrator');
    expect(first).toMatch(
      /^created the store on branch 'gitstate' \([0-9a-f]{9}\)\ngo on with `git state session start`$/,
    );
    expect(await place.human('init')).toBe("the store is on branch 'gitstate' already");
    expect(await place.json('init')).toEqual({
      schema_version: 1,
      branch: 'gitstate',
      commit: null,
      changed: false,
      durability: 'local',
    });
    expect(await place.ok('init')).toBe('gitstate\t');
    expect(await place.human('session list')).toBe(
      'no active session: start one with `git state session start`, or see them --all',
    );
    expect(await place.error('list')).toMatchObject({ status: 3, code: 'SESSION_NOT_FOUND' });
    expect(await place.ok('session start')).toMatch(/^speckit-orch-\d{8}-\d{6}$/);
  });
});

describe('sessions', () => {
  let place: Workplace;
  beforeAll(async () => {
    place = await makeWorkplace({ session: false });
    await place.ok('init');
  });

  it('start with the rules that are given', async () => {
    const id = await place.ok('session start');
    expect(id).toMatch(/^\d{4}-\d\d-\d\d-001$/);
    const value = await place.json([
      ...'session start second --preset production --steps plan,code --max-retries 1 --lease 5m'.split(' '),
      ...'--budget-step plan=1.5 --budget-step code=2 --budget-day none --no-auto-checkpoints'.split(' '),
      ...['--name', 'The second', '--config', '{"workers_count": 2}'],
    ]);
    expect(value).toMatchObject({
      id: 'second',
      name: 'The second',
      preset: 'production',
      status: 'active',
      steps: ['plan', 'code'],
      config: { workers_count: 2 },
      budgets: { steps: { plan: 1.5, code: 2, research: 2, script: 2, audio: 3 }, feature: 7, day: null },
      max_retries: 1,
      default_lease: '5m',
      auto_checkpoints: false,
      completed_at: null,
      recovered_at: null,
      progress: {
        total: 0,
        pending: 0,
        ready: 0,
        blocked: 0,
        in_progress: 0,
        completed: 0,
        failed: 0,
        archived: 0,
      },
      metrics: { total_tasks: 0 },
      ...written,
    });
    expect(await place.error('session start SECOND')).toMatchObject({ status: 4, code: 'ALREADY_EXISTS' });
    expect(await place.error('session start --preset nonesuch')).toMatchObject({
      status: 2,
      code: 'INVALID_INPUT',
    });
  });

  it('are shown, changed and ended', async () => {
    const env = { GITSTATE_SESSION: 'second' };
    expect(await place.ok('session show', { env })).toBe('second\tactive\t0\t0\tThe second');
    expect(await place.human('session show', { env })).toContain('\n  budgets      ');
    const changed = await place.json(
      [
        'session',
        'update',
        '--config',
        '{"workers_count": null, "a": 1}',
        '--budget-step',
        'plan=none',
        '--name',
        'B',
      ],
      { env },
    );
    expect(changed).toMatchObject({ name: 'B', config: { a: 1 }, ...written });
    expect(changed.budgets).toMatchObject({ steps: { code: 2 } });
    expect((changed.budgets as { steps: object }).steps).not.toHaveProperty('plan');
    await place.ok('add 1 --session second');
    await place.ok('claim 1', { env });
    expect(await place.error('session complete', { env })).toMatchObject({
      status: 4,
      code: 'INVALID_TRANSITION',
    });
    expect(await place.human('session complete --force', { env })).toBe(
      'completed session second; 1 feature of 1 not finished',
    );
    expect(await place.error('add 2', { env })).toMatchObject({ status: 4, code: 'SESSION_NOT_ACTIVE' });
    expect(await place.ok('session list')).not.toContain('second');
    const all = await place.json<{ sessions: { id: string; status: string }[] }>('session list --all');
    expect(all.sessions.at(-1)).toMatchObject({ id: 'second', status: 'completed' });
    expect(await place.human('session list --all')).toMatch(/^ID +STATUS +DONE +STARTED +NAME\n/);
    expect(await place.json('session update --status active', { env })).toMatchObject({ status: 'active' });
    expect(await place.json('session fail --force', { env })).toMatchObject({ status: 'failed' });
    expect(await place.json('session archive --force', { env })).toMatchObject({ status: 'archived' });
  });
});

describe('features', () => {
  let place: Workplace;
  beforeAll(async () => {
    place = await makeWorkplace();
  });

  it('are added one by one, and printed flat', async () => {
    expect(await place.human('list')).toBe('no features yet: add one with `git state add ID`');
    expect(await place.ok('list')).toBe('');
    expect(await place.json('list')).toEqual({ schema_version: 1, features: [] });
    const feature = await place.json([
      ...'add 001 --priority P1 --phase 2 --steps plan,code'.split(' '),
      ...['--name', 'The first', '--data', '{"issue": 7}'],
    ]);
    expect(Object.keys(feature)).toEqual(
      expect.arrayContaining(
        (
          'schema_version id name status priority phase dependencies steps current_step steps_completed worker_id claim ' +
          'branch worktree pr_number retry_count error summary created_at started_at completed_at completed_by ' +
          'archived_at updated_at total_cost costs quality_scores metrics data ready blocked_by commit changed durability'
        ).split(' '),
      ),
    );
    expect(feature).toMatchObject({
      id: '001',
      name: 'The first',
      status: 'pending',
      priority: 'P1',
      phase: 2,
      data: { issue: 7 },
      claim: null,
      ready: true,
      steps: [
        {
          name: 'plan',
          status: 'pending',
          started_at: null,
          completed_at: null,
          cost: 0,
          checkpoint: null,
          error: null,
        },
        { name: 'code' },
      ],
      ...written,
    });
    expect(await place.human('add 002 --needs 001')).toBe('added 002 (0 steps, waits for 001)');
    expect(await place.ok('add 010 --priority P0')).toBe('010\tpending\tP0\t\t\t\t010');
    expect(await place.error('add 001')).toMatchObject({ status: 4, code: 'ALREADY_EXISTS' });
    expect(await place.error('add 003 --needs 999')).toMatchObject({ status: 2, code: 'INVALID_INPUT' });
    expect(await place.error('add a/b')).toMatchObject({ status: 2, code: 'INVALID_INPUT' });
    expect(await place.error('add 003 --data [1]')).toMatchObject({
      status: 2,
      message: '--data: no JSON object',
    });
    expect(await place.error('add 003 --data {a:1}')).toMatchObject({ status: 2, code: 'INVALID_INPUT' });
    expect(await place.error('add 003 --data @nofile')).toMatchObject({
      message: "--data: cannot read 'nofile': ENOENT",
    });
  });

  it('take their data from files, which lie where -C leads', async () => {
    place.repository.write('below/data.json', '{"from": "file"}');
    const line = ['add', '030', '--data', '@data.json', '-C', place.repository.path, '-C', 'below'];
    expect(await place.json(line, { cwd: '/' })).toMatchObject({ data: { from: 'file' } });
    await place.ok('remove 030');
    const piped = await place.json('add 030 --data @-', { input: '{"from": "input"}' });
    expect(piped).toMatchObject({ data: { from: 'input' } });
    await place.ok('remove 030');
  });

  it('are listed by status, and in claim order when ready', async () => {
    const rows = (await place.human('list')).split('\n');
    expect(rows).toEqual([
      'ID   STATUS   PRIO  PHASE  STEP  WAITS FOR  NAME',
      '001  pending  P1    2      0/2              The first',
      '002  pending                     001',
      '010  pending  P0',
    ]);
    expect(await place.ok('ready')).toMatch(/^010\tpending.*\n001\tpending\tP1\t2\t\t\tThe first$/);
    expect(await place.ok('next')).toBe('010');
    expect(await place.json('next')).toMatchObject({ schema_version: 1, id: '010', ready: true });
    expect(await place.ok('list --status completed,failed')).toBe('');
    expect(await place.human('list --status completed')).toBe('no feature is like that');
    expect(await place.error('list --status done')).toMatchObject({ status: 2, code: 'INVALID_INPUT' });
    expect(await place.ok('list --status pending --status failed | cut').catch(String)).toContain(
      "list takes no operand, but '|' is given",
    );
  });

  it('are shown in full', async () => {
    const text = await place.human('show 001');
    expect(text).toMatch(/^001 {2}The first\n {2}status +pending, ready\n/);
    expect(text).toContain('data      {"issue":7}');
    expect(text).toContain('    ○ plan\n    ○ code');
    expect(await place.human('show 002')).toContain('pending, waits for 001 (pending)');
    expect(await place.ok('show 001')).toBe('001\tpending\tP1\t2\t\t\tThe first');
    expect(await place.error('show 999')).toMatchObject({ status: 3, code: 'FEATURE_NOT_FOUND' });
  });

  it('are changed by hand', async () => {
    const value = await place.json([
      ...'update 002 --pr 17 --branch-name topic --worktree ../x --priority P2 --phase 1.5 --status in_progress'.split(
        ' ',
      ),
      ...['--needs', '', '--metrics', '{"tests": 3}'],
    ]);
    expect(value).toMatchObject({
      pr_number: 17,
      branch: 'topic',
      worktree: '../x',
      priority: 'P2',
      phase: 1.5,
      status: 'in_progress',
      dependencies: [],
      metrics: { tests: 3 },
      ...written,
    });
    const cleared = await place.json(
      'update 002 --pr none --branch-name none --worktree none --priority none --phase none',
    );
    expect(cleared).toMatchObject({
      pr_number: null,
      branch: null,
      worktree: null,
      priority: null,
      phase: null,
    });
    expect(await place.human('update 002 --status pending')).toBe('updated 002 (pending)');
    expect(await place.error('update 002')).toMatchObject({ status: 2, code: 'USAGE' });
    expect(await place.error('update 002 --status done')).toMatchObject({ status: 2, code: 'INVALID_INPUT' });
    expect(await place.error('update 002 --priority high')).toMatchObject({
      status: 2,
      code: 'INVALID_INPUT',
    });
  });

  it('are removed unless others need them', async () => {
    await place.ok('update 002 --needs 001');
    expect(await place.error('remove 001')).toMatchObject({ status: 4, code: 'HAS_DEPENDENTS' });
    expect(await place.json('remove 010')).toMatchObject({ id: '010', status: 'pending', ...written });
    expect(await place.human('remove 002')).toBe('removed 002');
    expect(await place.error('remove 002')).toMatchObject({ status: 3, code: 'FEATURE_NOT_FOUND' });
  });

  it('repeated with the same operation id are added once', async () => {
    const first = await place.json('add 020 --op-id once');
    const again = await place.json('add 020 --op-id once');
    expect(again).toEqual({ ...first, changed: false });
    expect(await place.error('add 021 --op-id once')).toMatchObject({ status: 2, code: 'INVALID_INPUT' });
    expect(await place.json('add 022 --op-id twice')).toMatchObject({ id: '022', changed: true });
  });
});

describe('plan load', () => {
  let place: Workplace;
  beforeAll(async () => {
    place = await makeWorkplace();
  });

  it('takes JSON, from a file or standard input', async () => {
    const plan = {
      features: [
        { id: '002', dependencies: ['001'], name: null },
        { id: '001', data: { a: 1 }, phase: 1 },
      ],
    };
    place.repository.write('plan.json', JSON.stringify(plan));
    expect(await place.json('plan load plan.json')).toMatchObject({ added: 2, ...written });
    expect(await place.ok('list')).toBe('001\tpending\t\t1\t\t\t001\n002\tpending\t\t\t\t\t002');
    const input = JSON.stringify({ features: [{ id: '003' }] });
    expect(await place.ok('plan load -', { input })).toMatch(/^1\t[0-9a-f]{40}$/);
    expect(await place.error('plan load -', { input })).toMatchObject({ status: 4, code: 'ALREADY_EXISTS' });
  });

  it('takes YAML, where ids stay as they are written', async () => {
    const yaml = `features:
  - id: 0010   # no number
    name: 1.50
    priority: P1
    phase: 3
    steps: [plan, 2]
    data: {count: 007, features: [{id: 01}]}
  - {id: 1e3, dependencies: [0010]}
`;
    place.repository.write('sub/plan.yaml', yaml);
    expect(await place.human('plan load sub/plan.yaml')).toMatch(/^added 2 features \([0-9a-f]{9}\)$/);
    expect(await place.json('show 0010')).toMatchObject({
      id: '0010',
      name: '1.50',
      phase: 3,
      steps: [{ name: 'plan' }, { name: '2' }],
      data: { count: 7, features: [{ id: 1 }] },
    });
    expect(await place.json('show 1e3')).toMatchObject({ dependencies: ['0010'], ready: false });
  });

  const faults: [string, string][] = [
    ['[]', 'the plan: is no object'],
    ['{"features": {}}', 'features: is no list'],
    ['{"features": []}', 'features: is empty'],
    ['{"version": 1, "features": []}', 'version: is no field of a plan'],
    ['{"features": [1]}', 'features[0]: is no object'],
    ['{"features": [{"id": "a"}, {"name": "b"}]}', 'features[1].id: is missing'],
    ['{"features": [{"id": 7}]}', 'features[0].id: is no text'],
    ['{"features": [{"id": "a", "needs": ["b"]}]}', 'features[0].needs: is no field of a plan'],
    ['{"features": [{"id": "a", "phase": "1"}]}', 'features[0].phase: is no number'],
    ['{"features": [{"id": "a", "dependencies": "b"}]}', 'features[0].dependencies: is no list'],
    ['{"features": [{"id": "a", "steps": ["x", 1]}]}', 'features[0].steps[1]: is no text'],
    ['{"features": [{"id": "a", "data": []}]}', 'features[0].data: is no object'],
    ['{"features": [{"id": "a"', 'the plan is no valid JSON: '],
    ['features:\n - id: a\n   id: b', 'the plan is no valid YAML: '],
  ];
  it.each(faults)('refuses %s', async (input, message) => {
    const error = await place.error('plan load -', { input });
    expect(error).toMatchObject({ status: 2, code: 'INVALID_INPUT' });
    expect(error.message).toContain(message);
    expect(error.hint).toContain('{features: [{id, name, priority');
  });

  it('refuses YAML that holds itself', async () => {
    const error = await place.error('plan load -', { input: 'features: [&a {id: x, data: {b: *a}}]' });
    expect(error).toMatchObject({ status: 2, code: 'INVALID_INPUT' });
  });

  it('says which file cannot be read', async () => {
    expect(await place.error('plan load nofile')).toMatchObject({
      status: 2,
      message: "cannot read the plan 'nofile': there is no such file",
    });
  });
});

describe('the times of a feature', () => {
  it('can be set by hand, with any offset', async () => {
    const place = await makeWorkplace();
    await place.ok('add 001');
    const times = '--started-at 2026-01-31T12:00:00+02:00 --completed-at 2026-01-31T11:30:00.750Z';
    expect(await place.json(`update 001 --status completed ${times}`)).toMatchObject({
      status: 'completed',
      started_at: '2026-01-31T10:00:00Z',
      completed_at: '2026-01-31T11:30:00Z',
    });
    expect(await place.json('metrics')).toMatchObject({ average_time_minutes: 90 });
    expect(await place.json('update 001 --completed-at none')).toMatchObject({ completed_at: null });
    expect(await place.error('update 001 --completed-at tomorrow')).toMatchObject({
      status: 2,
      code: 'INVALID_INPUT',
      message: "--completed-at: 'tomorrow' is no time",
    });
    expect(await place.error('update 001 --started-at 2026-02-30T12:00:00Z')).toMatchObject({ status: 2 });
  });
});

describe('a feature without an id', () => {
  it('is an episode in a session of production, and has to be named in any other', async () => {
    const place = await makeWorkplace();
    expect(await place.error('add')).toMatchObject({
      status: 2,
      code: 'USAGE',
      message: "add needs ID: session 'S' makes none of its own",
    });
    await place.ok('session start production --preset production');
    const of = { env: { GITSTATE_SESSION: 'production' } };
    const first = await place.json<{ id: string }>(['add', '--name', 'A topic'], of);
    expect(first).toMatchObject({ name: 'A topic', data: { episode_number: 1 } });
    expect(first.id).toMatch(/^ep_001_\d{8}_\d{6}$/);
    expect(await place.json(['add', '--data', '{"episode_number": 41}'], of)).toMatchObject({
      id: expect.stringMatching(/^ep_041_/),
    });
    expect(await place.ok('add', of)).toMatch(/^ep_042_/);
    expect(await place.error(['add', '--data', '{"episode_number": "x"}'], of)).toMatchObject({
      code: 'INVALID_INPUT',
    });
    const both = await Promise.all(
      [7, 7].map((n) => place.json(['add', '--data', `{"episode_number": ${n}}`], of)),
    );
    expect(new Set(both.map(({ id }) => id)).size).toBe(2);
  });
});
