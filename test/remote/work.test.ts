import { writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { linesOf, only, until, work } from '../runner/support.ts';
import { type Clone, cloneOf, makeShared } from '../support/clones.ts';
import { expectSound } from '../support/oracle.ts';
import { type TestRepository, temporaryDirectory } from '../support/repo.ts';

/** The runner, where a server decides. */

const subjects = ({ git }: TestRepository) => git('log', '--format=%s', 'gitstate').split('\n').reverse();

async function withSteps(features: readonly string[]): Promise<Clone & { server: TestRepository }> {
  const shared = await makeShared();
  await shared.store.planLoad({ features: features.map((id) => ({ id, steps: ['plan', 'build'] })) });
  shared.network();
  return shared;
}

test('runners of two clones share a list, and each feature is done once', async () => {
  const one = await withSteps(['1', '2', '3', '4', '5', '6']);
  const two = await cloneOf(one.server.path);
  const done = `${temporaryDirectory()}/done`;
  const options = { session: 's', workers: 2, perStep: true };
  const runs = await Promise.all(
    [one, two].map(({ store }) =>
      work({ store, ...options }, 'echo "$GITSTATE_FEATURE $GITSTATE_STEP" >> "$1"', done),
    ),
  );
  expect(runs.map(({ summary }) => summary.exit_status)).toEqual([0, 0]);
  expect(linesOf(done).sort()).toEqual(
    ['1', '2', '3', '4', '5', '6'].flatMap((id) => [`${id} build`, `${id} plan`]),
  );
  expect(runs.flatMap(({ summary }) => summary.completed).sort()).toEqual(['1', '2', '3', '4', '5', '6']);
  expect(one.server.git('for-each-ref', 'refs/gitstate/leases')).toBe('');
  await one.store.sync();
  expect((await one.store.status()).progress.completed).toBe(6);
  await expectSound(one.repository);
});

test('steps wait for the push that completes, and nothing waits at the end', async () => {
  const { store, server, repository, network } = await withSteps(['1']);
  const { events } = await work({ store, session: 's', perStep: true }, ':');
  expect(only(events, 'step_done')).toHaveLength(2);
  // One for the claim, one for the lease that names each command, one for the completion; none for the steps.
  const pushes = network().filter((name) => name === 'push');
  expect(pushes.length).toBeLessThanOrEqual(6);
  expect(subjects(server).slice(-4)).toEqual([
    'claim 1 for W1',
    'finish step plan of 1',
    'finish step build of 1',
    'complete 1',
  ]);
  expect(server.git('rev-parse', 'gitstate')).toBe(repository.git('rev-parse', 'gitstate'));
});

test('a claim that was taken over elsewhere meanwhile is lost, and nothing of it is written over', async () => {
  const one = await withSteps(['1']);
  const two = await cloneOf(one.server.path);
  const flag = `${temporaryDirectory()}/flag`;
  const running = work(
    { store: one.store, session: 's', perStep: true },
    'echo x >> "$1"; [ "$GITSTATE_STEP" = plan ] || while [ ! -e "$1.go" ]; do sleep 0.05; done',
    flag,
  );
  await until('the second step', () => linesOf(flag).length === 2);
  await two.store.claim({ session: 's', feature: '1', worker: 'other', force: true });
  await two.store.complete({ session: 's', feature: '1', worker: 'other', skipRemaining: true });
  writeFileSync(`${flag}.go`, '');
  const { events, summary } = await running;
  expect(only(events, 'lost')).toHaveLength(1);
  expect(summary.completed).toEqual([]);
  expect(one.server.git('log', '--format=%s', 'gitstate').split('\n')[0]).toBe('complete 1');
  await one.store.sync();
  expect(one.server.git('rev-parse', 'gitstate')).toBe(one.repository.git('rev-parse', 'gitstate'));
});
