import { expect, test } from 'vitest';
import type { Migration, Schema } from '../../src/codec/migrate.ts';
import type { JsonObject, JsonValue } from '../../src/core/json.ts';
import { openStoreIn, type Store } from '../../src/store/open.ts';
import type { TestRepository } from '../support/repo.ts';
import { addFeatures, codeOf, makeStore, openTestStore, testEnv } from '../support/store.ts';

/** Two schemas that do not exist. The second writes priorities as words, the third names in capitals, in files and in
 *  arguments alike: what an operation makes of documents that were brought up is what it had made, brought up. */
const second = featureMigration(2, (feature) =>
  'priority' in feature ? { ...feature, priority: worded(feature.priority!) } : feature,
);
const third = featureMigration(3, (feature) =>
  'name' in feature ? { ...feature, name: String(feature.name).toUpperCase() } : feature,
);

function featureMigration(to: number, change: (feature: JsonObject) => JsonObject): Migration {
  return {
    to,
    document: (place, document) => (place.kind === 'feature' ? change(document as JsonObject) : document),
    args(type, args) {
      const value = args as JsonObject;
      if (type === 'feature.add') return change(value);
      if (type === 'plan.load') return { ...value, features: (value.features as JsonObject[]).map(change) };
      return value;
    },
  };
}

function worded(priority: JsonValue): JsonValue {
  return priority === 'P0' ? 'urgent' : priority;
}

const schema2: Schema = { version: 2, migrations: [second] };
const schema3: Schema = { version: 3, migrations: [second, third] };

const open: Store[] = [];
async function openWith(repository: TestRepository, schema: Schema): Promise<Store> {
  const store = await openStoreIn({}, { env: testEnv(), cwd: repository.path, schema });
  open.push(store);
  return store;
}

async function older() {
  const { repository, store } = await makeStore({ steps: ['plan'] });
  await store.add({ feature: '1', name: 'first', priority: 'P0' });
  await addFeatures(store, ['2']);
  const { token } = await store.claim({ worker: 'W1' });
  await store.stepDone({ feature: '1', step: 'plan', token: token! });
  await store.note({ message: 'of the first schema' });
  await store.close();
  return { repository, tip: repository.git('rev-parse', 'gitstate') };
}

const schemaAt = (repository: TestRepository, point: string) =>
  (JSON.parse(repository.git('cat-file', 'blob', `${point}:gitstate.json`)) as { schema: number }).schema;

test('a newer gitstate reads an older store, and changes nothing by that', async () => {
  const { repository, tip } = await older();
  const newer = await openWith(repository, schema2);
  expect((await newer.list()).features.map(({ priority }) => priority)).toEqual(['urgent', null]);
  expect((await newer.doctor()).checks).toContainEqual({
    name: 'schema',
    ok: true,
    detail: '1: the next write brings it to 2',
  });
  expect(await codeOf(newer.claim({ feature: '9' }))).toBe('FEATURE_NOT_FOUND');
  await newer.close();
  expect(repository.git('rev-parse', 'gitstate')).toBe(tip);
});

test('its first write brings every file up, in a commit of its own, and an older gitstate stops there', async () => {
  const { repository, tip } = await older();
  const newer = await openWith(repository, schema2);
  await newer.add({ feature: '3', priority: 'P1' });
  expect(repository.git('log', '--format=%s', `${tip}..gitstate`).split('\n')).toEqual([
    'add 3',
    'migrate store to schema 2',
  ]);
  expect(schemaAt(repository, 'gitstate~1')).toBe(2);
  expect(repository.git('diff', '--name-only', tip, 'gitstate~1')).toMatch(/features\/.*\/1\.json/);
  expect(repository.git('log', '-1', '--format=%(trailers:key=gitstate-schema,valueonly)', 'gitstate')).toBe(
    '2',
  );
  await newer.note({ message: 'no second migration' });
  expect(repository.git('rev-list', '--count', `${tip}..gitstate`)).toBe('3');
  const old = await openTestStore(repository.path);
  for (const use of [() => old.list(), () => old.add({ feature: 'x' }), () => old.verify(), () => old.init()])
    expect(await codeOf(use())).toBe('SCHEMA_TOO_NEW');
  const refusal = await old.status().catch((error) => error);
  expect(refusal).toMatchObject({ exitStatus: 7, details: { schema: 2, supported: 1 } });
  expect(refusal.hint).toContain('newer gitstate');
  expect(await codeOf(old.doctor({ repair: true }))).toBe('SCHEMA_TOO_NEW');
  expect(await old.doctor()).toMatchObject({ damaged: true });
  expect(repository.git('rev-list', '--count', `${tip}..gitstate`)).toBe('3');
});

test('verify crosses the migration, and still finds what does not follow before it', async () => {
  const { repository } = await older();
  const newer = await openWith(repository, schema2);
  await newer.note({ message: 'of the second schema' });
  await newer.restore({ point: 'gitstate~4' });
  const count = Number(repository.git('rev-list', '--count', 'gitstate'));
  expect(await newer.verify({ full: true })).toMatchObject({
    ok: true,
    complete: true,
    problems: [],
    commits: count,
  });
  // One that keeps other features than it says.
  const wrong: Migration = { ...second, args: (_, args) => args };
  const other = await openWith(repository, { version: 2, migrations: [wrong] });
  const { ok, problems } = await other.verify({ full: true });
  expect(ok).toBe(false);
  expect(problems[0]).toMatchObject({ kind: 'tree', subject: 'add 1' });
});

test('migrations follow each other, and doctor --repair makes them by itself', async () => {
  const { repository, tip } = await older();
  const newest = await openWith(repository, schema3);
  const features = async () => (await newest.list()).features.map(({ name, priority }) => [name, priority]);
  const expected = [
    ['FIRST', 'urgent'],
    ['2', null],
  ];
  expect(await features()).toEqual(expected);
  const { repaired } = await newest.doctor({ repair: true });
  expect(repaired).toMatchObject([{ name: 'schema' }]);
  expect(repository.git('rev-list', '--count', `${tip}..gitstate`)).toBe('1');
  expect(schemaAt(repository, 'gitstate')).toBe(3);
  await newest.close();
  const again = await openWith(repository, schema3);
  expect((await again.list()).features.map(({ name }) => name)).toEqual(['FIRST', '2']);
  expect((await again.verify({ full: true })).ok).toBe(true);
  expect((await again.doctor({ repair: true })).repaired).toEqual([]);
});

test('a cache that an older gitstate left is not taken for one of the newer', async () => {
  const { repository } = await older();
  const newer = await openWith(repository, schema2);
  await newer.list();
  await newer.close();
  const old = await openTestStore(repository.path);
  expect((await old.list()).features.map(({ priority }) => priority)).toEqual(['P0', null]);
});
