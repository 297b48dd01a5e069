import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { schemaVersion } from '../../src/core/entities.ts';
import type { Contents } from '../../src/core/state.ts';
import { SnapshotCache } from '../../src/store/cache.ts';
import { Engine } from '../../src/store/engine.ts';
import type { Snapshot } from '../../src/store/snapshot.ts';
import type { Tree } from '../../src/store/tree.ts';
import { addFeatures, makeStore, openTestStore, testEnv } from '../support/store.ts';

/** All that a snapshot holds, in an order that does not depend on how it was read. */
function allOf({ commit, at, tree, state }: Snapshot) {
  const rows = (table: { entries(): Iterable<readonly [string, unknown]> }) => new Map(table.entries());
  const contents = [...state.contents.entries()].map(([key, tables]): [string, unknown] => [
    key,
    Object.fromEntries(Object.keys(tables).map((name) => [name, rows(tables[name as keyof Contents])])),
  ]);
  const { store, readme, presets, sessions } = state;
  const tables = { store, readme, presets: rows(presets), sessions: rows(sessions) };
  return { commit, at, tree: tree && filesOf(tree), ...tables, contents: new Map(contents) };
}

function filesOf({ oid, entries }: Tree): unknown {
  const rows = [...entries].map(([name, { oid: child, folder, tree }]): [string, unknown] => [
    name,
    [child, folder, tree && filesOf(tree)],
  ]);
  return [oid, new Map(rows)];
}

const branchRef = 'refs/heads/gitstate';

/** A store of some features whose cache holds them all, and `changes` made since. */
async function makeCached(changes: number) {
  const { repository } = await makeStore({ steps: ['a', 'b'] });
  const directory = join(repository.path, '.git/gitstate/cache');
  const change = async (action: (store: Awaited<ReturnType<typeof openTestStore>>) => Promise<unknown>) => {
    const store = await openTestStore(repository.path, { session: 's' });
    await action(store);
    await store.close();
  };
  await change((store) =>
    addFeatures(
      store,
      Array.from({ length: 150 }, (_, index) => `F${index}`),
    ),
  );
  for (const name of readdirSync(directory)) rmSync(join(directory, name));
  await change((store) => store.status());
  for (let count = 0; count < changes; count += 1) {
    await change((store) => store.claim({ feature: `F${count * 7}`, worker: `W${count}` }));
  }
  const fromGit = async (): Promise<Snapshot> => {
    const engine = await Engine.open({ cwd: repository.path, env: testEnv() });
    const tip = await engine.tip();
    const moved = directory;
    const names = readdirSync(moved).filter((name) => name.startsWith('state-'));
    const kept = names.map((name) => [name, readFileSync(join(moved, name))] as const);
    for (const name of names) rmSync(join(moved, name));
    const snapshot = await engine.at(tip, 'all');
    for (const [name, bytes] of kept) writeFileSync(join(moved, name), bytes);
    engine.reader.close();
    engine.refs.close();
    engine.mutex.close();
    return snapshot;
  };
  const read = () => new SnapshotCache(directory, branchRef, schemaVersion).read();
  const files = () => readdirSync(directory).filter((name) => name.startsWith('state-'));
  return { repository, directory, change, read, fromGit, files };
}

test('what is stored, with what was changed since, is what Git holds', async () => {
  const { read, fromGit, files, change } = await makeCached(3);
  expect(files()).toHaveLength(2);
  expect(allOf(read()!)).toEqual(allOf(await fromGit()));
  await change((store) => store.remove({ feature: 'F9' }));
  await change((store) => store.sessionStart({ session: 't', steps: ['x'] }));
  await change((store) => store.costAdd({ feature: 'F7', amount: 1.5, step: 'a' }));
  expect(allOf(read()!)).toEqual(allOf(await fromGit()));
});

test('an entity is found without the others, and those that are not there are not', async () => {
  const { read, fromGit } = await makeCached(2);
  const { features } = (await fromGit()).state.contents.get('s')!;
  for (const [key, feature] of features.entries()) {
    expect(read()!.state.contents.get('s')!.features.get(key)).toEqual(feature);
  }
  const stored = read()!.state.contents.get('s')!.features;
  for (const key of ['', 'f', 'f0a', 'zzz', 'constructor']) expect(stored.get(key)).toBeUndefined();
});

test('after many changes all is written anew', async () => {
  const { read, change, files, directory, fromGit } = await makeCached(1);
  const whole = join(directory, files().find((name) => !name.endsWith('-changes'))!);
  const before = readFileSync(whole);
  await change((store) =>
    addFeatures(
      store,
      Array.from({ length: 90 }, (_, index) => `G${index}`),
    ),
  );
  expect(readFileSync(whole).equals(before)).toBe(false);
  // The changes beside it were of the earlier one.
  expect(allOf(read()!)).toEqual(allOf(await fromGit()));
});

test('a bit that flipped anywhere, or an end that is missing, never gives another answer', async () => {
  const { read, directory, files } = await makeCached(2);
  const commits = new Set<string | null | undefined>();
  const truth = new Map<string | null, unknown>();
  for (const name of files()) {
    const path = join(directory, name);
    const bytes = readFileSync(path);
    for (const { commit } of [read()!]) truth.set(commit, allOf(read()!));
    for (let at = 0; at < bytes.length; at += Math.ceil(bytes.length / 60)) {
      const spoilt = Buffer.from(bytes);
      spoilt[at]! ^= 1 << (at % 7);
      for (const content of [spoilt, bytes.subarray(0, at)]) {
        writeFileSync(path, content);
        const found = read();
        commits.add(found?.commit);
        if (found && truth.has(found.commit)) expect(allOf(found)).toEqual(truth.get(found.commit));
      }
    }
    writeFileSync(path, bytes);
  }
  // Without its changes the whole is still good; without the whole there is nothing.
  expect(commits.size).toBe(2);
  expect(commits).toContain(undefined);
});

test('the next that is ready is the same with the lists of the cache as without', async () => {
  const { repository, change, directory, files } = await makeCached(2);
  await change((store) => store.update({ feature: 'F140', priority: 'P0' }));
  await change((store) => store.update({ feature: 'F141', priority: 'P1', phase: 2 }));
  const preview = async () => {
    const store = await openTestStore(repository.path, { session: 's' });
    const { features } = await store.ready();
    const taken = await store.claim({ worker: `N${Math.random()}`.replace('.', '') });
    await store.release({ feature: taken.feature.id, token: taken.token! });
    await store.close();
    return [features[0]!.id, taken.feature.id];
  };
  expect(await preview()).toEqual(['F140', 'F140']);
  for (const name of files()) rmSync(join(directory, name));
  expect(await preview()).toEqual(['F140', 'F140']);
  await change((store) => store.claim({ worker: 'W140', feature: 'F140' }));
  expect(await preview()).toEqual(['F141', 'F141']);
  const busy = openTestStore(repository.path, { session: 's' }).then((store) =>
    store.claim({ worker: 'W1' }),
  );
  await expect(busy).rejects.toMatchObject({ code: 'WORKER_BUSY' });
});
