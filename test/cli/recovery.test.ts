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
    expect(await place.human('recover --dry-run')).toBe(
      'would release 001, which W1 held (expired)\nsession S would be active, 1 released',
    );
    const value = await place.json('recover --session S');
    const released = [{ feature: '001', worker: 'W1', reason: 'expired' }];
    expect(value).toMatchObject({ session: 'S', status: 'active', released, ...written });
    expect(await place.human('recover')).toBe('session S is active again');
  });

  it('leaves live claims alone; people read their end in local time', async () => {
    const { details } = await place.error('claim 002 --worker W9');
    const end = new Date(Date.parse(String(details.expires_at)) + 9 * 3_600_000).toISOString();
    const { stderr } = await place.run('claim 002 --worker W9', { env: { TZ: 'Asia/Tokyo' } });
    expect(stderr).toContain(`until ${end.slice(0, 19).replace('T', ' ')} (ALREADY_CLAIMED)`);
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
