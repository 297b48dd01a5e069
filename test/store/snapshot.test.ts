import { expect, test } from 'vitest';
import type { ObjectReader } from '../../src/git/reader.ts';
import { Engine } from '../../src/store/engine.ts';
import { emptySnapshot, readSnapshot } from '../../src/store/snapshot.ts';
import { addFeatures, makeStore, testEnv } from '../support/store.ts';

/** Passes everything on, and notes what was asked for. */
function noting(reader: ObjectReader) {
  const [single, streams]: [string[], (readonly string[])[]] = [[], []];
  const noted: ObjectReader = {
    read: (name) => {
      single.push(name);
      return reader.read(name);
    },
    readEach: (oids, take) => {
      streams.push(oids);
      return reader.readEach(oids, take);
    },
    info: (name) => reader.info(name),
    resolve: (ref) => reader.resolve(ref),
    close: () => {},
  };
  return { noted, single, streams };
}

test('a first read takes each tree once and all files in one stream, the next one what has changed', async () => {
  const { repository, store } = await makeStore({ steps: ['a', 'b'] });
  await addFeatures(
    store,
    Array.from({ length: 40 }, (_, at) => `F${at}`),
  );
  const { reader, refs, mutex } = await Engine.open({ cwd: repository.path, env: testEnv() });
  const listed = (...flags: string[]) =>
    repository.git('ls-tree', '-r', '--format=%(objectname) %(path)', ...flags, 'gitstate').split('\n');
  const oid = (line: string) => line.split(' ')[0]!;

  const first = noting(reader);
  const tip = repository.git('rev-parse', 'gitstate');
  const snapshot = await readSnapshot(first.noted, tip, emptySnapshot, 'all');
  const trees = listed('-t', '-d').map(oid);
  expect(first.single.toSorted()).toEqual([tip, snapshot.tree!.oid, ...trees].toSorted());
  const files = listed().filter((line) => !line.endsWith(' README.md'));
  const [store0, others, ...more] = first.streams;
  expect(more).toEqual([]);
  expect(store0).toEqual(files.filter((line) => line.endsWith(' gitstate.json')).map(oid));
  expect(others!.toSorted()).toEqual(
    files
      .filter((line) => !line.endsWith(' gitstate.json'))
      .map(oid)
      .toSorted(),
  );

  await store.update({ feature: 'F7', priority: 'P0' });
  const second = noting(reader);
  const moved = await readSnapshot(second.noted, repository.git('rev-parse', 'gitstate'), snapshot, 'all');
  // The commit, and the trees above the feature: of the root, of sessions, s, features and the shard.
  expect(second.single).toHaveLength(6);
  expect(second.streams.map(({ length }) => length)).toEqual([1]);
  expect(moved.state.contents.get('s')!.features.get('f7')?.priority).toBe('P0');
  for (const one of [reader, refs, mutex]) one.close();
});
