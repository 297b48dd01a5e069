import { beforeEach, expect, test } from 'vitest';
import * as or from '../../src/compat/orchestrator.ts';
import type { Store } from '../../src/store/open.ts';
import type { TestRepository } from '../support/repo.ts';
import { codeOf, makeStore } from '../support/store.ts';

let repository: TestRepository;
let store: Store;
beforeEach(async () => {
  ({ repository, store } = await makeStore({ preset: 'orchestrator' }));
  await store.planLoad({
    features: [
      { id: '001', priority: 'P1' },
      { id: '002', priority: 'P0', dependencies: ['003'] },
      { id: '003', priority: 'P0' },
    ],
  });
  or.configure({ cwd: repository.path });
});

const tip = () => repository.git('rev-parse', 'refs/heads/gitstate');
type Document = {
  features: Record<string, Record<string, unknown>>;
  workers: Record<string, unknown>;
  progress: Record<string, number>;
  logs: { level: string; message: string }[];
};
const read = async () => (await or.readState()) as unknown as Document;

test('B50, B51, B52 the words of the document', () => {
  expect(or.STEPS).toEqual(['specify', 'clarify', 'plan', 'tasks', 'analyze', 'implement']);
  expect(or.FEATURE_STATUSES).toEqual(['pending', 'in_progress', 'completed', 'failed']);
  expect(or.WORKER_STATUSES).toEqual(['idle', 'busy']);
});

test('B29 the whole document is read', async () => {
  expect(await or.readState()).toMatchObject({
    version: '1.0.0',
    session_id: 's',
    status: 'running',
    progress: { total_features: 3, completed: 0, in_progress: 0, pending: 3, failed: 0 },
    workers: {},
    logs: [],
  });
});

test('B30, B31, B33, B34 the next feature is pending, free and first by priority', async () => {
  expect(await or.findNextPendingFeature()).toBe('003');
  await or.claimFeature('003', 'W1');
  expect(await or.findNextPendingFeature()).toBe('001');
  await or.claimFeature('001', 'W2');
  expect(await or.findNextPendingFeature()).toBeNull();
  await or.markFeatureComplete('003', 'W1', 'done');
  expect(await or.findNextPendingFeature()).toBe('002');
});

test('B35, B36, B27 a claim sets worker, start and first step, and is logged', async () => {
  expect(await or.claimFeature('003', 'W1')).toMatchObject({
    status: 'in_progress',
    worker_id: 'W1',
    current_step: 'specify',
    started_at: expect.stringMatching(/Z$/),
  });
  const { workers, progress, logs } = await read();
  expect(workers).toEqual({ W1: { status: 'busy', current_feature: '003' } });
  expect(progress).toMatchObject({ in_progress: 1, pending: 2 });
  expect(logs).toMatchObject([{ level: 'info', message: 'Worker W1 started Feature 003' }]);
});

test('B35 of many who claim one feature at once one gets it', async () => {
  const codes = await Promise.all(
    Array.from({ length: 8 }, (_, index) => codeOf(or.claimFeature('003', `W${index}`))),
  );
  expect(codes.filter((code) => code === null)).toHaveLength(1);
  expect(new Set(codes)).toEqual(new Set([null, 'ALREADY_CLAIMED']));
});

test('B37, B38, B57 busy workers, held features and unmet dependencies are refused', async () => {
  await or.claimFeature('003', 'W1');
  expect(await codeOf(or.claimFeature('001', 'W1'))).toBe('WORKER_BUSY');
  expect(await codeOf(or.claimFeature('003', 'W2'))).toBe('ALREADY_CLAIMED');
  expect(await codeOf(or.claimFeature('002', 'W2'))).toBe('DEPENDENCIES_UNMET');
});

test('B41 a step is done once, however often it is reported', async () => {
  await or.claimFeature('003', 'W1');
  await or.updateStepProgress('003', 'specify', 'clarify');
  const feature = await or.updateStepProgress('003', 'specify', 'clarify');
  expect(feature).toMatchObject({ steps_completed: ['specify'], current_step: 'clarify' });
});

test('B42 steps between are skipped', async () => {
  await or.claimFeature('003', 'W1');
  const feature = await or.updateStepProgress('003', 'specify', 'plan');
  expect(feature).toMatchObject({ steps_completed: ['specify'], current_step: 'plan' });
  const { steps } = await store.show({ feature: '003' });
  expect(steps.map(({ status }) => status).slice(0, 3)).toEqual(['completed', 'skipped', 'active']);
});

test('B42 a next step that does not come next changes nothing', async () => {
  await or.claimFeature('003', 'W1');
  const before = tip();
  expect(await codeOf(or.updateStepProgress('003', 'specify', 'specify'))).toBe('INVALID_INPUT');
  expect(await codeOf(or.updateStepProgress('003', 'specify', 'nope'))).toBe('STEP_NOT_FOUND');
  expect(await codeOf(or.updateStepProgress('003', 'plan'))).toBe('INVALID_TRANSITION');
  expect(tip()).toBe(before);
});

test('B43 after the last step there is none', async () => {
  await or.claimFeature('003', 'W1');
  for (const step of or.STEPS) await or.updateStepProgress('003', step);
  expect((await read()).features['003']).toMatchObject({
    current_step: null,
    steps_completed: [...or.STEPS],
  });
});

test('B44, B45 completing looks at no steps and frees the worker', async () => {
  await or.claimFeature('003', 'W1');
  expect(await or.markFeatureComplete('003', 'W1', 'Implemented X and Y')).toMatchObject({
    status: 'completed',
    completed_at: expect.stringMatching(/Z$/),
    current_step: null,
    summary: 'Implemented X and Y',
  });
  expect((await read()).workers).toEqual({ W1: { status: 'idle', current_feature: null } });
});

test('B46 an unknown feature or worker changes nothing', async () => {
  await or.claimFeature('003', 'W1');
  const before = tip();
  expect(await codeOf(or.markFeatureComplete('nope', 'W1', ''))).toBe('FEATURE_NOT_FOUND');
  expect(await codeOf(or.markFeatureComplete('003', 'W9', ''))).toBe('NOT_HOLDER');
  expect(await codeOf(or.markFeatureFailed('003', 'W9', ''))).toBe('NOT_HOLDER');
  expect(tip()).toBe(before);
});

test('B47 a failure is final at once and frees the worker', async () => {
  await or.claimFeature('003', 'W1');
  expect(await or.markFeatureFailed('003', 'W1', 'Error message')).toMatchObject({
    status: 'failed',
    error: 'Error message',
    retry_count: 1,
  });
  const { workers, progress } = await read();
  expect(workers).toEqual({ W1: { status: 'idle', current_feature: null } });
  expect(progress).toMatchObject({ failed: 1, in_progress: 0 });
});

test('B49 all is complete when every feature is, and where there is none', async () => {
  expect(await or.checkAllComplete()).toBe(false);
  for (const id of ['003', '001', '002']) {
    await or.claimFeature(id, 'W1');
    await or.markFeatureComplete(id, 'W1', '');
  }
  expect(await or.checkAllComplete()).toBe(true);
  await store.sessionStart({ session: 'empty' });
  or.configure({ cwd: repository.path, session: 'empty' });
  expect(await or.checkAllComplete()).toBe(true);
});

test('without a store there is nothing to read', async () => {
  or.configure({ cwd: repository.path, branch: 'elsewhere' });
  expect(await codeOf(or.readState())).toBe('NOT_INITIALIZED');
});
