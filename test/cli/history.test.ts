import { beforeAll, describe, expect, test } from 'vitest';
import { type Answered, gitState, makeWorkplace, onTerminal, type Workplace } from '../support/cli.ts';

let place: Workplace;
const hostile = '</code><img src=x onerror=y> | `a` @team [b](http://c.d) #12\n# H\\|';
beforeAll(async () => {
  place = await makeWorkplace();
  await place.ok('add 001 --steps plan,build');
  await place.ok('checkpoint create v1');
  await place.ok(['update', '001', '--name', hostile]);
  await place.ok('cost add 001 1.5 --step plan');
  await place.ok('add 002');
  await place.ok('update 002 --status completed');
});

describe('diff', () => {
  test('on a terminal it has colour, and none with --no-color, NO_COLOR, or into a pipe', async () => {
    const cwd = place.repository.path;
    const colour = /\u001b\[3[123]m/;
    expect((await onTerminal('git-state diff v1', { cwd })).stdout).toMatch(colour);
    expect((await onTerminal('git-state --no-color diff v1', { cwd })).stdout).not.toMatch(colour);
    expect((await onTerminal('git-state diff v1', { cwd, env: { NO_COLOR: '1' } })).stdout).not.toMatch(
      colour,
    );
    expect(await place.ok('diff v1')).not.toMatch(colour);
    expect(await place.human('diff v1')).toContain('1 completed, progress 0 of 1 -> 1 of 2, cost 0 -> 1.5');
  });

  test('its summary counts features and money', async () => {
    const { summary } = await place.json<{ summary: Record<string, unknown> }>('diff v1');
    const none = { pending: 0, in_progress: 0, completed: 0, failed: 0, archived: 0 };
    expect(summary).toMatchObject({
      completed: 1,
      failed: 0,
      progress: {
        from: { ...none, total: 1, pending: 1 },
        to: { ...none, total: 2, pending: 1, completed: 1 },
      },
      cost: { from: 0, to: 1.5, delta: 1.5 },
    });
  });

  test('as Markdown it is a table out of which no text of a user can break', async () => {
    const text = await place.ok('diff v1 --markdown');
    const lines = text.split('\n');
    expect(lines[0]).toMatch(/^### State <code>[0-9a-f]{7,}<\/code> → <code>[0-9a-f]{7,}<\/code>$/);
    expect(lines[2]).toContain('progress 0 of 1 → 1 of 2');
    const rows = lines.slice(6);
    expect(rows.length).toBeGreaterThan(2);
    for (const row of rows) {
      expect(row).toMatch(/^\| [~+−] \|/);
      expect(row.split('|')).toHaveLength(7);
    }
    const name = rows.find((row) => row.includes('/name'))!;
    expect(name.replaceAll(/<\/?code>/g, '').replaceAll(/&#\d+;/g, '')).not.toMatch(/[<>`@#[\]()\\*_]/);
    const shownText = name.replaceAll(/&#(\d+);/g, (_, code) => String.fromCodePoint(Number(code)));
    expect(shownText).toContain('<img src=x onerror=y> | `a` @team');
    expect((await place.error('diff v1 --markdown')).code).toBe('USAGE');
    expect(
      (await gitState(['diff', 'v1', 'v1', '--markdown'], { cwd: place.repository.path })).stdout,
    ).toMatch(/^### State .*\n\nno change\n$/);
  });
});

test('undo prints what it changes, and says in JSON what stands in the way', async () => {
  const own = await makeWorkplace();
  await own.ok('add 001');
  await own.ok('update 001 --name first');
  const { commit } = await own.json<Answered['json'] & { commit: string }>(
    'undo --dry-run --json'.replace(' --json', ''),
  );
  expect(commit).toBeNull();
  const [first] = (await own.ok('log -n 1')).split('\t');
  await own.ok('update 001 --name second');
  const refused = await own.error(['undo', first!]);
  expect(refused).toMatchObject({
    status: 4,
    code: 'CONFLICT',
    details: { changes: [{ path: '/name', from: 'first', to: 'second', by: { op: 'feature.update' } }] },
  });
  expect(refused.hint).not.toMatch(/reset|delete|remove/);
  expect(await own.human('undo')).toMatch(
    /^~ feature 001 \/name: second -> first\nundid [0-9a-f]{7,}: 1 change \([0-9a-f]{7,}\)$/,
  );
  expect((await own.json<{ name: string }>('show 001')).name).toBe('first');
  expect(await own.ok('log -n 1')).toMatch(/\tstate\.undo\tS\t001\tundo [0-9a-f]{7}$/);
});

test('restore --code tells where code goes, and what keeps the head that it leaves', async () => {
  const own = await makeWorkplace();
  const { git } = own.repository;
  await own.ok('add 001');
  git('branch', 'topic/one');
  await own.ok('update 001 --status in_progress --branch-name topic/one');
  await own.ok('checkpoint create v1');
  const head = git('rev-parse', 'topic/one');
  git(
    'update-ref',
    'refs/heads/topic/one',
    git('commit-tree', '-p', 'topic/one', '-m', 'more', 'topic/one^{tree}'),
  );
  const later = git('rev-parse', 'topic/one');
  const kept = `refs/gitstate/former/S/001/${later}`;
  const line = `~ branch topic/one: ${later.slice(0, 9)} -> ${head.slice(0, 9)}; the former head is kept at ${kept}`;
  expect(await own.human('restore v1 --code --dry-run')).toContain(line);
  expect(git('rev-parse', 'topic/one')).toBe(later);
  const { code } = await own.json<{ code: unknown }>('restore v1 --code');
  expect(code).toEqual([
    { feature: '001', branch: 'topic/one', worktree: null, from: later, to: head, kept },
  ]);
  expect([git('rev-parse', 'topic/one'), git('rev-parse', kept)]).toEqual([head, later]);
  expect((await own.error('restore gitstate~1 --code')).code).toBe('INVALID_INPUT');
});

test('log --oneline prints a short name and the subject, wherever it goes', async () => {
  const lines = (await place.ok('log --oneline')).split('\n');
  expect(lines[0]).toMatch(/^[0-9a-f]{7,} update 002 to completed$/);
  expect(await place.human('log --oneline')).toBe(lines.join('\n'));
  const limited = await place.ok([
    'log',
    '--oneline',
    '-n',
    '1',
    '--op',
    'feature',
    '--feature',
    '001',
    '--since',
    '1 day ago',
  ]);
  expect(limited).toMatch(/ update 001$/);
  expect((await place.run('log --since tomato')).status).toBe(2);
});

test('blame tells who set what, for people, pipes and programs', async () => {
  const rows = (await place.ok('blame 002')).split('\n').map((row) => row.split('\t'));
  const status = rows.find(([path]) => path === '/status')!;
  expect([status[4], status[5]]).toEqual(['feature.update', '"completed"']);
  expect(rows.find(([path]) => path === '/id')![4]).toBe('feature.add');
  expect(await place.human('blame 002')).toMatch(/COMMIT +WHEN +WHO +OPERATION +FIELD +VALUE/);
  const { fields } = await place.json<{ fields: { path: string; commit: string }[] }>('blame 001 --at v1');
  expect(new Set(fields.map(({ commit }) => commit)).size).toBe(1);
});

test('any entity is shown as it was at any point', { timeout: 90_000 }, async () => {
  const own = await makeWorkplace();
  await own.ok('session start T --name then');
  await own.ok('add 001 --session T --steps plan,build');
  await own.ok('claim 001 --session T --worker W1');
  await own.ok('cost add 001 2 --session T --step plan');
  await own.ok('checkpoint create v1 --session T --data 1');
  await own.ok(['artifact', 'put', 'plan', 'README', '--feature', '001', '--session', 'T', '--worker', 'W1']);
  const point = own.repository.git('rev-parse', 'gitstate');
  await own.ok('session update --session T --name now');
  await own.ok('cost add 001 3 --session T --step plan');
  await own.ok('complete 001 --session T --worker W1 --skip-remaining');
  await own.ok('checkpoint delete v1 --session T');
  const at = async (words: string) => own.json<Record<string, never>>(`${words} --session T --at ${point}`);
  expect(await at('show 001')).toMatchObject({ status: 'in_progress', worker_id: 'W1', total_cost: 2 });
  expect(await at('session show')).toMatchObject({ name: 'then' });
  expect(await at('checkpoint show v1')).toMatchObject({ name: 'v1', data: 1 });
  expect(await at('checkpoint list')).toMatchObject({ checkpoints: [{ name: 'v1' }] });
  expect(await at('worker list')).toMatchObject({ workers: [{ id: 'W1', current_feature: '001' }] });
  expect(await at('cost show 001')).toMatchObject({ total: 2 });
  expect(await at('artifact list --feature 001')).toMatchObject({
    artifacts: [{ path: expect.stringContaining('README') }],
  });
  expect(await at('status')).toMatchObject({ progress: { in_progress: 1, completed: 0 } });
  expect(await at('list')).toMatchObject({ features: [{ id: '001', status: 'in_progress' }] });
  expect(await at('metrics')).toMatchObject({ completed: 0 });
});

describe('without gitstate', () => {
  test('git log on the branch tells who did what, in one line each', () => {
    const lines = place.repository.git('log', '--format=%an: %s', 'gitstate').split('\n');
    expect(lines[0]).toBe('gitstate: update 002 to completed');
    expect(lines.at(-1)).toBe('gitstate: init store');
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(84);
  });

  test('git log finds operations by their trailers, and git prints these', () => {
    const { git } = place.repository;
    expect(git('log', '--format=%s', '--grep', '^gitstate-feature: 002$', 'gitstate')).toBe(
      'update 002 to completed\nadd 002',
    );
    expect(git('log', '--format=%s', '--grep', '^gitstate-op: cost', 'gitstate')).toBe(
      'add cost 1.5 to step plan of 001',
    );
    const ops = git('log', '-2', '--format=%(trailers:key=gitstate-op,valueonly,separator=%x2C)', 'gitstate');
    expect(ops).toBe('feature.update\nfeature.add');
    expect(
      git('log', '--format=%s', '--grep', 'img src', '--grep', 'onerror', '--all-match', 'gitstate'),
    ).toBe('update 001');
  });

  test('git show tells what an operation changed, field by field', () => {
    const text = place.repository.git('show', '--format=%B', 'gitstate');
    expect(text).toMatch(/^update 002 to completed\n\ngitstate-op: feature\.update\n/);
    expect(text).toContain('-  "status": "pending",\n+  "status": "completed",');
    expect(text.split('\n').filter((line) => line.startsWith('diff --git'))).toHaveLength(1);
  });

  test('tags of checkpoints stay out of the way', () => {
    const { git } = place.repository;
    git('tag', 'v1.0');
    git('config', 'alias.tags', "!git tag --list | grep -v '^gitstate/'");
    expect(git('tag', '--list')).toContain('gitstate/S/v1');
    expect(git('tags')).toBe('v1.0');
    expect(git('tag', '--list', 'v*')).toBe('v1.0');
    expect(git('for-each-ref', '--format=%(refname:short)', 'refs/tags/*')).toBe('v1.0');
    git('config', 'log.excludeDecoration', 'refs/tags/gitstate/');
    expect(git('log', '--decorate', '--format=%D', 'gitstate')).not.toContain('gitstate/S/v1');
    expect(git('describe', '--tags', '--exclude', 'gitstate/*', 'main')).toBe('v1.0');
  });
});
