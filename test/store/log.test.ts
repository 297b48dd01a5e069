import { expect, test } from 'vitest';
import type { LogOptions } from '../../src/store/api/log.ts';
import { parseMoment } from '../../src/store/moment.ts';
import type { Store } from '../../src/store/open.ts';
import { makeRepository } from '../support/repo.ts';
import { addFeatures, codeOf, makeStore } from '../support/store.ts';

async function subjects(store: Store, options: LogOptions = {}): Promise<string[]> {
  const lines = [];
  for await (const { subject } of store.log(options)) lines.push(subject);
  return lines;
}

test('a date is read in every format in which Git prints one', () => {
  const repository = makeRepository();
  const env = '2026-03-05T06:07:08+02:30';
  repository.git('-c', 'user.name=x', 'commit', '-q', '--allow-empty', '-m', 'dated', `--date=${env}`);
  const wanted = Date.parse(env);
  const printed = (format: string) => repository.git('log', '-1', `--format=%ad`, `--date=${format}`);
  for (const format of ['iso', 'iso-strict', 'rfc', 'default', 'raw', 'unix']) {
    const moment = parseMoment(printed(format), 0);
    expect(moment, `${format}: ${printed(format)}`).toBe(wanted + 999);
  }
  expect(parseMoment(printed('short'), 0)).toBe(Date.parse('2026-03-05T00:00:00Z'));
  const nowMs = Date.now();
  for (const words of ['3 hours ago', '2 weeks ago', '1 year, 2 months ago'])
    expect(parseMoment(words, nowMs), words).toBeLessThan(nowMs);
  expect(parseMoment(printed('relative'), nowMs)).not.toBeNull();
});

test.each([
  'tomato',
  'ago',
  'last',
  '2026-02-30',
  '2026-13-01 00:00',
  'Thu Foo 5 06:07:08 2026',
  '5 parsecs ago',
  '12',
  '2 hours, ago',
  '',
])('a word that is no date is none: %s', (word) => {
  expect(parseMoment(word, 0)).toBeNull();
});

test('the log is narrowed by time, worker, operation and feature, where one is among many, too', async () => {
  const { store, env } = await makeStore({ steps: ['plan'] });
  await addFeatures(store, ['1', '10', '11']);
  await store.claim({ feature: '1', worker: 'W1' });
  env.offsetMs += 3_600_000;
  const half = new Date(env.now() - 1_800_000).toISOString();
  await store.recover({ session: 's' });
  await store.note({ message: 'about gitstate-worker: W1' });
  await store.note({ message: 'of 10', feature: '10' });
  expect(await subjects(store, { feature: '1' })).toEqual([
    'recover session s',
    'claim 1 for W1',
    'load plan (3 features)',
  ]);
  expect(await subjects(store, { feature: '10' })).toEqual(['note: of 10', 'load plan (3 features)']);
  expect(await subjects(store, { worker: 'W1' })).toEqual(['claim 1 for W1']);
  expect(await subjects(store, { op: 'note' })).toHaveLength(2);
  expect(await subjects(store, { op: 'not' })).toEqual([]);
  expect(await subjects(store, { until: half, op: 'feature' })).toEqual(['claim 1 for W1']);
  expect(await subjects(store, { since: half })).toHaveLength(3);
  expect(await subjects(store, { since: '10 minutes ago', until: '5 minutes ago' })).toEqual([]);
  expect(await codeOf(subjects(store, { since: 'tomato' }))).toBe('INVALID_INPUT');
});

test('a plan too large for its message is found by its features', async () => {
  const { store } = await makeStore();
  const features = Array.from({ length: 300 }, (_, index) => ({
    id: `f${index}`,
    data: { text: 'x'.repeat(60) },
  }));
  await store.planLoad({ features });
  expect(await subjects(store, { feature: 'f299' })).toEqual(['load plan (300 features)']);
});

test('blame tells for each field who set it, and knows no more than the point that is asked about', async () => {
  const { repository, store } = await makeStore({ steps: ['plan', 'build'] });
  await addFeatures(store, ['1', '2']);
  const planned = repository.git('rev-parse', 'gitstate');
  await store.update({ feature: '1', name: 'named', data: { deep: { a: 1, b: [1, 2] } } });
  const updated = repository.git('rev-parse', 'gitstate');
  const { token } = await store.claim({ feature: '1', worker: 'W1' });
  await store.stepDone({ feature: '1', step: 'plan', token: token! });
  const done = repository.git('rev-parse', 'gitstate');
  await store.update({ feature: '2', name: 'other' });
  await store.quality({ feature: '1', scores: { speed: 9 }, worker: 'W2' });
  await store.update({ feature: '1', data: { deep: { a: 2, b: [1, 2] } }, token: token! });
  const last = repository.git('rev-parse', 'gitstate');
  const { feature, fields } = await store.blame({ feature: '1' });
  expect(feature).toBe('1');
  const setBy = new Map(fields.map((field) => [field.path, field]));
  expect(setBy.get('/name')).toMatchObject({
    value: 'named',
    commit: updated,
    op: 'feature.update',
    actor: 'gitstate',
  });
  expect(setBy.get('/priority')).toMatchObject({ value: null, commit: planned, op: 'plan.load' });
  expect(setBy.get('/steps/0/status')).toMatchObject({
    value: 'completed',
    commit: done,
    op: 'step.done',
    actor: 'W1',
  });
  expect(setBy.get('/steps/1/status')).toMatchObject({ value: 'active', commit: done });
  expect(setBy.get('/steps/1/name')).toMatchObject({ commit: planned });
  expect(setBy.get('/quality_scores/speed')).toMatchObject({ value: 9, op: 'quality.set', actor: 'W2' });
  expect(setBy.get('/data/deep/a')).toMatchObject({ value: 2, commit: last });
  expect(setBy.get('/data/deep/b/1')).toMatchObject({ value: 2, commit: updated });
  const then = await store.blame({ feature: '1', at: updated });
  expect(then.fields.find(({ path }) => path === '/data/deep/a')).toMatchObject({
    value: 1,
    commit: updated,
  });
  expect(then.fields.every(({ commit }) => [planned, updated].includes(commit))).toBe(true);
  // Each field of the file is there, and nothing else.
  const file = JSON.parse(
    repository.git(
      'show',
      `gitstate:${repository
        .git('ls-tree', '-r', '--name-only', 'gitstate')
        .split('\n')
        .find((path) => path.endsWith('/1.json'))}`,
    ),
  ) as { id: string };
  expect([...new Set(fields.map(({ path }) => path.split('/')[1]))]).toEqual(Object.keys(file));
  expect(await codeOf(store.blame({ feature: 'none' }))).toBe('FEATURE_NOT_FOUND');
});

test('blame begins where a feature was added again', async () => {
  const { repository, store } = await makeStore();
  await store.add({ feature: '1', name: 'x' });
  await store.remove({ feature: '1' });
  await store.add({ feature: '1', name: 'x' });
  const { fields } = await store.blame({ feature: '1' });
  expect(new Set(fields.map(({ commit }) => commit))).toEqual(
    new Set([repository.git('rev-parse', 'gitstate')]),
  );
});
