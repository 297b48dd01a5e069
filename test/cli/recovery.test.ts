import { beforeAll, describe, expect, it } from 'vitest';
import { makeWorkplace, type Workplace } from '../support/cli.ts';

let place: Workplace;
const oid = expect.stringMatching(/^[0-9a-f]{40}$/);
const written = { commit: oid, changed: true, durability: 'local' };
beforeAll(async () => {
  place = await makeWorkplace();
  await place.ok('plan load -', { input: '{"features": [{"id": "001"}, {"id": "002"}]}' });
});

describe('recover', () => {
  it('gives claims back whose lease is over, and makes the session active', async () => {
    await place.ok('claim 001 --worker W1 --lease 1ms');
    await place.ok('claim 002 --worker W2 --lease 1h');
    await place.ok('session fail --force');
    expect(await place.human('recover --dry-run')).toMatch(
      /^would release 001, which W1 held \(expired\)\nwould keep 002, which W2 holds until .*\nsession S would be active, 1 released, 1 kept$/,
    );
    expect(await place.ok('recover --dry-run')).toBe('001\tW1\texpired\t\t\t\n002\tW2\tkept\t\t\t');
    const value = await place.json('recover --session S');
    const released = [{ feature: '001', worker: 'W1', reason: 'expired', step: null, worktree: null }];
    expect(value).toMatchObject({ session: 'S', status: 'active', released, ...written });
    expect(await place.human('recover')).toBe('session S is active again');
  });

  it('says with --dry-run what the worktrees hold', async () => {
    const other = await makeWorkplace();
    await other.ok('add 001 --steps plan,build');
    await other.ok('claim 001 --worker W1 --lease 1ms --worktree');
    other.repository.write('.worktrees/001/new', 'x');
    other.repository.git('-C', '.worktrees/001', 'switch', '-q', '--detach');
    const path = `${other.repository.path}/.worktrees/001`;
    expect(await other.human('recover --dry-run')).toContain(
      `\n  goes on at step plan\n  ${path}: no branch checked out, not feature/001, uncommitted changes\n`,
    );
    expect(await other.ok('recover')).toBe(
      `001\tW1\texpired\tplan\t${path}\tno branch checked out, not feature/001, uncommitted changes`,
    );
  });

  it('leaves live claims alone; people read their end in local time', async () => {
    const { details } = await place.error('claim 002 --worker W9');
    const end = new Date(Date.parse(String(details.expires_at)) + 9 * 3_600_000).toISOString();
    const { stderr } = await place.run('claim 002 --worker W9', { env: { TZ: 'Asia/Tokyo' } });
    expect(stderr).toContain(`until ${end.slice(0, 19).replace('T', ' ')} (ALREADY_CLAIMED)`);
  });
});

describe('resume', () => {
  let own: Workplace;
  beforeAll(async () => {
    own = await makeWorkplace({ session: false });
    await own.ok('init');
    await own.ok('session start S --steps plan,code,test');
    await own.ok('plan load -', { input: '{"features": [{"id": "ep_001_a"}, {"id": "ep_001_b"}]}' });
    await own.ok('claim ep_001_a --worker W1 --lease 1ms --worktree');
    await own.ok('step done ep_001_a plan --worker W1');
    await own.ok('checkpoint create half --feature ep_001_a');
  });

  it('says what could be resumed where no feature is meant', async () => {
    expect(await own.human('resume')).toBe(
      'ep_001_a  in_progress, at step code\n1 feature could be resumed: `git state resume --feature ep_001_a`',
    );
    expect(await own.ok('resume')).toBe('ep_001_a\tcode\tin_progress');
    expect(await own.error('resume --feature ep_001')).toMatchObject({
      status: 2,
      code: 'INVALID_INPUT',
      details: { matches: ['ep_001_a', 'ep_001_b'] },
    });
    expect(await own.error('resume --from origin')).toMatchObject({ status: 2, code: 'USAGE' });
  });

  it('of a checkpoint ends the claim that is over and says where to go on', async () => {
    const lines = (await own.human('resume ha')).split('\n');
    expect(lines[0]).toBe('ep_001_a goes on at step code');
    expect(lines.slice(1, -1).map((line) => line.trim().split(/ {2,}/))).toEqual([
      ['finished', 'plan'],
      ['status', 'pending'],
      ['claim ended', 'W1 held it (expired)'],
      ['checkpoint', 'half'],
      ['code', expect.stringMatching(/^feature\/ep_001_a at [0-9a-f]{9}$/)],
    ]);
    expect(lines.at(-1)).toBe('go on with `git state claim ep_001_a --session S --worktree`');
    expect(await own.json('resume --feature ep_001_a')).toMatchObject({
      session: 'S',
      feature: 'ep_001_a',
      step: 'code',
      commit: null,
      changed: false,
      heads: { ep_001_a: { branch: 'feature/ep_001_a', oid } },
    });
    const next = lines.at(-1)!.match(/`git state (.*)`/)![1]!;
    expect(await own.json(next)).toMatchObject({
      branch: 'feature/ep_001_a',
      feature: { current_step: 'code' },
    });
    expect(await own.error('resume half')).toMatchObject({ status: 4, code: 'ALREADY_CLAIMED' });
    expect(await own.error('resume nope')).toMatchObject({ status: 3, code: 'CHECKPOINT_NOT_FOUND' });
  });

  it('names the whole id of the only one that begins so', async () => {
    expect(await own.ok('resume --feature ep_001_b')).toMatch(/^ep_001_b\tplan\tpending/);
    await own.ok('add other');
    expect(await own.ok('resume --feature oth')).toMatch(/^other\tplan\tpending/);
    await own.ok('update other --status failed');
    expect(await own.human('resume --feature oth')).toContain(
      'go on with `git state retry other --session S`',
    );
    await own.ok('archive other');
    expect(await own.error('resume --feature other')).toMatchObject({
      status: 4,
      code: 'INVALID_TRANSITION',
    });
  });
});

describe('cleanup', () => {
  it('--features archives what failed long ago', async () => {
    await place.ok('add 003');
    await place.ok('update 003 --status failed');
    expect(await place.human('cleanup --features')).toBe('no feature to archive');
    expect(await place.ok('cleanup --features --older-than 0s --dry-run --quiet')).toMatch(/^003$/m);
    const { archived } = await place.json<{ archived: string[] }>('cleanup --features --older-than 0s');
    expect(archived).toContain('003');
    expect(await place.json('show 003')).toMatchObject({ status: 'archived' });
  });

  it('removes sessions that are not active, and history keeps them', async () => {
    await place.ok('session start T');
    await place.ok('session complete --session T');
    expect(await place.human('cleanup')).toBe('no session to remove');
    expect(await place.human('cleanup --older-than 0s --dry-run')).toBe('would remove session T');
    expect(await place.json('cleanup --older-than 0s')).toEqual({
      schema_version: 1,
      removed: ['T'],
      ...written,
    });
    expect(await place.ok('session list --all')).toMatch(/^S\t[^\n]*$/);
    expect(await place.json('session show --session T --at gitstate~1')).toMatchObject({ id: 'T' });
  });
});

describe('presets', () => {
  const preset = `name: web
steps: [plan, 007]
budgets: {steps: {plan: 2}, feature: 4}
lease: 30m
max_retries: 1
`;

  it('are kept in the store and give sessions their rules', async () => {
    const stored = await place.json('preset put -', { input: preset });
    expect(stored).toEqual({
      schema_version: 1,
      name: 'web',
      steps: ['plan', '007'],
      budgets: { steps: { plan: 2 }, feature: 4, day: null },
      max_retries: 1,
      lease: '30m',
      auto_checkpoints: false,
      quality_min: {},
      session_id: 'date',
      ...written,
    });
    expect((await place.ok('preset list')).split('\n').at(-1)).toBe(
      'web\tplan,007\tplan 2, feature 4\t1\t30m\town',
    );
    const { presets } = await place.json<{ presets: { name: string; lease: string }[] }>('preset list');
    expect(presets.map(({ name }) => name)).toEqual([
      ...['none', 'parallel-dev', 'orchestrator', 'production', 'web'],
    ]);
    expect(presets.at(-1)).toMatchObject({ lease: '30m', built_in: false });
    expect(await place.json('session start U --preset web --budget-feature 5')).toMatchObject({
      preset: 'web',
      budgets: { steps: { plan: 2 }, feature: 5, day: null },
    });
    const [, taken] = await Promise.all([
      place.human('preset list'),
      place.run('preset put - --json', { input: '{"name": "production"}' }),
    ]);
    expect(taken.status).toBe(4);
  });

  it('in a file give rules to one session, and options go before them', async () => {
    place.repository.write('web.yaml', `${preset}quality_min: {tests: 8}\n`);
    const started = await place.run('session start V --preset web.yaml --budget-step 007=3 --json');
    expect(started.stderr).toBe('');
    expect(JSON.parse(started.stdout)).toMatchObject({
      preset: 'web',
      quality_min: { tests: 8 },
      steps: ['plan', '007'],
      budgets: { steps: { plan: 2, '007': 3 }, feature: 4, day: null },
      max_retries: 1,
      default_lease: '30m',
    });
  });

  it.each([
    ['{"name": "x", "colour": 1}', 'colour: is no field of a preset'],
    ['[]', 'the preset is no object'],
    ['{"steps": []}', 'the preset has no name'],
  ])('%s is no preset', async (input, message) => {
    expect(await place.error('preset put -', { input })).toMatchObject({ status: 2, message });
  });

  it('in a file that is not there are refused', async () => {
    expect(await place.error('session start X --preset nonesuch.json')).toMatchObject({
      status: 2,
      code: 'INVALID_INPUT',
    });
  });
});

describe('reset', () => {
  it('empties the store only if it is confirmed', async () => {
    expect(await place.error('reset')).toMatchObject({ status: 2, code: 'USAGE' });
    expect(await place.human('reset --confirm')).toMatch(/^emptied the store \([0-9a-f]{9}\)$/);
    expect(await place.json('session list --all')).toMatchObject({ sessions: [] });
  });
});
