import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { builtInPresets } from '../../src/core/presets.ts';
import { expectSound } from '../support/oracle.ts';
import { temporaryDirectory } from '../support/repo.ts';
import { addFeatures, codeOf, makeStore, openTestStore, testEnv } from '../support/store.ts';

const day = 86_400_000;

test('costs add up exactly, by step, operation, worker and day', async () => {
  const { repository, store, env } = await makeStore({ preset: 'production' });
  await addFeatures(store, ['e1', 'e2']);
  await store.costAdd({
    feature: 'e1',
    amount: 0.1,
    step: 'research',
    operation: 'query',
    worker: 'W1',
    tokens: { in: 10, out: 2 },
  });
  const answer = await store.costAdd({
    feature: 'e1',
    amount: 0.2,
    step: 'research',
    operation: 'query',
    worker: 'W2',
  });
  expect(answer).toMatchObject({
    feature: 'e1',
    step: 'research',
    step_total: 0.3,
    total: 0.3,
    budget: 7,
    warnings: [],
    stop: false,
  });
  const before = (await store.show({ feature: 'e1' })).updated_at;
  env.offsetMs = day;
  await store.costAdd({ feature: 'e1', amount: 0.1 + 0.2, step: 'script', operation: 'draft' });
  expect((await store.show({ feature: 'e1' })).updated_at > before).toBe(true);
  await store.costAdd({ feature: 'e2', amount: 1 });
  expect(await store.costShow()).toMatchObject({
    total: 1.6,
    tokens: { in: 10, out: 2, cached: 0 },
    by_step: { research: 0.3, script: 0.3 },
    by_operation: { query: 0.3, draft: 0.3, other: 1 },
    by_worker: { W1: 0.1, W2: 0.2 },
    by_feature: { e1: 0.6, e2: 1 },
  });
  expect(Object.values((await store.costShow({ feature: 'e1' })).by_day)).toEqual([0.3, 0.3]);
  expect(await store.show({ feature: 'e1' })).toMatchObject({
    total_cost: 0.6,
    steps: [{ cost: 0.3 }, { cost: 0.3 }, { cost: 0 }],
  });
  await store.remove({ feature: 'e2' });
  expect((await store.costShow()).total).toBe(1.6);
  await expectSound(repository);
});

test('a report under a key counts once; the total of a step can be set', async () => {
  const { store } = await makeStore({ steps: ['plan'] });
  await addFeatures(store, ['1']);
  await store.costAdd({ feature: '1', amount: 2, key: 'invoice-7' });
  expect(await store.costAdd({ feature: '1', amount: 2, key: 'invoice-7' })).toMatchObject({
    changed: false,
    total: 2,
  });
  await store.costAdd({ feature: '1', amount: 0.15, step: 'plan' });
  expect(await store.costSet({ feature: '1', amount: 1.05, step: 'plan' })).toMatchObject({
    step_total: 1.05,
    total: 3.05,
  });
  expect(await store.costSet({ feature: '1', amount: 0.05, step: 'plan' })).toMatchObject({
    step_total: 0.05,
  });
  expect(await codeOf(store.costAdd({ feature: '1', amount: -1 }))).toBe('INVALID_INPUT');
  expect(await codeOf(store.costAdd({ feature: '1', amount: Number.NaN }))).toBe('INVALID_INPUT');
  expect(await codeOf(store.costAdd({ feature: '1', amount: 1, step: 'nope' }))).toBe('STEP_NOT_FOUND');
});

test('budgets warn from 80% on and stop claims and steps at 100%', async () => {
  const { store, env } = await makeStore({ preset: 'production' });
  await addFeatures(store, ['e1', 'e2']);
  expect((await store.costAdd({ feature: 'e1', amount: 1.59, step: 'research' })).warnings).toEqual([]);
  expect((await store.costAdd({ feature: 'e1', amount: 0.01, step: 'research' })).warnings).toEqual([
    { scope: 'step', name: 'research', spent: 1.6, limit: 2, percent: 80 },
  ]);
  expect(await store.costCheck({ feature: 'e1', amount: 5.4 })).toMatchObject({ stop: true });
  // What is only asked about counts in the refusal, too.
  expect(
    await store.costCheck({ feature: 'e1', amount: 5.4, enforce: true }).catch((error) => error),
  ).toMatchObject({
    message: "the budget would be used up (feature 'e1': 7 of 7)",
    details: {
      feature: 'e1',
      warnings: [{ scope: 'feature', name: 'e1', spent: 7, limit: 7, percent: 100 }],
    },
  });
  expect(await codeOf(store.costCheck({ feature: 'e1', amount: 5.4, enforce: true }))).toBe(
    'BUDGET_EXCEEDED',
  );
  const { token } = await store.claim({ worker: 'W1', feature: 'e1' });
  await store.costAdd({ feature: 'e1', amount: 5.4 });
  const done = await store.stepDone({ feature: 'e1', step: 'research', token: token! });
  expect(done.steps.map(({ status }) => status)).toEqual(['completed', 'pending', 'pending']);
  expect(await codeOf(store.stepStart({ feature: 'e1', step: 'script', token: token! }))).toBe(
    'BUDGET_EXCEEDED',
  );
  await store.release({ feature: 'e1', token: token! });
  expect(await codeOf(store.claim({ worker: 'W1', feature: 'e1' }))).toBe('BUDGET_EXCEEDED');
  expect(await store.show({ feature: 'e1' })).toMatchObject({ ready: false });
  expect((await store.claim({ worker: 'W1' })).feature.id).toBe('e2');
  await store.costAdd({ feature: 'e2', amount: 43 });
  expect((await store.status()).costs).toMatchObject({ stop: true });
  await store.release({ feature: 'e2', worker: 'W1' });
  expect(await codeOf(store.claim({ worker: 'W1' }))).toBe('BUDGET_EXCEEDED');
  await store.sessionUpdate({ budgetFeature: 100 });
  expect(await codeOf(store.claim({ worker: 'W1' }))).toBe('BUDGET_EXCEEDED');
  env.offsetMs = day;
  expect((await store.claim({ worker: 'W1' })).feature.id).toBe('e1');
});

test('scores are averaged and have a trend', async () => {
  const { store } = await makeStore();
  await addFeatures(store, ['1', '2']);
  await store.quality({ feature: '1', scores: { depth: 8, style: 0.8 } });
  await store.quality({ feature: '2', scores: { depth: 9 } });
  expect(await store.show({ feature: '1' })).toMatchObject({ quality_scores: { depth: 8, style: 0.8 } });
  expect((await store.metrics()).quality).toMatchObject({ avg_depth: 8.5, avg_style: 0.8 });
  expect(await codeOf(store.quality({ feature: '1', scores: {} }))).toBe('USAGE');
});

async function bytesOf(stream: Readable): Promise<Buffer> {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

test('artifacts are kept byte for byte, folders too', async () => {
  const { repository, store } = await makeStore({ steps: ['audio'] });
  await addFeatures(store, ['1']);
  const folder = temporaryDirectory();
  const bytes = Buffer.from(Array.from({ length: 100_000 }, (_, index) => (index * 7) % 256));
  mkdirSync(join(folder, 'audio_chunks/sub'), { recursive: true });
  writeFileSync(join(folder, 'audio_chunks/01.wav'), bytes);
  writeFileSync(join(folder, 'audio_chunks/sub/02.wav'), '');
  writeFileSync(join(folder, 'report.json'), '{}\n');
  const put = await store.artifactPut({
    feature: '1',
    step: 'audio',
    files: [join(folder, 'audio_chunks'), join(folder, 'report.json')],
  });
  expect(put.artifacts.map(({ path, size }) => [path, size])).toEqual([
    ['audio_chunks/01.wav', 100_000],
    ['audio_chunks/sub/02.wav', 0],
    ['report.json', 3],
  ]);
  const { artifacts } = await store.artifactList({ feature: '1' });
  expect(artifacts.map(({ path }) => path)).toEqual([
    'audio/audio_chunks/01.wav',
    'audio/audio_chunks/sub/02.wav',
    'audio/report.json',
  ]);
  const stream = await store.artifactGet({ feature: '1', step: 'audio', path: 'audio_chunks/01.wav' });
  expect((await bytesOf(stream)).equals(bytes)).toBe(true);
  expect(await codeOf(store.artifactGet({ feature: '1', step: 'audio', path: 'nope' }))).toBe(
    'ARTIFACT_NOT_FOUND',
  );
  writeFileSync(join(folder, '.hidden'), 'x');
  expect(
    await codeOf(store.artifactPut({ feature: '1', step: 'audio', files: [join(folder, '.hidden')] })),
  ).toBe('INVALID_INPUT');
  repository.git('config', 'gitstate.artifactMaxBytes', '10');
  repository.git('gc', '-q', '--prune=now');
  expect((await store.artifactList({ feature: '1', step: 'audio' })).artifacts).toHaveLength(3);
  await expectSound(repository);
});

test('recover makes a session active and releases claims that are over', async () => {
  const { repository, store, env } = await makeStore();
  await addFeatures(store, ['1', '2']);
  await store.claim({ worker: 'W1', lease: '1m' });
  await store.claim({ worker: 'W2', lease: '1h' });
  await store.sessionFail({ force: true });
  env.offsetMs = 120_000;
  expect(await store.recover({ session: 's', dryRun: true })).toMatchObject({
    commit: null,
    released: [{ feature: '1', reason: 'expired' }],
  });
  const answer = await store.recover({ session: 's' });
  expect(answer).toMatchObject({
    session: 's',
    status: 'active',
    released: [{ feature: '1', worker: 'W1', reason: 'expired' }],
  });
  expect((await store.list()).features.map(({ status, retry_count }) => [status, retry_count])).toEqual([
    ['pending', 0],
    ['in_progress', 0],
  ]);
  await expectSound(repository);
});

test('cleanup drops old sessions and keeps their ids; features are archived', async () => {
  const { repository, store, env } = await makeStore();
  await addFeatures(store, ['1', '2', '3']);
  await store.sessionStart({ session: 'old' });
  await store.sessionComplete({ session: 'old' });
  const { token } = await store.claim({ session: 's', worker: 'W1', lease: '100d' });
  await store.claim({ session: 's', worker: 'W2', lease: '1m' });
  env.offsetMs = 6 * day;
  expect((await store.cleanup()).removed).toEqual([]);
  env.offsetMs = 8 * day;
  expect((await store.cleanup({ dryRun: true })).removed).toEqual(['old']);
  expect(await store.cleanup()).toMatchObject({ removed: ['old'], changed: true });
  expect(await codeOf(store.sessionStart({ session: 'OLD' }))).toBe('ALREADY_EXISTS');
  expect(await store.cleanupFeatures({ session: 's' })).toMatchObject({ archived: ['2'] });
  await store.complete({ session: 's', feature: '1', token: token! });
  await expectSound(repository);
});

test('what is exactly so old is cleaned up, what is a second younger stays', async () => {
  const { repository } = await makeStore();
  let now = Date.parse('2026-06-01T12:00:00Z');
  const still = { ...testEnv(), now: () => now };
  const store = await openTestStore(repository.path, {}, still);
  // Times never run backwards, and the store was made by the real clock.
  now += Math.max(0, Math.ceil((Date.now() - now) / day)) * day;
  const then = now;
  await store.sessionStart({ session: 'old' });
  await store.sessionComplete({ session: 'old' });
  await addFeatures(store, ['1', '2']);
  await store.update({ feature: '1', status: 'failed' });
  await store.update({ feature: '2', status: 'in_progress' });

  now = then + day - 1000;
  expect((await store.cleanupFeatures()).archived).toEqual([]);
  now = then + day;
  expect((await store.cleanupFeatures()).archived).toEqual(['1', '2']);

  now = then + 7 * day - 1000;
  expect((await store.cleanup()).removed).toEqual([]);
  now = then + 7 * day;
  expect((await store.cleanup({ dryRun: true })).removed).toEqual(['old']);
  expect((await store.cleanup()).removed).toEqual(['old']);
});

test('reset empties the store as one more commit, and only when it is meant', async () => {
  const { repository, store } = await makeStore();
  await addFeatures(store, ['1']);
  expect(await codeOf(store.reset())).toBe('USAGE');
  const before = repository.git('rev-parse', 'gitstate');
  await store.reset({ confirm: true });
  expect(repository.git('ls-tree', '--name-only', 'gitstate').split('\n')).toEqual([
    'README.md',
    'gitstate.json',
  ]);
  expect(repository.git('rev-parse', 'gitstate~1')).toBe(before);
  await store.restore({ session: 's', point: before });
  expect((await store.list()).features.map(({ id }) => id)).toEqual(['1']);
  await expectSound(repository);
});

test('a preset of the users own is kept in the store', async () => {
  const { store } = await makeStore();
  const preset = {
    name: 'video',
    steps: ['cut', 'render'],
    budgets: { steps: {}, feature: 3, day: null },
    max_retries: 1,
    lease: '1h',
    auto_checkpoints: false,
    quality_min: {},
    session_id: 'date',
  };
  expect(await store.presetPut({ preset })).toMatchObject({ ...preset, changed: true });
  expect(Object.keys(await store.presetPut({ preset: { ...preset, max_retries: 2 } }))).toEqual([
    ...Object.keys(builtInPresets()[0]!),
    ...['commit', 'changed', 'durability'],
  ]);
  await store.presetPut({ preset });
  expect(await store.sessionStart({ session: 'v', preset: 'video' })).toMatchObject({
    preset: 'video',
    steps: ['cut', 'render'],
    max_retries: 1,
  });
  expect((await store.presetList()).presets.map(({ name }) => name)).toEqual([
    'none',
    'parallel-dev',
    'orchestrator',
    'production',
    'video',
  ]);
  expect((await store.presetList()).presets.at(-1)).toEqual({ ...preset, built_in: false });
  // What is left out is as in a session without a preset.
  expect(await store.presetPut({ preset: { name: 'bare', budgets: { day: 5 } } })).toMatchObject({
    lease: '15m',
    budgets: { steps: {}, feature: null, day: 5 },
    max_retries: 3,
  });
  expect(await codeOf(store.presetPut({ preset: { steps: ['a'] } }))).toBe('ALREADY_EXISTS');
  expect(await codeOf(store.presetPut({ preset: { name: 'x', default_lease: '1h' } }))).toBe('INVALID_INPUT');
  expect(await codeOf(store.presetPut({ preset: { ...preset, name: 'production' } }))).toBe('ALREADY_EXISTS');
});

test('least scores are asked for before a feature is completed', async () => {
  const { store } = await makeStore();
  await store.sessionStart({ session: 'q', qualityMin: { depth: 8 } });
  await store.planLoad({ session: 'q', features: [{ id: '1' }] });
  const { token } = await store.claim({ session: 'q', worker: 'W1' });
  const own = { session: 'q', feature: '1', token: token! };
  expect(await codeOf(store.complete(own))).toBe('QUALITY_UNMET');
  await store.quality({ session: 'q', feature: '1', scores: { depth: 7.9 } });
  const refusal = await store.complete(own).catch((error) => error);
  expect(refusal).toMatchObject({
    code: 'QUALITY_UNMET',
    exitStatus: 4,
    details: { unmet: [{ name: 'depth', least: 8, score: 7.9 }] },
  });
  await store.sessionUpdate({ session: 'q', qualityMin: { depth: null, style: 1 } });
  expect(await codeOf(store.complete(own))).toBe('QUALITY_UNMET');
  await store.sessionUpdate({ session: 'q', qualityMin: { depth: 8, style: null } });
  await store.quality({ session: 'q', feature: '1', scores: { depth: 8 } });
  expect(await store.complete(own)).toMatchObject({ status: 'completed' });
});

test('what a removed feature has cost stays in the totals, and is recorded as such', async () => {
  const { repository, store } = await makeStore();
  await store.sessionUpdate({ session: 's', budgetDay: 10 });
  await addFeatures(store, ['1', '2']);
  await store.costAdd({ feature: '1', amount: 2.5 });
  await store.costAdd({ feature: '2', amount: 1 });
  const recorded = () =>
    JSON.parse(repository.git('cat-file', 'blob', 'gitstate:sessions/s/session.json')).removed_cost;
  await store.remove({ feature: '1' });
  expect(recorded()).toBe(2.5);
  const day = new Date().toISOString().slice(0, 10);
  expect(await store.costShow()).toMatchObject({ total: 3.5, by_day: { [day]: 3.5 } });
  expect(await store.costCheck({ feature: '2', amount: 6.5 })).toMatchObject({ stop: true });
  expect(await store.metrics()).toMatchObject({ total_cost: 3.5 });
  // Added again, the feature has its costs again.
  await addFeatures(store, ['1']);
  expect(recorded()).toBe(0);
  expect(await store.show({ feature: '1' })).toMatchObject({ total_cost: 2.5 });
  await store.remove({ feature: '1' });
  await store.restore({ point: 'gitstate~1', feature: '1' });
  expect(recorded()).toBe(0);
  await store.remove({ feature: '1' });
  await store.remove({ feature: '2' });
  expect(recorded()).toBe(3.5);
  await store.restore({ point: 'gitstate~1' });
  expect(recorded()).toBe(2.5);
  expect(await store.costShow()).toMatchObject({ total: 3.5 });
  await expectSound(repository);
});

test('a dry run of recover answers as recover does', async () => {
  const { store, env } = await makeStore();
  await addFeatures(store, ['1']);
  await store.claim({ worker: 'W1', lease: '1m' });
  await store.sessionFail({ session: 's', force: true });
  env.offsetMs += 2 * 60_000;
  const before = await store.tip();
  const dry = await store.recover({ session: 's', dryRun: true });
  expect(dry).toMatchObject({
    status: 'active',
    released: [{ feature: '1', worker: 'W1', reason: 'expired' }],
    commit: null,
    changed: false,
  });
  expect(await store.tip()).toBe(before);
  const done = await store.recover({ session: 's' });
  expect(Object.keys(done)).toEqual(Object.keys(dry));
  expect(done.released).toEqual(dry.released);
});

test('paths of artifacts are looked for where the store was opened', async () => {
  const { repository, env } = await makeStore({ steps: ['plan'] });
  repository.write('below/notes.txt', 'notes');
  const store = await openTestStore(join(repository.path, 'below'), { cwd: '.' }, env);
  await addFeatures(store, ['1']);
  expect(await store.artifactPut({ feature: '1', step: 'plan', files: ['notes.txt'] })).toMatchObject({
    artifacts: [{ path: 'notes.txt', size: 5 }],
  });
});

test('the log of documents tells of the entry that used a budget up', async () => {
  const { repository, store } = await makeStore();
  await store.sessionUpdate({ session: 's', budgetFeature: 2 });
  await addFeatures(store, ['1']);
  for (const amount of [1.9, 0.1, 5]) await store.costAdd({ feature: '1', amount });
  const lines = await store.documentLog('s');
  expect(lines.map(({ level, message }) => [level, message])).toEqual([
    ['warn', 'Budget used up by Feature 1'],
  ]);
  await expectSound(repository);
});
