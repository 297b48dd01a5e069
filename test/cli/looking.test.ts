import { beforeAll, describe, expect, it } from 'vitest';
import { makeWorkplace, type Workplace } from '../support/cli.ts';

let place: Workplace;
const env = { GITSTATE_WORKER: 'W1' };
const oid = expect.stringMatching(/^[0-9a-f]{40}$/);
beforeAll(async () => {
  place = await makeWorkplace({ session: false });
  await place.ok('init');
  await place.ok('session start S --steps plan,code');
  place.repository.write(
    'plan.yaml',
    'features:\n  - id: 001\n  - {id: 002, dependencies: [001]}\n  - id: 003\n',
  );
});

describe('status', () => {
  it('says what to do in an empty session', async () => {
    expect(await place.human('status')).toContain('no features yet: add some with `git state add ID`');
    expect(await place.run('status --check')).toMatchObject({ status: 0 });
  });

  it('counts, and names who works and what waits', async () => {
    await place.ok('plan load plan.yaml');
    await place.ok('claim 001', { env });
    const lines = (await place.human('status')).split('\n');
    expect(lines[0]).toBe('S active');
    expect(lines[1]).toBe('░░░░░░░░░░░░░░░░░░░░░░░░ 0/3 done, 1 ready, 1 blocked, 1 in progress');
    expect(lines.slice(3)).toEqual([
      'WORKER  FEATURE  LEASE        COMPLETED  FAILED',
      expect.stringMatching(/^W1 {6}001 {6}until \d\d:\d\d {2}0 {10}0$/),
      '',
      'BLOCKED',
      '002 waits for 001 (in_progress)',
    ]);
    expect(await place.ok('status')).toBe(
      'session\tS\nstatus\tactive\ntotal\t3\npending\t2\nready\t1\nblocked\t1\nin_progress\t1\ncompleted\t0\nfailed\t0\narchived\t0\ncost\t0',
    );
    expect(await place.json('status')).toMatchObject({
      session: 'S',
      progress: {
        total: 3,
        pending: 2,
        ready: 1,
        blocked: 1,
        in_progress: 1,
        completed: 0,
        failed: 0,
        archived: 0,
      },
      workers: [
        {
          id: 'W1',
          status: 'busy',
          current_feature: '001',
          expires_at: expect.any(String),
          completed: 0,
          failed: 0,
        },
      ],
      blocked: [{ id: '002', blocked_by: [{ id: '001', status: 'in_progress' }] }],
      metrics: { total_tasks: 3 },
      costs: { total: 0 },
    });
  });

  it('--check answers by its exit status, and prints all the same', async () => {
    const checked = await place.run('status --check --json');
    expect(checked).toMatchObject({ status: 5, stderr: '' });
    expect(JSON.parse(checked.stdout)).toMatchObject({ progress: { total: 3 } });
  });
});

describe('worker list', () => {
  it('lists busy and idle workers', async () => {
    expect(await place.ok('worker list')).toMatch(/^W1\tbusy\t001\t\d{4}-.*Z\t0\t0$/);
    await place.ok('release', { env });
    expect(await place.json('worker list')).toEqual({
      schema_version: 1,
      workers: [
        { id: 'W1', status: 'idle', current_feature: null, expires_at: null, completed: 0, failed: 0 },
      ],
    });
    expect(await place.human('worker list')).toBe(
      'WORKER  FEATURE  COMPLETED  FAILED\nW1      idle     0          0',
    );
  });
});

describe('log', () => {
  it('prints one object a line', async () => {
    const lines = (await place.ok('log --json')).split('\n').map((line) => JSON.parse(line));
    expect(lines.map(({ op }) => op)).toEqual([
      'feature.release',
      'feature.claim',
      'plan.load',
      'session.start',
      'store.init',
    ]);
    for (const entry of lines) {
      expect(Object.keys(entry)).toEqual(
        'schema_version commit at op session feature worker actor id subject args'.split(' '),
      );
    }
    expect(lines[1]).toMatchObject({
      commit: oid,
      at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
      session: 'S',
      feature: '001',
      worker: 'W1',
      actor: 'W1',
      subject: 'claim 001 for W1',
    });
  });

  it('is filtered', async () => {
    const ops = async (line: string) => (await place.ok(line)).split('\n').map((one) => one.split('\t')[3]);
    expect(await ops('log --feature 001 --op feature')).toEqual(['feature.release', 'feature.claim']);
    expect(await ops('log --worker W1 -n 1')).toEqual(['feature.release']);
    expect(await ops('log --op plan.load')).toEqual(['plan.load']);
    expect(await place.ok('log --until 2020-01-01')).toBe('');
    expect(await place.human('log --until 2020-01-01')).toBe('no entry is like that');
    expect(await place.error('log --since tomorrowish')).toMatchObject({ status: 2, code: 'INVALID_INPUT' });
  });

  it('is short on a terminal, and tells the time there', async () => {
    const input = JSON.stringify({ features: Array.from({ length: 20 }, (_, at) => ({ id: `x${at}` })) });
    await place.ok('plan load -', { input });
    for (let count = 0; count < 16; count += 1) await place.ok(`note n${count}`);
    const short = (await place.human('log')).split('\n');
    expect(short).toHaveLength(20);
    expect(short[0]).toMatch(/^[0-9a-f]{9} \d{4}-\d\d-\d\d \d\d:\d\d:\d\d \S+ {2}note: n15$/);
    expect((await place.human('log --all')).split('\n')).toHaveLength(22);
    expect((await place.ok('log')).split('\n')).toHaveLength(22);
  });

  it('shows a commit made by hand as what it is', async () => {
    const { git } = place.repository;
    const commit = git('commit-tree', 'gitstate^{tree}', '-p', 'gitstate', '-m', 'by\thand');
    git('update-ref', 'refs/heads/gitstate', commit);
    expect(await place.human('log -n 1')).toMatch(/by\\thand \(by hand\)$/);
    expect(JSON.parse(await place.ok('log -n 1 --json'))).toMatchObject({
      op: null,
      commit,
      subject: 'by\thand',
    });
  });
});

describe('checkpoints', () => {
  it('are made, listed and shown', async () => {
    expect(await place.human('checkpoint list')).toBe(
      'no checkpoints yet: make one with `git state checkpoint create NAME`',
    );
    place.repository.write('data.json', '{"score": 7}');
    const value = await place.json('checkpoint create v1 --data @data.json --feature 001', {
      cwd: place.repository.path,
    });
    expect(value).toMatchObject({
      name: 'v1',
      tag: 'gitstate/S/v1',
      commit: oid,
      feature: '001',
      next_step: 'plan',
      data: { score: 7 },
      heads: {},
      can_resume: true,
      changed: true,
      durability: 'local',
    });
    expect(place.repository.git('rev-parse', 'gitstate/S/v1^{commit}')).toBe(value.commit);
    expect(await place.json('checkpoint show v1')).toMatchObject({ name: 'v1', data: { score: 7 } });
    expect(await place.human('checkpoint show v1')).toMatch(
      /^v1\n {2}commit +[0-9a-f]{40}\n {2}tag +gitstate\/S\/v1\n/,
    );
    expect(await place.ok('checkpoint list --feature 001')).toMatch(/^v1\t[0-9a-f]{40}\t001\t/);
    expect(await place.error('checkpoint create v1')).toMatchObject({ status: 4, code: 'ALREADY_EXISTS' });
    expect(await place.error('checkpoint show nonesuch')).toMatchObject({
      status: 3,
      code: 'CHECKPOINT_NOT_FOUND',
    });
  });

  it('give way to one of the same name and feature where that is said', async () => {
    const first = await place.json('checkpoint create draft --feature 001 --data {"v":1}');
    const tag = () => place.repository.git('rev-parse', 'gitstate/S/draft');
    const before = tag();
    expect(await place.error('checkpoint create draft --feature 001')).toMatchObject({
      code: 'ALREADY_EXISTS',
    });
    const second = await place.json('checkpoint create draft --feature 001 --data {"v":2} --replace');
    expect(second).toMatchObject({ name: 'draft', data: { v: 2 }, changed: true });
    expect(second.commit).not.toBe(first.commit);
    expect(place.repository.git('rev-parse', 'gitstate/S/draft^{commit}')).toBe(second.commit);
    expect(tag()).not.toBe(before);
    expect(place.repository.git('rev-parse', 'refs/gitstate/checkpoints/S/draft')).toBe(tag());
    expect(await place.json('checkpoint show draft')).toMatchObject({ data: { v: 2 } });
    // That of another feature, or of none, is another one.
    expect(await place.error('checkpoint create draft --feature 002 --replace')).toMatchObject({
      status: 4,
      code: 'ALREADY_EXISTS',
    });
    expect(await place.error('checkpoint create draft --replace')).toMatchObject({ code: 'ALREADY_EXISTS' });
    expect(await place.json('checkpoint create fresh --replace')).toMatchObject({ name: 'fresh' });
    await place.ok('checkpoint delete draft');
    await place.ok('checkpoint delete fresh');
  });

  it('are made of older points', async () => {
    const before = place.repository.git('rev-parse', 'gitstate~2');
    expect(await place.json(`checkpoint create old --at ${before}`)).toMatchObject({
      name: 'old',
      commit: before,
    });
  });
});

describe('diff and restore', () => {
  it('say what differs, and put it back', async () => {
    await place.ok('claim 001', { env });
    await place.ok('add 030');
    const diff = await place.json('diff v1');
    expect(diff).toMatchObject({
      from: oid,
      to: place.repository.git('rev-parse', 'gitstate'),
      changes: expect.arrayContaining([
        { entity: 'feature', session: 'S', id: '001', path: '/status', from: 'pending', to: 'in_progress' },
      ]),
      summary: { changes: expect.any(Number), completed: 0, failed: 0, cost: { from: 0, to: 0, delta: 0 } },
    });
    const human = await place.human('diff v1');
    expect(human).toContain('~ feature 001 /status: pending -> in_progress');
    expect(human).toContain('+ feature 030');
    expect(human).not.toMatch(/claim_count|updated_at/);
    expect(human).toMatch(/\n[0-9a-f]{9}\.\.[0-9a-f]{9}: \d+ changes, progress 0 of \d+ -> 0 of \d+$/);
    expect(await place.ok('diff v1')).toContain('001\tfeature\tS\t/status\t"pending"\t"in_progress"\n');
    expect(await place.human('diff v1 v1')).toMatch(/: no change$/);

    const tip = place.repository.git('rev-parse', 'gitstate');
    const dry = await place.human('restore v1 --dry-run');
    expect(dry).toContain('- feature 030');
    expect(dry).toMatch(/\n\d+ changes would be made$/);
    expect(place.repository.git('rev-parse', 'gitstate')).toBe(tip);
    expect(await place.json('restore v1 --dry-run')).toMatchObject({ commit: null, changed: false });
    const restored = await place.json('restore v1');
    expect(restored).toMatchObject({ commit: place.repository.git('rev-parse', 'gitstate'), changed: true });
    expect(await place.human('restore v1')).toBe('nothing had to change');
    expect(await place.error('show 030')).toMatchObject({ code: 'FEATURE_NOT_FOUND' });
    expect(await place.error('restore nonesuch')).toMatchObject({ status: 3, code: 'CHECKPOINT_NOT_FOUND' });
    expect(await place.error(['restore', 'what is this'])).toMatchObject({
      status: 2,
      code: 'INVALID_INPUT',
    });
  });

  it('of one feature alone', async () => {
    await place.ok('update 001 --pr 5');
    await place.ok('update 003 --pr 6');
    await place.ok('restore v1 --feature 001');
    expect(await place.json('show 001')).toMatchObject({ pr_number: null });
    expect(await place.json('show 003')).toMatchObject({ pr_number: 6 });
  });

  it('then the checkpoint is given up', async () => {
    expect(await place.human('checkpoint delete v1')).toMatch(
      /^deleted checkpoint v1 \(it was [0-9a-f]{9}\)$/,
    );
    expect(await place.error('checkpoint delete v1')).toMatchObject({
      status: 3,
      code: 'CHECKPOINT_NOT_FOUND',
    });
    expect(await place.ok('checkpoint list')).toMatch(/^old\t/);
  });
});

describe('the beginning of an id', () => {
  let own: Workplace;

  it('will do for commands that only read', async () => {
    own = await makeWorkplace({ session: false });
    await own.ok('init');
    await own.ok('session start alpha --steps plan,code');
    await own.ok('session start beta');
    const features = [{ id: 'ep_1' }, { id: 'ep_10' }, { id: 'ep_11' }, { id: 'x' }];
    await own.ok('plan load - --session alpha', { input: JSON.stringify({ features }) });
    const S = { env: { GITSTATE_SESSION: 'alpha' } };
    await own.ok('claim x --worker writer', S);
    await own.ok('cost add ep_10 2 --step plan', S);
    await own.ok('checkpoint create ep_10_done --feature ep_10', S);
    own.repository.write('notes.txt', 'notes');
    await own.ok('artifact put plan notes.txt --feature ep_10', S);

    const [whole, only, shown, cost, check, point, points, bytes, artifacts, mine, trail, theirs] =
      await Promise.all([
        own.json('show ep_1', S),
        own.json('show ep_10', S),
        own.json('session show --session al'),
        own.json('cost show ep_10 --session a'),
        own.json('cost check ep_10 1', S),
        own.json('checkpoint show ep_', S),
        own.ok('checkpoint list --feature ep_10', S),
        own.ok('artifact get plan notes.txt --feature ep_10', S),
        own.ok('artifact list --feature ep_10', S),
        own.ok('list --worker wri', S),
        own.ok('log --feature ep_10 --op cost', S),
        own.ok('log --worker wri --session al'),
      ]);
    expect([whole.id, only.id, shown.id, check.feature]).toEqual(['ep_1', 'ep_10', 'alpha', 'ep_10']);
    expect([cost.total, point.name, bytes]).toEqual([2, 'ep_10_done', 'notes']);
    expect(points).toMatch(/^ep_10_done\t/);
    expect(artifacts).toMatch(/^plan\/notes.txt\t5\t/);
    expect(mine).toMatch(/^x\tin_progress/);
    for (const lines of [trail, theirs]) expect(lines.split('\n')).toHaveLength(1);
    expect(await own.error('show ep_', S)).toMatchObject({
      status: 2,
      code: 'INVALID_INPUT',
      message: "'ep_' is short for several features: 'ep_1', 'ep_10', 'ep_11'",
      details: { matches: ['ep_1', 'ep_10', 'ep_11'] },
    });
    expect(await own.error('show EP_', S)).toMatchObject({ status: 3, code: 'FEATURE_NOT_FOUND' });
    // What was removed is found by its whole name.
    await own.ok('remove ep_11', S);
    expect((await own.ok('log --feature ep_11', S)).split('\n').length).toBeGreaterThan(1);
  });

  it('will not do for a command that writes', async () => {
    const S = { env: { GITSTATE_SESSION: 'alpha' } };
    const refused = async (write: string, code: string, options = {}) =>
      expect(await own.error(write, options), write).toMatchObject({ code, status: 3 });
    await Promise.all([
      ...[
        'update ep_10_ --pr 1',
        'remove ep_',
        'cost add ep_ 1',
        'claim ep_ --worker W2',
        'quality ep_ a=1',
        'archive ep_',
        'artifact put plan notes.txt --feature ep_',
      ].map((write) => refused(write, 'FEATURE_NOT_FOUND', S)),
      refused('checkpoint delete ep_', 'CHECKPOINT_NOT_FOUND', S),
      ...['remove x', 'add y', 'session complete', 'worktree prune', 'checkpoint delete v'].map((write) =>
        refused(`${write} --session al`, 'SESSION_NOT_FOUND'),
      ),
    ]);
  });
});
