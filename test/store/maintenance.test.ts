import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { systemEnv } from '../../src/env.ts';
import { joinPacks } from '../../src/git/maintenance.ts';
import { openRepository } from '../../src/git/repository.ts';
import { commandFile, gitState, makeWorkplace } from '../support/cli.ts';
import { expectSound } from '../support/oracle.ts';
import {
  cloneRepository,
  repositoryAt,
  runGit,
  type TestRepository,
  userEnvironment,
} from '../support/repo.ts';
import { addFeatures, makeStore, openTestStore, testEnv } from '../support/store.ts';

const packDirectory = ({ path }: TestRepository) => join(path, '.git/objects/pack');
const packsOf = (repository: TestRepository) =>
  readdirSync(packDirectory(repository)).filter((name) => name.endsWith('.pack')).length;
const looseOf = ({ git }: TestRepository) => Number(/^count: (\d+)/m.exec(git('count-objects', '-v'))![1]);

/** Bytes of the packs in a directory. */
function packBytes(directory: string): number {
  const packs = readdirSync(directory).filter((name) => name.endsWith('.pack'));
  return packs.reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);
}

/** Files that look like loose objects to a glance at one folder. */
function pretendLoose({ path }: TestRepository, count: number): void {
  const folder = join(path, '.git/objects/17');
  mkdirSync(folder, { recursive: true });
  for (let at = 0; at < count; at += 1) writeFileSync(join(folder, at.toString(16).padStart(38, '0')), '');
}

const features = Array.from({ length: 24 }, (_, at) => `f${at}`);

async function makeFilledStore() {
  const made = await makeStore();
  await addFeatures(made.store, features);
  return made;
}

/** Writes batches that become a pack each. */
async function writeBatches(store: Awaited<ReturnType<typeof makeStore>>['store'], count: number) {
  for (let batch = 0; batch < count; batch += 1) {
    await Promise.all(features.map((feature) => store.update({ feature, data: { batch } })));
  }
}

test('loose objects and packs become few packs, and every ref and object is still there', async () => {
  const { repository, store } = await makeFilledStore();
  await store.close();
  for (let process = 0; process < 12; process += 1) {
    const other = await openTestStore(repository.path);
    await writeBatches(other, 2);
    await other.close();
  }
  const last = await openTestStore(repository.path);
  await last.note({ message: 'alone' });
  const before = repository.git('for-each-ref');
  const dangling = repository.gitWithInput('not yet referenced', 'hash-object', '-w', '--stdin');
  expect([packsOf(repository) > 10, looseOf(repository) > 0]).toEqual([true, true]);
  const { repaired } = await last.doctor({ maintain: true });
  expect(repaired.map(({ detail }) => detail)).toEqual([
    expect.stringMatching(/packs before, about \d|now$/),
  ]);
  expect([packsOf(repository) < 5, looseOf(repository)]).toEqual([true, 0]);
  expect(repository.git('for-each-ref')).toBe(before);
  // A writer may be about to name it.
  expect(repository.git('cat-file', '-p', dangling)).toBe('not yet referenced');
  expect(existsSync(join(repository.path, '.git/packed-refs'))).toBe(true);
  expect(repository.git('commit-graph', 'verify')).toBe('');
  await last.note({ message: 'goes on' });
  await expectSound(repository);
});

test('a walk for one file reads the trees of hardly any other commit', async () => {
  const { repository, store } = await makeFilledStore();
  await writeBatches(store, 8);
  await store.doctor({ maintain: true });
  const file = repository.git('ls-tree', '-r', '--name-only', 'gitstate').match(/^.*\/f7\.json$/m)![0];
  const trace = join(repository.path, 'trace');
  const args = ['rev-list', '--first-parent', 'gitstate', '--', file];
  const found = runGit(repository.path, args, { env: { GIT_TRACE2_EVENT: trace } }).split('\n');
  const filter = /"filter_not_present":(\d+),"maybe":(\d+),"definitely_not":(\d+)/.exec(
    readFileSync(trace, 'utf8').replaceAll('\\', ''),
  )!;
  const [missing, looked, spared] = filter.slice(1).map(Number) as [number, number, number];
  expect(found).toHaveLength(9);
  expect(missing).toBe(0);
  expect(looked).toBeLessThan(found.length + 20);
  expect(spared).toBeGreaterThan(150);
  expect((await store.blame({ feature: 'f7' })).fields.length).toBeGreaterThan(0);
});

test.each([
  ['batches become as small as Git makes them', undefined],
  ['packs that are large are joined as they are', 0],
])('%s', async (_, freshMax) => {
  const { repository, store } = await makeFilledStore();
  // It does not shrink by itself, only beside another file that holds it.
  const text = randomBytes(1500).toString('base64');
  for (let batch = 0; batch < 3; batch += 1) {
    await Promise.all(
      Array.from({ length: 120 }, (_, at) =>
        store.update({ feature: `f${at % 24}`, data: { batch, at, text } }),
      ),
    );
  }
  const opened = await openRepository({ cwd: repository.path, variables: process.env });
  expect(await joinPacks(opened, freshMax === undefined ? {} : { freshMax })).toBeNull();
  const least = cloneRepository(`file://${repository.path}`, '--bare');
  least.git('repack', '-adfq', '--depth=250', '--window=250');
  const share = packBytes(packDirectory(repository)) / packBytes(join(least.path, 'objects/pack'));
  expect(packsOf(repository)).toBeLessThan(3);
  if (freshMax === undefined) expect(share).toBeLessThan(1.15);
  else expect(share).toBeGreaterThan(1.15);
  await expectSound(repository);
});

test('packs of others that are kept stay; ours go once no gc runs', async () => {
  const { repository, store } = await makeStore();
  await store.close();
  repository.git('repack', '-d', '-q');
  const [name] = readdirSync(packDirectory(repository)).filter((file) => file.endsWith('.pack'));
  const keep = join(packDirectory(repository), name!.replace('.pack', '.keep'));
  const again = await openTestStore(repository.path);
  writeFileSync(keep, 'mine\n');
  await again.doctor({ maintain: true });
  expect(existsSync(keep)).toBe(true);
  writeFileSync(keep, 'written beside a running gc\n');
  const { pid } = systemEnv().identity;
  writeFileSync(join(repository.path, '.git/gc.pid'), `${pid} host`);
  expect((await again.doctor({ maintain: true })).repaired.at(-1)?.detail).toMatch(/gc/);
  expect(existsSync(keep)).toBe(true);
  writeFileSync(join(repository.path, '.git/gc.pid'), '999999999 host');
  await again.doctor({ maintain: true });
  expect(existsSync(keep)).toBe(false);
});

test('what is written beside a git gc stands in a pack that the gc does not know', async () => {
  const { repository, store } = await makeStore();
  await store.note({ message: 'first' });
  const before = readdirSync(packDirectory(repository));
  const collector = spawn('sleep', ['60']);
  writeFileSync(join(repository.path, '.git/gc.pid'), `${collector.pid} host`);
  // A single commit: a pack of the same content would have the same name.
  const { commit } = await store.note({ message: 'second' });
  const names = readdirSync(packDirectory(repository)).filter((name) => !before.includes(name));
  const kept = names.filter((name) => name.endsWith('.keep')).map((name) => name.replace('.keep', ''));
  expect(kept).toHaveLength(1);
  for (const name of names.filter((file) => !file.startsWith(kept[0]!))) {
    rmSync(join(packDirectory(repository), name));
  }
  expect(names.length).toBeGreaterThan(3);
  expect(repository.git('cat-file', '-t', commit!)).toBe('commit');
  collector.kill();
});

test('the packs of a clone that borrows objects are left alone, and doctor says so', async () => {
  const { repository, store } = await makeStore();
  await store.close();
  const borrowing = cloneRepository(repository.path, '--shared');
  borrowing.git('fetch', '-q', 'origin', 'gitstate:gitstate');
  const other = await openTestStore(borrowing.path);
  await other.note({ message: 'x' });
  const loose = looseOf(borrowing);
  await other.doctor({ maintain: true });
  expect(looseOf(borrowing)).toBe(loose);
  const { checks } = await other.doctor();
  expect(checks.find(({ name }) => name === 'maintenance')).toMatchObject({ ok: true, detail: /borrows/ });
});

test('starts by itself in the background when it is due, and not where it is turned off', async () => {
  const { repository, ok } = await makeWorkplace();
  const stamp = join(repository.path, '.git/gitstate/maintenance/left');
  await ok('add a');
  expect(existsSync(stamp)).toBe(false);
  pretendLoose(repository, 20);
  for (const [key, value] of [
    ['gitstate.maintenance', 'false'],
    ['gc.auto', '0'],
    ['maintenance.auto', 'false'],
  ] as const) {
    repository.git('config', key, value);
    await ok('note x');
    repository.git('config', '--unset', key);
  }
  await delay(300);
  expect(existsSync(stamp)).toBe(false);
  // Git's own setting is the user's word unless ours says otherwise.
  repository.git('config', 'gc.auto', '0');
  const { stdout, status } = await gitState(['doctor'], { cwd: repository.path });
  expect([status, stdout]).toEqual([4, expect.stringMatching(/maintenance\tattention\tdue/)]);
  repository.git('config', 'gitstate.maintenance', 'true');
  await ok('note y');
  await expect.poll(() => existsSync(stamp), { timeout: 20_000, interval: 50 }).toBe(true);
  const { mtimeMs } = statSync(stamp);
  await expect
    .poll(() => existsSync(join(repository.path, '.git/gitstate/maintenance/lock')), { timeout: 20_000 })
    .toBe(false);
  // What could not be joined is not tried again with every write.
  const first = statSync(stamp).mtimeMs;
  await ok('note z');
  await delay(500);
  expect(statSync(stamp).mtimeMs).toBe(first);
  expect(first).toBeGreaterThanOrEqual(mtimeMs);
});

test('a process that writes batch after batch does not leave more than some fifty packs', async () => {
  const { repository, store } = await makeFilledStore();
  await store.close();
  const { background } = systemEnv(commandFile);
  const writer = await openTestStore(
    repository.path,
    { session: 's' },
    { ...testEnv(), background: background! },
  );
  // It looks with every sixteenth write.
  await writeBatches(writer, 50 + 16);
  await expect.poll(() => packsOf(repository), { timeout: 30_000, interval: 100 }).toBeLessThan(20);
  await expectSound(repository);
}, 60_000);

test('writers beside maintenance and git gc in loops lose nothing', async () => {
  const { repository, store } = await makeFilledStore();
  let running = true;
  const loop = async (program: string, args: string[]) => {
    let runs = 0;
    while (running) {
      await new Promise((resolve) =>
        spawn(program, args, { cwd: repository.path, env: userEnvironment, stdio: 'ignore' })
          .on('error', resolve)
          .on('close', resolve),
      );
      runs += 1;
    }
    return runs;
  };
  const loops = [
    loop(process.execPath, [commandFile, 'doctor', '--maintain']),
    loop('git', ['gc', '--quiet', '--prune=2.weeks.ago']),
  ];
  const others = await Promise.all([1, 2].map(() => openTestStore(repositoryAt(repository.path).path)));
  const notes = 15;
  await Promise.all([
    ...others.map(async (other, worker) => {
      for (let at = 0; at < notes; at += 1) await other.note({ message: `${worker} ${at}` });
    }),
    writeBatches(store, 20),
  ]).finally(() => {
    running = false;
  });
  const [maintained, collected] = await Promise.all(loops);
  expect([maintained! > 1, collected! > 1]).toEqual([true, true]);
  const told: string[] = [];
  for await (const { subject } of store.log({ op: 'note.add' })) told.push(subject);
  expect(told.sort()).toEqual(
    others.flatMap((_, worker) => Array.from({ length: notes }, (__, at) => `note: ${worker} ${at}`)).sort(),
  );
  expect((await store.verify({ full: true })).ok).toBe(true);
  await expectSound(repository);
}, 120_000);
