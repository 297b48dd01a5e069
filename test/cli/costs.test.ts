import { beforeAll, describe, expect, it } from 'vitest';
import { makeWorkplace, type Workplace } from '../support/cli.ts';

let place: Workplace;
const W1 = { env: { GITSTATE_WORKER: 'W1' } };
const oid = expect.stringMatching(/^[0-9a-f]{40}$/);
const planWarning = { scope: 'step', name: 'plan', spent: 1.7, limit: 2, percent: 85 };

beforeAll(async () => {
  place = await makeWorkplace({ session: false });
  await place.ok('init');
  await place.ok('session start S --steps plan,code --budget-step plan=2 --budget-feature 4');
  await place.ok('add 001');
  await place.ok('claim 001', W1);
});

describe('cost', () => {
  it('add counts a report once under one key, and warns from 80% on', async () => {
    const line = 'cost add 001 1.7 --step plan --operation llm --tokens in=1200,out=300 --key run-1';
    const added = await place.run(`${line} --json`);
    expect(added.stderr).toBe("warning: step 'plan' has spent 1.7 of 2 (85%)\n");
    const value = JSON.parse(added.stdout);
    expect(value).toEqual({
      schema_version: 1,
      feature: '001',
      step: 'plan',
      step_total: 1.7,
      total: 1.7,
      budget: 4,
      warnings: [planWarning],
      stop: false,
      commit: oid,
      changed: true,
      durability: 'local',
    });
    expect(await place.ok(line)).toBe('001\t1.7\t4\tfalse\tplan\t1.7');
    expect(await place.human(line)).toBe('counted already: 001 has cost 1.7 of 4');
    expect((await place.run([...line.split(' '), '--quiet'])).stderr).toBe('');
  });

  it('check asks beforehand, and answers by its exit status with --enforce', async () => {
    const free = await place.run('cost check 2 --step plan --json', W1);
    expect(free).toMatchObject({
      status: 0,
      stderr:
        "warning: step 'plan' has spent 3.7 of 2 (185%)\nwarning: feature '001' has spent 3.7 of 4 (92.5%)\n",
    });
    expect(JSON.parse(free.stdout)).toMatchObject({ feature: '001', step: 'plan', total: 1.7, stop: false });
    expect(await place.ok('cost check 001 2.3')).toBe('001\t1.7\t4\ttrue\t\t');
    const enforced = await place.run('cost check 001 2.3 --enforce --json');
    expect(enforced.status).toBe(4);
    expect(JSON.parse(enforced.stdout)).toMatchObject({
      stop: true,
      warnings: [planWarning, { percent: 100 }],
    });
    expect(await place.human('cost check 001 1')).toBe('001 has cost 1.7 of 4; 1 more is within the budgets');
    expect(await place.json('show 001')).toMatchObject({ total_cost: 1.7 });
  });

  it('set gives a step its total', async () => {
    expect(await place.human('cost set 001 1.5 --step plan')).toBe(
      'step plan has cost 1.5: 001 has cost 1.5 of 4',
    );
    expect(await place.json('cost set 1.5 --step plan', W1)).toMatchObject({ changed: false, commit: null });
    expect(await place.error('cost set 001 1.5')).toMatchObject({ status: 2, code: 'USAGE' });
  });

  it('a budget that is used up keeps the next step pending', async () => {
    await place.ok('cost add 001 2.5 --step code');
    const done = await place.run('step done plan --json', W1);
    expect(done.stderr).toBe("warning: feature '001' has spent 4 of 4 (100%)\n");
    expect(JSON.parse(done.stdout)).toMatchObject({
      stop: true,
      warnings: [{ scope: 'feature', percent: 100 }],
      steps: [{ status: 'completed' }, { status: 'pending' }],
    });
    expect(await place.error('step start code', W1)).toMatchObject({ status: 4, code: 'BUDGET_EXCEEDED' });
    expect(await place.human('status')).toContain("cost 4\nfeature '001' has spent 4 of 4 (100%)");
    await place.ok('session update --budget-feature none');
    expect(await place.json('step start code', W1)).toMatchObject({ stop: false, warnings: [] });
  });

  it('show sums by step, operation, worker, day and feature', async () => {
    expect(await place.json('cost show 001')).toMatchObject({
      total: 4,
      tokens: { in: 1200, out: 300, cached: 0 },
      by_step: { code: 2.5, plan: 1.5 },
      by_operation: { llm: 1.7, other: 2.5, update_phase: -0.2 },
      by_feature: { '001': 4 },
      stop: false,
    });
    expect((await place.ok('cost show')).split('\n').slice(0, 3)).toEqual([
      'total\t\t4',
      'step\tcode\t2.5',
      'step\tplan\t1.5',
    ]);
    const before = await place.json('cost show --at gitstate~6');
    expect(before).toMatchObject({ total: 0, by_step: {}, warnings: [] });
    expect(await place.error('cost show 999')).toMatchObject({ status: 3, code: 'FEATURE_NOT_FOUND' });
  });

  it.each([
    ['cost add 001 1.1234567', "AMOUNT: '1.1234567' has more than six decimal places"],
    ['cost add 001 much', "AMOUNT: 'much' is no amount"],
    ['cost add 001 1 --tokens in=1,in=2', "--tokens: 'in=1,in=2' is not of the form in=N,out=N,cached=N"],
    ['quality 001 accuracy', "'accuracy' is not of the form NAME=SCORE"],
    ['quality 001', "'001' is not of the form NAME=SCORE"],
    ['metrics --csv --json', '--json, --prometheus and --csv exclude each other'],
  ])('%s is refused', async (line, message) => {
    expect(await place.error(line)).toMatchObject({ status: 2, message });
  });
});

describe('quality and metrics', () => {
  it('scores are merged, with or without an id', async () => {
    expect(await place.json('quality 001 accuracy=9 depth=8')).toMatchObject({
      id: '001',
      quality_scores: { accuracy: 9, depth: 8 },
    });
    expect(await place.human('quality accuracy=9.5 depth=-1', W1)).toBe('scored 001: accuracy 9.5, depth -1');
    expect(await place.human('quality tone=1 --feature 001')).toBe(
      'scored 001: accuracy 9.5, depth -1, tone 1',
    );
  });

  it('metrics come in every form', async () => {
    const { session, total_tasks, by_step, quality } = await place.json('metrics');
    expect({ session, total_tasks, quality }).toEqual({
      session: 'S',
      total_tasks: 1,
      quality: { avg_accuracy: 9.5, avg_depth: -1, avg_tone: 1, trending: 'steady' },
    });
    expect(by_step).toMatchObject({ plan: { cost: 1.5 }, code: { cost: 2.5 } });
    const plain = await place.ok('metrics');
    expect(plain).toContain('\nby_step.plan.cost\t1.5\n');
    const csv = await place.ok('metrics --csv');
    expect(csv).toMatch(/^session,metric,value\r\nS,total_tasks,1\r\n/);
    expect(csv.trimEnd().split('\r\n')).toHaveLength(plain.split('\n').length);
    const prometheus = await place.ok('metrics --prometheus --session S');
    expect(prometheus).toContain('# TYPE gitstate_cost_total counter\ngitstate_cost_total{session="S"} 4\n');
    expect(await place.ok('metrics --prometheus')).toBe(prometheus);
    expect(await place.human('metrics')).toContain('S 1 feature: 0 completed, 1 in progress, 0 failed');
    const empty = await makeWorkplace({ session: false });
    const refused = await empty.run('metrics --prometheus');
    expect(refused).toMatchObject({ status: 3, stdout: '' });
    expect(refused.stderr).toContain('(NOT_INITIALIZED)');
  });
});
