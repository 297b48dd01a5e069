import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { GitStateError } from '../../src/errors.ts';
import type { Store } from '../../src/store/open.ts';
import { expectSound } from '../support/oracle.ts';
import { cloneRepository, repositoryAt, type TestRepository, temporaryDirectory } from '../support/repo.ts';
import { addFeatures, codeOf, makeStore, openTestStore } from '../support/store.ts';

const tipOf = (repository: TestRepository) => repository.git('rev-parse', 'gitstate');
const refusalOf = (promise: Promise<unknown>): Promise<GitStateError> =>
  promise.then(
    () => null,
    (error) => error,
  ) as never;
const failed = (checks: { name: string; ok: boolean }[]) =>
  checks.filter(({ ok }) => !ok).map(({ name }) => name);

/** Answers that show the whole state. */
async function answersOf(store: Store) {
  const { features } = await store.list({ session: 's' });
  const { checkpoints } = await store.checkpointList({ session: 's' });
  return { features, checkpoints, session: await store.sessionShow({ session: 's' }) };
}

async function small(): Promise<{ repository: TestRepository; store: Store }> {
  const { repository, store } = await makeStore({ steps: ['plan'] });
  await addFeatures(store, ['1', '2']);
  const { token } = await store.claim({ worker: 'W1' });
  await store.checkpointCreate({ name: 'half' });
  await store.complete({ feature: '1', token: token!, skipRemaining: true });
  await store.note({ message: 'last' });
  await store.close();
  unpack(repository);
  return { repository, store };
}

/** Makes a file of each object, so that each can be damaged by itself. */
function unpack(repository: TestRepository): void {
  const packs = join(repository.path, '.git/objects/pack');
  const aside = temporaryDirectory();
  for (const name of readdirSync(packs)) renameSync(join(packs, name), join(aside, name));
  for (const name of readdirSync(aside).filter((file) => file.endsWith('.pack'))) {
    execFileSync('git', ['unpack-objects', '-q'], {
      cwd: repository.path,
      input: readFileSync(join(aside, name)),
    });
  }
}

function copyOf(repository: TestRepository): TestRepository {
  const path = join(temporaryDirectory(), 'copy');
  cpSync(repository.path, path, { recursive: true });
  rmSync(join(path, '.git/gitstate/cache'), { recursive: true, force: true });
  return repositoryAt(path);
}

const damages = {
  deleted: () => null,
  empty: () => Buffer.alloc(0),
  truncated: (bytes: Buffer) => bytes.subarray(0, Math.floor(bytes.length / 2)),
  flipped: (bytes: Buffer) => {
    const copy = Buffer.from(bytes);
    copy[Math.floor(copy.length / 2)]! ^= 0x10;
    return copy;
  },
};

function harm(repository: TestRepository, oid: string, how: keyof typeof damages): void {
  const path = join(repository.path, '.git/objects', oid.slice(0, 2), oid.slice(2));
  const bytes = damages[how](readFileSync(path));
  chmodSync(path, 0o644);
  if (bytes === null) rmSync(path);
  else writeFileSync(path, bytes);
}

const stateObjects = (repository: TestRepository) =>
  repository.git('rev-list', '--objects', '--no-object-names', 'gitstate').split('\n');

test('whatever object is damaged, an answer is right or names it, nothing is written on top, and repair heals', async () => {
  const { repository } = await small();
  const right = await answersOf(await openTestStore(repository.path));
  const kinds = Object.keys(damages) as (keyof typeof damages)[];
  const seen = { right: 0, refused: 0 };
  const present = new Set([
    tipOf(repository),
    ...repository.git('ls-tree', '-r', '-t', '--format=%(objectname)', 'gitstate').split('\n'),
    repository.git('rev-parse', 'gitstate^{tree}'),
  ]);
  for (const [index, oid] of stateObjects(repository).entries()) {
    const copy = copyOf(repository);
    const how = kinds[index % kinds.length]!;
    const what = `${oid} ${how}`;
    harm(copy, oid, how);
    const store = await openTestStore(copy.path);
    const answer = await answersOf(store).catch((error: GitStateError) => error);
    if (answer instanceof Error) {
      seen.refused += 1;
      expect(answer, what).toMatchObject({ code: 'CORRUPT_STATE' });
      expect(JSON.stringify([answer.message, answer.details]), what).toContain(oid);
      expect(answer.hint, what).toBeTruthy();
      const before = readFileSync(join(copy.path, '.git/refs/heads/gitstate'), 'utf8');
      // What the present state does not stand on keeps nobody from going on.
      if (!present.has(oid)) continue;
      for (const write of [
        () => store.note({ message: 'x' }),
        () => store.init(),
        () => store.add({ feature: '9' }),
      ])
        expect(await codeOf(write()), what).toBe('CORRUPT_STATE');
      expect(readFileSync(join(copy.path, '.git/refs/heads/gitstate'), 'utf8'), what).toBe(before);
    } else {
      seen.right += 1;
      expect(answer, what).toEqual(right);
    }
    const verified = await store.verify({ full: true }).catch((error: GitStateError) => error);
    if (verified instanceof Error) expect(verified, what).toMatchObject({ code: 'CORRUPT_STATE' });
    else expect(verified.ok, what).toBe(false);
    const said = verified instanceof Error ? [verified.message, verified.details] : verified.problems;
    expect(JSON.stringify(said), what).toContain(oid);
    // Every second one: to mend takes longer than to notice.
    if (index % 2 === 1) continue;
    const { repaired } = await store.doctor({ repair: true });
    const fresh = await openTestStore(copy.path);
    expect(
      (await answersOf(fresh)).features.map(({ id }) => id),
      what,
    ).toEqual(['1', '2']);
    await fresh.note({ message: 'goes on' });
    expect(failed((await fresh.doctor()).checks), `${what} ${JSON.stringify(repaired)}`).toEqual([]);
    await fresh.close();
  }
  expect(seen.right).toBeGreaterThan(5);
  expect(seen.refused).toBeGreaterThan(5);
}, 120_000);

test('a file that is lost is made again from the operation that wrote it', async () => {
  const { repository } = await small();
  const right = await answersOf(await openTestStore(repository.path));
  const tip = tipOf(repository);
  const copy = copyOf(repository);
  const lost = copy.git('ls-tree', '-r', '-t', '--format=%(objectname)', 'gitstate', 'sessions/').split('\n');
  for (const oid of new Set(lost)) harm(copy, oid, 'deleted');
  const store = await openTestStore(copy.path);
  const { repaired } = await store.doctor({ repair: true });
  expect(repaired).toMatchObject([{ name: 'objects' }]);
  expect(await answersOf(store)).toEqual(right);
  expect(tipOf(copy)).toBe(tip);
  await expectSound(copy);
});

test('an older file that nobody reads is made again, too', async () => {
  const { repository } = await small();
  const path = repository
    .git('ls-tree', '-r', '--name-only', 'gitstate~4', 'sessions/s/features')
    .split('\n')[0]!;
  harm(repository, repository.git('rev-parse', `gitstate~4:${path}`), 'truncated');
  const store = await openTestStore(repository.path);
  expect((await store.verify({ full: true })).problems).toMatchObject([{ kind: 'object', fails: true }]);
  expect((await store.doctor({ repair: true })).repaired).toMatchObject([{ name: 'objects' }]);
  expect((await store.verify({ full: true })).ok).toBe(true);
  await expectSound(repository);
});

test('a cached state is not written upon where the newest commit is damaged', async () => {
  const { repository, store } = await makeStore();
  await addFeatures(store, ['1']);
  await store.close();
  unpack(repository);
  const tip = tipOf(repository);
  harm(repository, repository.git('rev-parse', 'gitstate^{tree}'), 'truncated');
  const fresh = await openTestStore(repository.path);
  expect(await codeOf(fresh.note({ message: 'x', session: 's' }))).toBe('CORRUPT_STATE');
  expect(tipOf(repository)).toBe(tip);
});

describe('a branch that was changed by hand', () => {
  test('to something that is no state is refused, and repair goes on in front of it', async () => {
    const { repository } = await small();
    const state = tipOf(repository);
    const right = await answersOf(await openTestStore(repository.path));
    const bad = repository.git('commit-tree', '-p', state, '-m', 'oops', 'main^{tree}');
    repository.git('update-ref', 'refs/heads/gitstate', bad);
    const store = await openTestStore(repository.path);
    expect(await refusalOf(store.list())).toMatchObject({ code: 'CORRUPT_STATE', exitStatus: 7 });
    expect(await codeOf(store.init())).toBe('CORRUPT_STATE');
    expect(await store.doctor()).toMatchObject({ damaged: true });
    const { repaired, checks } = await store.doctor({ repair: true });
    expect(repaired.map(({ name }) => name)).toEqual(['branch']);
    expect(failed(checks)).toEqual([]);
    expect(repository.git('rev-parse', 'gitstate~1')).toBe(bad);
    expect(await answersOf(store)).toEqual(right);
    const verification = await store.verify({ full: true });
    expect(verification).toMatchObject({ ok: true, repairs: 1 });
    expect(verification.problems.at(-1)).toMatchObject({
      commit: bad,
      fails: false,
      repaired_by: tipOf(repository),
    });
    expect(repository.git('log', '-1', '--format=%s', 'gitstate')).toBe(`repair to ${state.slice(0, 12)}`);
    await store.note({ message: 'goes on' });
    expect((await store.doctor({ repair: true })).repaired).toEqual([]);
  });

  test('back to an older commit is not followed: what was acknowledged stays', async () => {
    const { repository } = await small();
    const state = tipOf(repository);
    for (const to of ['gitstate~2', 'main']) {
      repository.git('branch', '-f', 'gitstate', to);
      const moved = tipOf(repository);
      const store = await openTestStore(repository.path);
      const refusal = await refusalOf(store.note({ message: 'x', session: 's' }));
      expect(refusal).toMatchObject({ code: 'CORRUPT_STATE', details: { tip: moved } });
      expect(tipOf(repository)).toBe(moved);
      const { repaired, checks } = await store.doctor({ repair: true });
      expect(repaired[0]).toMatchObject({ name: 'branch' });
      expect(failed(checks)).toEqual([]);
      expect(repository.git('merge-base', 'gitstate', state)).toBe(state);
      expect(repository.git('rev-parse', `refs/gitstate/damaged/${moved.slice(0, 12)}`)).toBe(moved);
      expect((await store.list()).features.map(({ status }) => status)).toEqual(['completed', 'pending']);
      expect((await store.verify()).ok).toBe(true);
    }
  });

  test("away and back again is no damage, nor is taking a bad commit of one's own away", async () => {
    const { repository } = await small();
    const state = tipOf(repository);
    repository.git('branch', '-f', 'gitstate', 'gitstate~1');
    repository.git('branch', '-f', 'gitstate', state);
    repository.git(
      'branch',
      '-f',
      'gitstate',
      repository.git('commit-tree', '-p', state, '-m', 'x', 'main^{tree}'),
    );
    repository.git('branch', '-f', 'gitstate', state);
    const store = await openTestStore(repository.path);
    expect(await store.note({ message: 'fine', session: 's' })).toMatchObject({ changed: true });
  });

  test('until it is gone: no second root is made, and repair finds the newest commit', async () => {
    const { repository } = await small();
    const state = tipOf(repository);
    repository.git('branch', '-D', 'gitstate');
    for (const forget of [
      () => {},
      () => rmSync(join(repository.path, '.git/gitstate'), { recursive: true }),
    ]) {
      forget();
      const store = await openTestStore(repository.path);
      const refusal = await refusalOf(store.init());
      expect(refusal).toMatchObject({ code: 'CORRUPT_STATE', hint: 'git state doctor --repair' });
      expect(refusal.message).toContain('is gone');
      expect(await codeOf(store.list())).toBe('CORRUPT_STATE');
      expect(await codeOf(store.add({ feature: 'x', session: 's' }))).toBe('CORRUPT_STATE');
      expect(repository.git('for-each-ref', 'refs/heads/gitstate')).toBe('');
    }
    const store = await openTestStore(repository.path);
    const { repaired, checks } = await store.doctor({ repair: true });
    expect(repaired.map(({ name }) => name)).toEqual(['branch']);
    expect(failed(checks)).toEqual([]);
    expect(repository.git('rev-parse', 'gitstate~1')).toBe(state);
    expect((await store.verify()).ok).toBe(true);
  });

  test('gone with nothing but a lease left, and another store beside it', async () => {
    const { repository, store } = await makeStore();
    await addFeatures(store, ['1']);
    await store.claim({ worker: 'W1' });
    await store.close();
    repository.git('branch', 'elsewhere', 'gitstate');
    repository.git('branch', '-D', 'gitstate');
    rmSync(join(repository.path, '.git/gitstate'), { recursive: true });
    // The branch has another name now: that is somebody's choice.
    expect(await codeOf((await openTestStore(repository.path)).list())).toBe('NOT_INITIALIZED');
    repository.git('branch', '-D', 'elsewhere');
    expect(await codeOf((await openTestStore(repository.path)).init())).toBe('CORRUPT_STATE');
  });

  test.each([
    ['empty', ''],
    ['no object id', 'garbage\n'],
    ['the id of no object', `${'1234567890'.repeat(4)}\n`],
  ])('a ref file that is %s', async (_, text) => {
    const { repository } = await small();
    const state = tipOf(repository);
    writeFileSync(join(repository.path, '.git/refs/heads/gitstate'), text);
    const store = await openTestStore(repository.path);
    expect(await codeOf(store.list())).toBe('CORRUPT_STATE');
    expect(await codeOf(store.init())).toBe('CORRUPT_STATE');
    expect(readFileSync(join(repository.path, '.git/refs/heads/gitstate'), 'utf8')).toBe(text);
    const { checks } = await store.doctor({ repair: true });
    expect(failed(checks)).toEqual([]);
    expect(repository.git('rev-parse', 'gitstate~1')).toBe(state);
    expect((await store.verify()).ok).toBe(true);
  });
});

test('a commit that is lost: the store goes on behind the gap, with a root that tells of it', async () => {
  const { repository } = await small();
  const right = await answersOf(await openTestStore(repository.path));
  const copy = copyOf(repository);
  const [tip, gap] = [tipOf(copy), copy.git('rev-parse', 'gitstate~3')];
  harm(copy, gap, 'deleted');
  const store = await openTestStore(copy.path);
  const { repaired, checks } = await store.doctor({ repair: true });
  expect(repaired[0]).toMatchObject({ name: 'branch' });
  expect(repaired[0]!.detail).toContain(gap);
  expect(failed(checks)).toEqual([]);
  expect(copy.git('rev-list', '--count', 'gitstate')).toBe('1');
  expect(copy.git('rev-parse', `refs/gitstate/damaged/${tip.slice(0, 12)}`)).toBe(tip);
  const now = await answersOf(store);
  expect(now.features).toEqual(right.features);
  expect(now.checkpoints.map(({ commit }) => commit)).toEqual(right.checkpoints.map(({ commit }) => commit));
  expect(await store.verify({ full: true })).toMatchObject({ ok: true, repairs: 1, complete: true });
});

test('leases of no claim go, lost ones and tags are made again, to the byte', async () => {
  const { repository, store } = await makeStore();
  await addFeatures(store, ['1', '2']);
  await store.claim({ worker: 'W1' });
  await store.checkpointCreate({ name: 'half', data: { n: 1 } });
  await store.checkpointCreate({ name: 'old', at: 'gitstate~2' });
  await store.note({ message: 'later' });
  const refs = () =>
    repository.git(
      'for-each-ref',
      '--format=%(refname) %(objectname)',
      'refs/tags',
      'refs/gitstate/checkpoints',
    );
  const before = refs();
  const lease = repository.git('rev-parse', 'refs/gitstate/leases/s/1');
  repository.git('update-ref', 'refs/gitstate/leases/s/2', lease);
  repository.git('update-ref', 'refs/gitstate/leases/other/2', lease);
  repository.git('update-ref', '-d', 'refs/gitstate/leases/s/1');
  repository.git('update-ref', '-d', 'refs/tags/gitstate/s/half');
  repository.git('update-ref', 'refs/gitstate/checkpoints/s/old', 'main');
  repository.git('update-ref', '-d', 'refs/tags/gitstate/s/old');
  expect(failed((await store.doctor()).checks)).toEqual(['leases', 'checkpoints']);
  const { repaired, checks } = await store.doctor({ repair: true });
  expect(repaired.map(({ name }) => name)).toEqual([
    'leases',
    'leases',
    'checkpoints',
    'checkpoints',
    'checkpoints',
  ]);
  expect(failed(checks)).toEqual([]);
  expect(refs()).toBe(before);
  const leases = repository.git('for-each-ref', '--format=%(refname)', 'refs/gitstate/leases').split('\n');
  // What may belong to another store stays.
  expect(leases).toEqual(['refs/gitstate/leases/other/2', 'refs/gitstate/leases/s/1']);
  expect(await store.claimCheck({ feature: '1', worker: 'W1' })).toMatchObject({ feature: '1' });
  for (const ref of refs().split('\n')) repository.git('update-ref', '-d', ref.split(' ')[0]!);
  await store.doctor({ repair: true });
  expect(refs()).toBe(before);
});

test('a damaged cache is named, changes no answer, and is removed', async () => {
  const { repository } = await small();
  const cache = join(repository.path, '.git/gitstate/cache');
  const file = join(cache, readdirSync(cache).find((name) => name.startsWith('state-'))!);
  writeFileSync(file, readFileSync(file, 'utf8').slice(0, 300));
  const store = await openTestStore(repository.path);
  expect(failed((await store.doctor()).checks)).toEqual(['cache']);
  expect((await store.doctor({ repair: true })).repaired).toMatchObject([{ name: 'cache' }]);
  expect(existsSync(cache)).toBe(false);
  symlinkSync('/tmp', cache);
  const linked = await openTestStore(repository.path);
  expect((await linked.doctor({ repair: true })).repaired).toMatchObject([{ name: 'cache' }]);
  expect(existsSync('/tmp')).toBe(true);
});

test('a branch whose remote still has it is not taken for gone', async () => {
  const { repository } = await small();
  const clone = cloneRepository(repository.path);
  const store = await openTestStore(clone.path);
  expect(failed((await store.doctor({ repair: true })).checks)).toEqual([]);
  expect((await store.list()).features).toHaveLength(2);
});
