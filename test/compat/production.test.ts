import { beforeEach, expect, test } from 'vitest';
import { importDocument } from '../../src/compat/documents.ts';
import { ProductionStateManager } from '../../src/compat/production.ts';
import { productionExample } from '../formats/seeds.ts';
import { makeRepository, type TestRepository } from '../support/repo.ts';
import { codeOf, openTestStore } from '../support/store.ts';

let repository: TestRepository;
let manager: ProductionStateManager;
beforeEach(() => {
  repository = makeRepository();
  manager = new ProductionStateManager({ cwd: repository.path });
});

const create = (episodeNum = 1) => manager.createEpisodeSession({ episodeNum, topic: 'Your Topic Here' });
const complete = (sessionId: string, phase: string) =>
  manager.updatePhase({ sessionId, phase, status: 'complete' });

/** Puts a document of production into the store. */
async function have(document: object): Promise<void> {
  const store = await openTestStore(repository.path);
  await store.init();
  await importDocument(store, { format: 'production', document });
}

test('C1 before the first write there is nothing', async () => {
  expect(await manager.getActiveEpisodes()).toEqual({});
  expect(await manager.getGlobalMetrics()).toEqual({
    avg_cost_per_episode: 0,
    avg_production_time: 0,
    success_rate: 0,
  });
  expect(await manager.getTotalSpending()).toBe(0);
  expect(await manager.cleanupOrphanedSessions()).toEqual([]);
  expect(await codeOf(manager.getEpisodeState('ep_001'))).toBe('FEATURE_NOT_FOUND');
  expect(repository.git('for-each-ref', 'refs/heads/gitstate')).toBe('');
});

test('C27 an episode begins with pending phases', async () => {
  const id = await create();
  expect(id).toMatch(/^ep_001_\d{8}_\d{6}$/);
  const phase = { status: 'pending', cost: 0, start_time: null, end_time: null, checkpoint: null };
  expect(await manager.getEpisodeState(id)).toEqual({
    episode_number: 1,
    topic: 'Your Topic Here',
    session_id: id,
    status: 'initialized',
    phases: { research: phase, script: phase, audio: phase },
    total_cost: 0,
    quality_scores: {},
    created_at: expect.stringMatching(/Z$/),
    updated_at: expect.stringMatching(/Z$/),
  });
});

test('C15 twenty episodes created at once have ids of their own', async () => {
  const ids = await Promise.all(Array.from({ length: 20 }, () => create(7)));
  expect(new Set(ids).size).toBe(20);
  expect(Object.keys(await manager.getActiveEpisodes())).toHaveLength(20);
});

test('C34 the example of the document runs as it stands', async () => {
  const id = await manager.createEpisodeSession({ episodeNum: 1, topic: 'Your Topic Here' });
  await manager.updatePhase({ sessionId: id, phase: 'research', status: 'complete', cost: 1.05 });
  await manager.saveCheckpoint({ sessionId: id, phase: 'script', data: { script: '...', metrics: {} } });
  expect(Object.keys(await manager.getActiveEpisodes())).toEqual([id]);
  expect(await manager.getEpisodeState(id)).toMatchObject({ status: 'script', total_cost: 1.05 });
  expect(await manager.getPhaseStatus(id, 'research')).toBe('complete');
  expect(await manager.loadCheckpoint(id, 'script')).toEqual({
    phase: 'script',
    timestamp: expect.stringMatching(/Z$/),
    data: { script: '...', metrics: {} },
    next_phase: 'audio',
    can_resume: true,
  });
  expect(await manager.completeEpisode(id)).toMatchObject({ status: 'complete' });
  expect(await manager.getActiveEpisodes()).toEqual({});
  expect(await manager.getGlobalMetrics()).toMatchObject({ avg_cost_per_episode: 1.05, success_rate: 1 });
  expect(await manager.loadCheckpoint(id, 'script')).toMatchObject({ can_resume: false });
});

test('C28 the cost of an update is the total of the phase', async () => {
  const id = await create();
  await manager.addCost({ sessionId: id, phase: 'research', operation: 'perplexity_query', cost: 0.15 });
  await manager.updatePhase({ sessionId: id, phase: 'research', status: 'complete', cost: 1.05 });
  expect(await manager.getPhaseCost(id, 'research')).toBe(1.05);
  await manager.updatePhase({ sessionId: id, phase: 'research', cost: 0.5 });
  expect(await manager.getPhaseCost(id, 'research')).toBe(0.5);
});

test('C29, C30 a phase starts without a worker, and completing it implies its start', async () => {
  const id = await create();
  const started = await manager.updatePhase({ sessionId: id, phase: 'research', status: 'active' });
  expect(started).toMatchObject({ status: 'research', phases: { research: { status: 'active' } } });
  const other = await create(2);
  expect(await complete(other, 'research')).toMatchObject({
    status: 'script',
    phases: {
      research: { status: 'complete', start_time: expect.any(String), checkpoint: 'research_complete.json' },
    },
  });
});

test('C31, C32 phases out of order, unknown ones and unknown words are refused', async () => {
  const id = await create();
  const update = (phase: string, status: string) =>
    manager.updatePhase({ sessionId: id, phase, status, cost: 1 });
  expect(await codeOf(update('audio', 'complete'))).toBe('INVALID_TRANSITION');
  expect(await codeOf(update('nope', 'complete'))).toBe('STEP_NOT_FOUND');
  expect(await codeOf(update('research', 'completed'))).toBe('INVALID_INPUT');
  expect(await manager.getEpisodeCost(id)).toBe(0);
  expect(await codeOf(manager.updatePhase({ sessionId: 'nope', phase: 'research' }))).toBe(
    'FEATURE_NOT_FOUND',
  );
});

test('C33 a phase has one saved checkpoint, the last', async () => {
  const id = await create();
  await manager.saveCheckpoint({ sessionId: id, phase: 'research', data: { version: 1 } });
  await manager.saveCheckpoint({ sessionId: id, phase: 'research', data: { version: 2 } });
  expect(await manager.loadCheckpoint(id, 'research')).toMatchObject({ data: { version: 2 } });
  const store = await openTestStore(repository.path);
  const { checkpoints } = await store.checkpointList();
  expect(checkpoints.map(({ name }) => name)).toEqual([`${id}.research`]);
  const tag = repository.git('rev-parse', `refs/tags/${checkpoints[0]!.tag}^{commit}`);
  expect(tag).toBe(checkpoints[0]!.commit);
});

test('C39, C41, C84, C86 a failed episode is taken up where it failed', async () => {
  const id = await create();
  await complete(id, 'research');
  const failed = await manager.markPhaseFailed({ sessionId: id, phase: 'script', error: 'no words' });
  expect(failed).toMatchObject({
    status: 'failed',
    error: 'no words',
    phases: { script: { status: 'failed' } },
  });
  expect(await manager.resumeEpisode(id)).toMatchObject({
    status: 'script',
    phases: { research: { status: 'complete' }, script: { status: 'active' } },
  });
  await manager.markPhaseFailed({ sessionId: id, phase: 'script', error: 'again' });
  expect(await manager.recoverFailedSession(id)).toMatchObject({ phases: { script: { status: 'pending' } } });
  const before = repository.git('rev-parse', 'refs/heads/gitstate');
  await manager.resumeEpisode(id);
  const after = repository.git('rev-parse', 'refs/heads/gitstate');
  expect(after).not.toBe(before);
  await manager.resumeEpisode(id);
  expect(repository.git('rev-parse', 'refs/heads/gitstate')).toBe(after);
});

test('C39, C93 a prefix means the newest open episode', async () => {
  const first = await create();
  const second = await create();
  expect(await manager.resumeEpisode('ep_001')).toMatchObject({ session_id: second, status: 'research' });
  await manager.completeEpisode(second);
  expect(await manager.resumeEpisode('ep_001')).toMatchObject({ session_id: first });
  expect(await codeOf(manager.resumeEpisode('ep_009'))).toBe('FEATURE_NOT_FOUND');
  expect(await codeOf(manager.resumeEpisode(second))).toBe('INVALID_TRANSITION');
});

test('C55 each phase can fail, whether it was started or not', async () => {
  const id = await create();
  for (const phase of ['research', 'script', 'audio']) {
    const failed = await manager.markPhaseFailed({ sessionId: id, phase, error: `in ${phase}` });
    expect(failed).toMatchObject({ status: 'failed', phases: { [phase]: { status: 'failed' } } });
    await manager.initiateRecovery(id);
    await complete(id, phase);
  }
});

test('C85, C87 three recoveries, then the archive', async () => {
  const id = await create();
  expect(await manager.canRecover(id)).toBe(false);
  const answers: boolean[] = [];
  for (let attempt = 1; attempt <= 4; attempt += 1) {
    await manager.markPhaseFailed({ sessionId: id, phase: 'research', error: 'x' });
    answers.push(await manager.canRecover(id));
    if (attempt < 4) await manager.initiateRecovery(id);
  }
  expect(answers).toEqual([true, true, true, false]);
  expect(await manager.archiveFailedEpisode(id)).toMatchObject({ status: 'archived' });
  expect(await manager.getActiveEpisodes()).toEqual({});
});

test('C42, C74, C94 orphans are archived; fresh ones stay, and money is never forgotten', async () => {
  await have(productionExample);
  const fresh = await create(3);
  await manager.markPhaseFailed({ sessionId: fresh, phase: 'research', error: 'x' });
  expect(await manager.cleanupOrphanedSessions({ olderThanHours: 24 })).toEqual(['ep_001_20250903_143022']);
  const active = Object.keys(await manager.getActiveEpisodes());
  expect(active).toEqual(['ep_002_20250903_150530', fresh]);
  expect(await manager.getTotalSpending()).toBe(127.45);
  await manager.addCost({ sessionId: fresh, phase: 'research', operation: 'query', cost: 0.15 });
  expect(await manager.getTotalSpending()).toBe(127.6);
});

test('C71, C72, C73 costs add up exactly, and of two managers nothing is lost', async () => {
  const id = await create();
  const managers = [manager, new ProductionStateManager({ cwd: repository.path })];
  const add = (index: number) =>
    managers[index % 2]!.addCost({ sessionId: id, phase: 'research', operation: 'query', cost: 0.1 });
  await Promise.all(Array.from({ length: 13 }, (_, index) => add(index)));
  expect(await manager.getPhaseCost(id, 'research')).toBe(1.3);
  expect(await manager.getPhaseCost(id, 'script')).toBe(0);
  expect(await manager.getEpisodeCost(id)).toBe(1.3);
  expect(await codeOf(manager.addCost({ sessionId: id, phase: 'research', cost: Number.NaN }))).toBe(
    'INVALID_INPUT',
  );
});

test('C77, C78 budgets warn from 80% and stop at 100%', async () => {
  const id = await create();
  const spend = (cost: number) =>
    manager.addCost({ sessionId: id, phase: 'research', operation: 'query', cost });
  expect(await spend(1.59)).toEqual({ phase_cost: 1.59, total_cost: 1.59, warnings: [], stop: false });
  expect(await spend(0.01)).toMatchObject({ warnings: [{ scope: 'step', name: 'research', percent: 80 }] });
  expect(await spend(5.4)).toMatchObject({ total_cost: 7, stop: true });
  expect(await complete(id, 'research')).toMatchObject({ phases: { script: { status: 'pending' } } });
  const start = manager.updatePhase({ sessionId: id, phase: 'script', status: 'active' });
  expect(await codeOf(start)).toBe('BUDGET_EXCEEDED');
});

test('C81 a phase that is complete has its checkpoint; one can be made before', async () => {
  const id = await create();
  expect(await manager.checkpointPhase(id, 'research')).toMatchObject({
    phase: 'research',
    next_phase: 'script',
  });
  expect(await manager.getEpisodeState(id)).toMatchObject({
    phases: { research: { checkpoint: 'research_complete.json' } },
  });
  await complete(id, 'research');
  await manager.checkpointPhase(id, 'research');
  const store = await openTestStore(repository.path);
  const { checkpoints } = await store.checkpointList();
  expect(checkpoints).toMatchObject([{ name: `${id}.research_complete`, automatic: true, tag: null }]);
});

test('C82, C83 a named checkpoint is made once and restored for its episode alone', async () => {
  const [id, other] = [await create(), await create(2)];
  const checkpoint = { sessionId: id, checkpointName: 'custom_checkpoint', data: { a: 1 } };
  expect(await manager.createCheckpoint(checkpoint)).toMatchObject({ data: { a: 1 } });
  expect(await codeOf(manager.createCheckpoint(checkpoint))).toBe('ALREADY_EXISTS');
  await manager.updatePhase({ sessionId: id, phase: 'research', status: 'complete', cost: 1 });
  await complete(id, 'script');
  await complete(other, 'research');
  expect(
    await manager.restoreCheckpoint({ sessionId: id, checkpointName: 'research_complete' }),
  ).toMatchObject({
    total_cost: 1,
    phases: { research: { status: 'complete' }, script: { end_time: null } },
  });
  const back = await manager.restoreCheckpoint({ sessionId: id, checkpointName: 'custom_checkpoint' });
  expect(back).toMatchObject({ phases: { research: { status: 'pending', cost: 1 } } });
  expect(await manager.getPhaseStatus(other, 'research')).toBe('complete');
  const nowhere = manager.restoreCheckpoint({ sessionId: id, checkpointName: 'nope' });
  expect(await codeOf(nowhere)).toBe('CHECKPOINT_NOT_FOUND');
});

test('C88, C89, C38 metrics of known episodes', async () => {
  const at = (minute: number) => `2025-09-03T14:${String(minute).padStart(2, '0')}:00Z`;
  const phase = (cost: number, from: number, to: number) => ({
    status: 'complete',
    cost,
    start_time: at(from),
    end_time: at(to),
    checkpoint: null,
  });
  const episode = (id: string, cost: number, to: number) => ({
    episode_number: 1,
    topic: id,
    session_id: id,
    status: 'complete',
    phases: { research: phase(cost, 0, 5), script: phase(0, 5, 8), audio: phase(0, 8, to) },
    quality_scores: {},
    created_at: at(0),
    updated_at: at(to),
  });
  await have({
    version: '3.0.0',
    active_episodes: {},
    completed_episodes: { a: episode('a', 1, 10), b: episode('b', 2, 15), c: episode('c', 2.5, 20) },
    total_cost: 5.5,
    total_episodes: 25,
  });
  expect(await manager.getProductionMetrics()).toEqual({
    total_episodes: 25,
    success_rate: 1,
    avg_production_time: 15,
    avg_cost: 1.83,
    phase_performance: {
      research: { avg_time: 5, success_rate: 1 },
      script: { avg_time: 3, success_rate: 1 },
      audio: { avg_time: 7, success_rate: 1 },
    },
  });
  expect(await manager.getGlobalMetrics()).toEqual({
    avg_cost_per_episode: 1.83,
    avg_production_time: 15,
    success_rate: 1,
  });
});

test('C90, C91, C95, C101 averages and trend of quality', async () => {
  const store = await openTestStore(repository.path);
  for (const [number, score] of [0.8, 0.8, 0.9, 0.9].entries()) {
    const feature = await create(number);
    await complete(feature, 'research');
    await store.quality({ session: 'production', feature, scores: { brand_consistency: score } });
    await manager.completeEpisode(feature);
  }
  expect(await manager.getQualityMetrics()).toEqual({ avg_brand_consistency: 0.85, trending: 'improving' });
  expect(await manager.exportMetrics()).toEqual(await store.metrics({ session: 'production' }));
});

test('C96 a reset has to be confirmed, and keeps history', async () => {
  await create();
  expect(await codeOf(manager.reset())).toBe('USAGE');
  const before = repository.git('rev-parse', 'refs/heads/gitstate');
  await manager.reset({ confirm: true });
  expect(await manager.getActiveEpisodes()).toEqual({});
  expect(repository.git('rev-parse', 'refs/heads/gitstate~1')).toBe(before);
});
