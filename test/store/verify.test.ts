import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Engine } from '../../src/store/engine.ts';
import type { Store } from '../../src/store/open.ts';
import { cloneRepository, type TestRepository, temporaryDirectory } from '../support/repo.ts';
import { commitsIn, forged, publishByHand, type RawCommit, rehung } from '../support/rewritten.ts';
import { addFeatures, codeOf, makeStore, openTestStore, testEnv } from '../support/store.ts';

/** A history with a bit of everything. */
async function worked(): Promise<{
  repository: TestRepository;
  store: Store;
  commits: RawCommit[];
  engine: Engine;
}> {
  const { repository, store } = await makeStore({ steps: ['plan', 'build'] });
  await addFeatures(store, ['1', '2']);
  const { token } = await store.claim({ worker: 'W1' });
  await store.stepDone({ feature: '1', step: 'plan', token: token! });
  await store.checkpointCreate({ name: 'half' });
  await store.note({ message: 'one' });
  await store.note({ message: 'two' });
  await store.complete({ feature: '1', token: token!, skipRemaining: true });
  await store.restore({ point: 'half' });
  await store.costAdd({ feature: '2', amount: 0.1 });
  const engine = await Engine.open({ cwd: repository.path, env: testEnv() });
  const commits = await commitsIn(engine.reader, repository);
  await engine.close();
  return { repository, store, commits, engine };
}

const tipOf = (repository: TestRepository) => repository.git('rev-parse', 'gitstate');
const failing = ({ problems }: Awaited<ReturnType<Store['verify']>>) =>
  problems.filter(({ fails }) => fails).map(({ kind, commit }) => ({ kind, commit }));

test('a history that gitstate made is verified back to its root, and from then on only what is new', async () => {
  const { repository, store, commits } = await worked();
  const first = await store.verify();
  expect(first).toMatchObject({ ok: true, complete: true, from: null, problems: [], restores: 1, manual: 0 });
  expect(first.commits).toBe(commits.length);
  const tip = tipOf(repository);
  await store.note({ message: 'three' });
  expect(await store.verify()).toMatchObject({ ok: true, commits: 1, from: tip, complete: true });
  const fresh = await openTestStore(repository.path);
  expect(await fresh.verify()).toMatchObject({ ok: true, commits: 0, complete: true });
  expect((await fresh.verify({ full: true })).commits).toBe(commits.length + 1);
});

test('what was verified before is believed only where it lies in the history', async () => {
  const { repository, store, commits } = await worked();
  await store.verify();
  const notes = commits.filter(({ message }) => message.startsWith('note: one'));
  const at = commits.indexOf(notes[0]!);
  const behind = rehung(commits.slice(at + 1), commits[at - 1]!.oid);
  await publishByHand(repository, behind, behind.at(-1)!.oid);
  const fresh = await openTestStore(repository.path);
  expect((await fresh.verify()).commits).toBe(commits.length - 1);
  const cache = join(repository.path, '.git/gitstate/cache');
  const { readdirSync } = await import('node:fs');
  const name = readdirSync(cache).find((file) => file.startsWith('verified-'))!;
  for (const text of [
    '',
    'gitstate-verified-1 x y\n',
    readFileSync(join(cache, name), 'latin1').replace(/ .{8}/, ' 00000000'),
  ]) {
    writeFileSync(join(cache, name), text);
    expect((await fresh.verify()).commits).toBe(commits.length - 1);
  }
});

test('a range begins behind its first point', async () => {
  const { store, commits } = await worked();
  const at = (index: number) => commits.at(index)!.oid;
  expect(await store.verify({ range: `${at(-4)}..${at(-2)}` })).toMatchObject({
    commits: 2,
    from: at(-4),
    to: at(-2),
  });
  expect(await store.verify({ range: 'half..' })).toMatchObject({ ok: true, complete: false });
  expect(await store.verify({ range: 'gitstate~2' })).toMatchObject({
    commits: commits.length - 2,
    to: at(-3),
  });
  expect(await codeOf(store.verify({ range: `${at(-1)}..${at(-3)}` }))).toBe('INVALID_INPUT');
  expect(await codeOf(store.verify({ range: 'nowhere..' }))).toBe('CHECKPOINT_NOT_FOUND');
});

test('a commit left out of the middle, two in the other order, and one that stands twice are named', async () => {
  const { repository, store, commits } = await worked();
  const at = commits.findIndex(({ message }) => message.startsWith('note: one'));
  const [one, two] = [commits[at]!, commits[at + 1]!];
  const rest = commits.slice(at + 2);
  const onto = (first: RawCommit[], parent: string) => {
    // As `git rebase` would: nothing but the parents changes.
    let last = parent;
    return first.map((commit) => {
      const text = commit.body.toString().replace(/^parent .*$/m, `parent ${last}`);
      last = repository.gitWithInput(text, 'hash-object', '-t', 'commit', '-w', '--stdin');
      return last;
    });
  };
  for (const order of [
    [two, ...rest],
    [two, one, ...rest],
    [one, one, two, ...rest],
  ]) {
    const made = onto(order, commits[at - 1]!.oid);
    repository.git('update-ref', 'refs/heads/gitstate', made.at(-1)!);
    const { ok, problems } = await (await openTestStore(repository.path)).verify();
    expect(ok).toBe(false);
    // One that stands where it stood has not changed.
    const first = order[0] === one ? made[1] : made[0];
    expect(problems[0]).toMatchObject({ commit: first, kind: 'digest', fails: true });
  }
  // Whoever makes the digests anew still cannot repeat an operation.
  const twice = rehung([one, one, two, ...rest], commits[at - 1]!.oid);
  await publishByHand(repository, twice, twice.at(-1)!.oid);
  expect(failing(await store.verify())).toEqual([{ kind: 'operation', commit: twice[1]!.oid }]);
});

test('a merge, a second root, an operation that was not possible, a tree of another commit', async () => {
  const { repository, commits } = await worked();
  const tip = commits.at(-1)!;
  const verifyAt = async (object: ReturnType<typeof forged>) => {
    await publishByHand(repository, [object], object.oid);
    return failing(await (await openTestStore(repository.path)).verify());
  };
  const merge = forged(tip, { parents: [commits.at(-2)!.oid, commits.at(-3)!.oid] });
  expect(await verifyAt(merge)).toContainEqual({ kind: 'merge', commit: merge.oid });
  const second = forged(tip, { parents: [] });
  expect(await verifyAt(second)).toContainEqual({ kind: 'operation', commit: second.oid });
  const claim = commits.find(({ message }) => message.startsWith('claim'))!;
  const late = forged(
    { ...claim, tree: tip.tree },
    { parents: [tip.oid], author: tip.author, committer: tip.committer },
  );
  expect(await verifyAt(late)).toContainEqual({ kind: 'operation', commit: late.oid });
  const other = forged(tip, { tree: commits[3]!.tree });
  expect(await verifyAt(other)).toEqual([{ kind: 'tree', commit: other.oid }]);
});

test('the files in which a tree is not what the operation makes are named', async () => {
  const { repository, store } = await makeStore();
  await addFeatures(store, ['1']);
  const path = repository.git('ls-tree', '-r', '--name-only', 'gitstate', 'sessions/s/features/');
  const work = join(temporaryDirectory(), 'state');
  repository.git('worktree', 'add', '-q', work, 'gitstate');
  writeFileSync(
    join(work, path),
    readFileSync(join(work, path), 'utf8').replace('"name": "1"', '"name": "2"'),
  );
  const message = repository.git('log', '-1', '--format=%B', 'gitstate');
  repository.git('-C', work, 'commit', '-qam', message, '--amend');
  const { problems } = await store.verify();
  expect(problems.find(({ kind }) => kind === 'tree')).toMatchObject({
    fails: true,
    paths: [path],
    commit: tipOf(repository),
  });
});

test('a commit made by hand is accepted and named; what it takes back is told', async () => {
  const { repository, store } = await makeStore();
  await addFeatures(store, ['1', '2']);
  const work = join(temporaryDirectory(), 'state');
  repository.git('worktree', 'add', '-q', work, 'gitstate');
  const file = join(work, 'sessions/s/session.json');
  const edited = readFileSync(file, 'utf8').replace('"name": "s"', '"name": "by hand"');
  writeFileSync(file, edited);
  repository.git('-C', work, 'commit', '-qam', 'edit by hand');
  const first = await store.verify();
  expect(first).toMatchObject({
    ok: true,
    manual: 1,
    problems: [{ kind: 'foreign', fails: false, subject: 'edit by hand' }],
  });
  await store.update({ feature: '1', name: 'new' });
  repository.git('-C', work, 'rm', '-q', '--cached', '-r', 'sessions/s/features');
  repository.git('-C', work, 'commit', '-qm', 'stale checkout');
  const { ok, problems, manual } = await store.verify({ full: true });
  expect({ ok, manual }).toEqual({ ok: true, manual: 2 });
  expect(problems[1]).toMatchObject({
    kind: 'takes_back',
    subject: 'stale checkout',
    commit: tipOf(repository),
  });
  expect(problems[1]!.paths).toHaveLength(2);
  expect(await store.verify({ strict: true })).toMatchObject({ ok: false });
  // What was tolerated is said again the next time, which begins in front of it.
  expect(await store.verify()).toMatchObject({ commits: 3, problems: [{}, {}] });
  await store.note({ message: 'goes on' });
  expect((await store.verify()).ok).toBe(true);
});

test('a commit that claims to be of gitstate must be so to the byte', async () => {
  const { repository, store } = await makeStore();
  await addFeatures(store, ['1']);
  const tip = tipOf(repository);
  for (const message of [
    'edit\n\ngitstate-note: x',
    repository.git('log', '-1', '--format=%B').concat('\n\ngitstate-op: x'),
  ]) {
    const oid = repository.git('commit-tree', '-p', tip, '-m', message, 'gitstate^{tree}');
    repository.git('update-ref', 'refs/heads/gitstate', oid);
    expect(failing(await store.verify())).toEqual([{ kind: 'message', commit: oid }]);
  }
  const invalid = repository.git('commit-tree', '-p', tip, '-m', 'by hand', 'main^{tree}');
  repository.git('update-ref', 'refs/heads/gitstate', invalid);
  expect((await store.verify()).problems.map(({ kind }) => kind)).toContain('state');
});

test('a shallow clone is verified back to its edge, and says so', async () => {
  const { repository, commits } = await worked();
  const clone = cloneRepository(
    `file://${repository.path}`,
    '--depth',
    '6',
    '--branch',
    'gitstate',
    '--no-checkout',
  );
  const store = await openTestStore(clone.path);
  const edge = commits.at(-6)!.oid;
  expect(await store.verify()).toMatchObject({ ok: true, complete: false, from: edge, commits: 5 });
});

test('a source that a shallow clone does not hold is no failure', async () => {
  const { repository } = await worked();
  const clone = cloneRepository(
    `file://${repository.path}`,
    '--depth',
    '3',
    '--branch',
    'gitstate',
    '--no-checkout',
  );
  const { ok, problems } = await (await openTestStore(clone.path)).verify();
  expect(ok).toBe(true);
  expect(problems.filter(({ kind }) => kind !== 'checkpoint')).toMatchObject([
    { kind: 'unchecked', fails: false },
  ]);
});

test('tags that are lost are noted, tags that were moved are failures', async () => {
  const { repository, store } = await worked();
  repository.git('tag', '-d', 'gitstate/s/half');
  expect(await store.verify({ full: true })).toMatchObject({
    ok: true,
    problems: [{ kind: 'checkpoint', fails: false }],
  });
  repository.git('update-ref', 'refs/tags/gitstate/s/half', 'main');
  expect(await store.verify()).toMatchObject({ ok: false, problems: [{ kind: 'checkpoint', fails: true }] });
  repository.git('update-ref', '-d', 'refs/tags/gitstate/s/half');
  repository.git('update-ref', '-d', 'refs/gitstate/checkpoints/s/half');
  expect((await store.verify()).problems).toHaveLength(2);
});

test('signatures are asked for where one wants them', async () => {
  const { store, commits } = await worked();
  const { ok, problems } = await store.verify({ full: true, signatures: true });
  expect(ok).toBe(false);
  expect(problems).toHaveLength(commits.length);
  expect(problems[0]).toMatchObject({ kind: 'signature', message: 'it has no signature' });
});
