import { expect, test } from 'vitest';
import { makeWorkplace } from '../support/cli.ts';

test('verify says that all follows, what was made by hand, and fails where something does not', async () => {
  const { ok, json, run, human, repository } = await makeWorkplace();
  await ok('add 001');
  expect(await human('verify')).toMatch(
    /^3 commits up to \w{9} \(3 operations\): all follow, back to the root$/,
  );
  expect(await ok('verify')).toBe('');
  const tip = repository.git('rev-parse', 'gitstate');
  const byHand = repository.git('commit-tree', '-p', tip, '-m', 'by \u001b[2J hand', 'gitstate^{tree}');
  repository.git('update-ref', 'refs/heads/gitstate', byHand);
  expect(await json('verify --full')).toMatchObject({
    ok: true,
    commits: 4,
    manual: 1,
    problems: [{ kind: 'foreign', commit: byHand }],
  });
  expect(await ok('verify')).toBe(`noted\tforeign\t${byHand}\tit was made by hand`);
  expect(await human('verify')).not.toContain('\u001b[2J');
  expect((await run('verify --strict')).status).toBe(7);
  const forged = repository.git(
    'commit-tree',
    '-p',
    tip,
    '-m',
    'x\n\ngitstate-op: note.add',
    'gitstate^{tree}',
  );
  repository.git('update-ref', 'refs/heads/gitstate', forged);
  const failed = await run('--json verify');
  expect(failed.status).toBe(7);
  expect(JSON.parse(failed.stdout)).toMatchObject({
    ok: false,
    problems: [{ kind: 'message', commit: forged }],
  });
  expect(failed.stderr).toBe('');
  expect(await human(`verify ${tip}..${tip}`)).toContain('0 commits');
});

test('doctor --repair lists what it did, and then all is well', async () => {
  const { ok, run, json, error, repository } = await makeWorkplace();
  await ok('add 001');
  repository.git('branch', '-D', 'gitstate');
  expect(await error('init')).toMatchObject({
    code: 'CORRUPT_STATE',
    status: 7,
    hint: 'git state doctor --repair',
  });
  expect((await run('doctor')).status).toBe(7);
  const { repaired } = await json<{ repaired: { name: string }[] }>('doctor --repair');
  expect(repaired).toMatchObject([{ name: 'branch' }]);
  expect(await ok('list')).toContain('001');
  expect((await run('doctor')).status).toBe(0);
  repository.git('update-ref', 'refs/gitstate/leases/S/001', 'gitstate');
  expect((await run('doctor')).status).toBe(4);
  expect(await ok('doctor --repair')).toMatch(/^leases\trepaired\tremoved 'refs\/gitstate\/leases\/S\/001'/);
});
