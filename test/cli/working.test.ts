import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { commandFile, ended, makeWorkplace, start, type Workplace } from '../support/cli.ts';

const written = { changed: true, durability: 'local', commit: expect.stringMatching(/^[0-9a-f]{40}$/) };
const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
const token = (number: number) => expect.stringMatching(new RegExp(`^${number}-[0-9a-f]{32,}$`));

describe('a feature on its way', () => {
  let place: Workplace;
  const env = { GITSTATE_WORKER: 'W1' };
  beforeAll(async () => {
    place = await makeWorkplace({ session: false });
    await place.ok('init');
    await place.ok('session start S --steps plan,code,test --max-retries 1');
    place.repository.write(
      'plan.yaml',
      'features:\n  - id: 001\n  - {id: 002, dependencies: [001]}\n  - id: 003\n',
    );
    await place.ok('plan load plan.yaml');
  });

  it('is claimed by one worker', async () => {
    const claimed = await place.json('claim', { env });
    expect(claimed).toEqual({
      schema_version: 1,
      session: 'S',
      feature: expect.objectContaining({
        id: '001',
        status: 'in_progress',
        worker_id: 'W1',
        current_step: 'plan',
      }),
      worker: 'W1',
      token: token(1),
      expires_at: time,
      worktree: null,
      branch: null,
      ...written,
    });
    expect((claimed.feature as { claim: object }).claim).toEqual({
      expires_at: claimed.expires_at,
      host: expect.any(String),
      pid: null,
      runner: false,
    });
    expect(await place.error('claim 001 --worker W2')).toMatchObject({
      status: 4,
      code: 'ALREADY_CLAIMED',
      details: { feature: '001', holder: 'W1', expires_at: time },
    });
    expect(await place.error('claim', { env })).toMatchObject({
      code: 'WORKER_BUSY',
      details: { feature: '001' },
    });
    expect(await place.error('claim 002 --worker W2')).toMatchObject({
      status: 4,
      code: 'DEPENDENCIES_UNMET',
      details: { blocked_by: [{ id: '001', status: 'in_progress' }] },
    });
    expect(await place.error('claim 002 --wait=1ms --worker W2')).toMatchObject({
      code: 'DEPENDENCIES_UNMET',
    });
    const renewed = await place.human(['claim', '001', '--token', String(claimed.token)]);
    expect(renewed).toBe(
      `renewed 001 for W1 until ${new Date(Date.parse(renewedEnd(await place.json('show 001')))).toISOString().slice(11, 16)} (token ${claimed.token})`,
    );
  });

  it('is checked by whoever wants to know', async () => {
    expect(await place.json('claim --check', { env })).toEqual({
      schema_version: 1,
      feature: '001',
      holder: 'W1',
      held: true,
      expired: false,
      expires_at: time,
    });
    const lost = await place.run('claim --check 001 --worker W2');
    expect(lost).toMatchObject({ status: 4, stderr: '' });
    expect(lost.stdout).toMatch(/^001\tlost\tW1\t/);
    expect(JSON.parse((await place.run('claim --check 001 --json --worker W2')).stdout)).toMatchObject({
      held: false,
    });
    expect(await place.human('claim --check 001', { env })).toMatch(/^001 is yours \(W1\) until \d\d:\d\d$/);
    expect(await place.error('claim --check 999', { env })).toMatchObject({
      status: 3,
      code: 'FEATURE_NOT_FOUND',
    });
  });

  it('keeps its claim by heartbeats, which make no commit', async () => {
    const before = place.repository.git('rev-parse', 'gitstate');
    expect(await place.json('heartbeat --lease 1h', { env })).toMatchObject({
      feature: '001',
      expires_at: time,
      durability: 'local',
    });
    expect(await place.ok('heartbeat 001', { env })).toMatch(/^001\t\d{4}-.*Z$/);
    expect(await place.human('heartbeat', { env })).toMatch(/^renewed 001 until \d\d:\d\d$/);
    expect(place.repository.git('rev-parse', 'gitstate')).toBe(before);
    expect(await place.error('heartbeat 001 --worker W2')).toMatchObject({ status: 4, code: 'NOT_HOLDER' });
  });

  it('goes through its steps', async () => {
    expect(await place.human('step done plan', { env })).toBe('finished step plan of 001; now code');
    expect(await place.human('step done 001 plan', { env })).toBe('step plan of 001: nothing to change');
    expect(await place.error('step done test', { env })).toMatchObject({
      status: 4,
      code: 'INVALID_TRANSITION',
    });
    expect(await place.error('step done deploy', { env })).toMatchObject({
      status: 3,
      code: 'STEP_NOT_FOUND',
    });
    expect(await place.human('step fail code --error red', { env })).toBe('failed step code of 001');
    expect(await place.human('show 001')).toContain('    ✓ plan\n    ✗ code  red\n    ○ test');
    expect(await place.human('step start code', { env })).toBe('started step code of 001');
    expect(await place.json('step skip code', { env })).toMatchObject({
      id: '001',
      current_step: 'test',
      steps_completed: ['plan'],
      ...written,
    });
    expect(await place.ok('step start test', { env })).toBe('001\tin_progress\t\t\tW1\ttest\t001');
  });

  it('is completed', async () => {
    expect(await place.error('complete', { env })).toMatchObject({ status: 4, code: 'STEPS_REMAIN' });
    const value = await place.json(['complete', '--skip-remaining', '--summary', 'two\nlines'], { env });
    expect(value).toMatchObject({
      id: '001',
      status: 'completed',
      summary: 'two\nlines',
      completed_by: 'W1',
      ...written,
    });
    expect(await place.error('complete 001')).toMatchObject({ status: 4, code: 'INVALID_TRANSITION' });
    expect(await place.ok('next')).toBe('002');
  });

  it('fails, is tried again, and put away', async () => {
    await place.ok('claim 002', { env });
    expect(await place.human('fail --error first', { env })).toBe('002 failed once; it is pending again');
    await place.ok('claim 002', { env });
    expect(await place.human(['fail', '--error', 'second'], { env })).toBe(
      '002 failed for good; `git state retry` takes it up again',
    );
    expect(await place.json('show 002')).toMatchObject({ status: 'failed', error: 'second', retry_count: 2 });
    expect(await place.human('retry 002 --from plan')).toBe('002 is pending again at step plan');
    await place.ok('claim 002', { env });
    expect(await place.json('fail --error third --no-retry', { env })).toMatchObject({
      status: 'failed',
      ...written,
    });
    expect(await place.human('archive 002')).toBe('archived 002');
    expect(await place.json('retry 002')).toMatchObject({ status: 'pending' });
  });

  it('is given back', async () => {
    const { token } = await place.json<{ token: string }>('claim 002', { env });
    expect(await place.human(['release', '--token', token])).toBe('released 002');
    expect(await place.human(['release', '002', '--token', token])).toBe('002 was released already');
    expect(await place.error(['complete', '002', '--token', token])).toMatchObject({
      status: 4,
      code: 'STALE_TOKEN',
    });
    expect(await place.error('release 002', { env })).toMatchObject({ status: 4 });
  });

  it('is overridden by force', async () => {
    await place.ok('claim 003', { env });
    expect(await place.error('release 003 --worker W2')).toMatchObject({ status: 4, code: 'NOT_HOLDER' });
    expect(await place.json('claim 003 --worker W2 --force')).toMatchObject({
      worker: 'W2',
      token: token(2),
    });
    expect(await place.json('--force release 003 --worker W1')).toMatchObject({ status: 'pending' });
  });

  it('is taken by a worker whose name nobody gave', async () => {
    const [id, given, worker, worktree] = (await place.ok('claim')).split('\t');
    expect([id, given, worktree]).toEqual(['002', token(5), '']);
    expect(worker).toMatch(/^[A-Za-z0-9][A-Za-z0-9._-]*$/);
    expect(await place.ok('claim --check')).toMatch(/^002\theld\t/);
    expect(await place.ok('release')).toMatch(/^002\tpending\t/);
  });

  it('leaves notes', async () => {
    expect(await place.json(['note', 'all is well', '--level', 'warn', '--feature', '003'])).toEqual({
      schema_version: 1,
      ...written,
    });
    expect(await place.ok('note hello')).toMatch(/^[0-9a-f]{40}$/);
    expect(await place.human('note hello')).toMatch(/^noted \([0-9a-f]{9}\)$/);
    const env = { GITSTATE_FEATURE: '003' };
    await place.ok('note within', { env });
    expect(await place.ok('log -n 1')).toMatch(/\tnote\.add\tS\t003\tnote: within$/);
  });
});

function renewedEnd(feature: Record<string, unknown>): string {
  return (feature.claim as { expires_at: string }).expires_at;
}

describe('claim --wait', () => {
  it('ends at once where nothing can become ready', async () => {
    const place = await makeWorkplace();
    const empty = await place.error('claim --wait');
    expect(empty).toMatchObject({
      status: 5,
      code: 'NOTHING_READY',
      details: { all_complete: true, blocked: [] },
    });
    expect(await place.error('claim --wait 5m')).toMatchObject({
      status: 3,
      hint: 'to wait so long write --wait=5m',
    });
    expect(await place.error('next')).toMatchObject({ status: 5, code: 'NOTHING_READY' });
    expect(await place.human('ready')).toBe('nothing is ready; `git state status` says what waits for what');
  });

  it('takes what becomes ready', async () => {
    const place = await makeWorkplace();
    await place.ok('add 001');
    await place.ok('add 002 --needs 001');
    await place.ok('claim 001 --worker W1');
    const waiting = ended(
      start(process.execPath, [commandFile, 'claim', '--wait', '--worker', 'W2'], {
        cwd: place.repository.path,
      }),
    );
    await place.ok('complete 001 --worker W1');
    const { status, stdout } = await waiting;
    expect({ status, id: stdout.split('\t')[0] }).toEqual({ status: 0, id: '002' });
  });
});

describe('worktrees', () => {
  it('need no ids and no token inside', async () => {
    const place = await makeWorkplace({ session: false });
    await place.ok('init');
    await place.ok('session start S --steps plan,code');
    await place.ok('add 001');
    await place.ok('add 002');
    const path = join(place.repository.path, '.worktrees', '001');
    const claimed = await place.human('claim 001 --worktree --base main --worker W1');
    expect(claimed).toMatch(
      /^claimed 001 for W1 until \d\d:\d\d \(token 1-[0-9a-f]+\)\nworktree .*\/001 on branch feature\/001$/,
    );
    expect(claimed).toContain(`worktree ${path} on branch`);
    const inside = { cwd: path };
    expect(await place.json('claim --check', inside)).toMatchObject({ feature: '001', held: true });
    expect(await place.json('step done plan', inside)).toMatchObject({ id: '001', current_step: 'code' });
    expect(await place.json('show', inside)).toMatchObject({ id: '001' });
    expect(await place.json('claim', inside)).toMatchObject({ feature: { id: '001' }, changed: false });
    expect(await place.ok('worktree list')).toMatch(
      new RegExp(`^001\\t${path}\\tfeature/001\\t[0-9a-f]{40}\\tkept$`),
    );
    expect(await place.human('worktree list')).toMatch(
      /^FEATURE +BRANCH +HEAD +STATE +PATH\n001 +feature\/001 /,
    );
    await place.ok('step done code', inside);
    expect(await place.json('complete', inside)).toMatchObject({ status: 'completed' });
    expect(await place.json('worktree list')).toMatchObject({
      worktrees: [
        { feature: '001', path, branch: 'feature/001', dirty: false, unpushed: false, removable: true },
      ],
    });
    expect(await place.human('worktree prune --dry-run')).toBe(`would remove the worktree of 001: ${path}`);
    expect(existsSync(path)).toBe(true);
    expect(await place.json('worktree prune')).toMatchObject({ worktrees: [{ feature: '001' }] });
    expect(existsSync(path)).toBe(false);
    expect(await place.human('worktree prune')).toBe('no worktree to remove');
    expect(await place.human('worktree list')).toBe('no worktrees: `git state claim --worktree` makes one');
    expect(await place.error('claim 002 --worktree --base nonesuch')).toMatchObject({
      status: 3,
      code: 'COMMIT_NOT_FOUND',
    });
  });
});
