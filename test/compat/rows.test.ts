import { beforeEach, describe, expect, test } from 'vitest';
import { exportDocument, importDocument } from '../../src/compat/documents.ts';
import * as or from '../../src/compat/orchestrator.ts';
import * as pd from '../../src/compat/parallel-dev.ts';
import { ProductionStateManager } from '../../src/compat/production.ts';
import type { JsonObject } from '../../src/core/json.ts';
import type { Store } from '../../src/store/open.ts';
import { orchestratorExample, productionExample } from '../formats/seeds.ts';
import { makeWorkplace } from '../support/cli.ts';
import { makeRepository, type TestRepository } from '../support/repo.ts';
import { codeOf, openTestStore, type TestEnv, testEnv } from '../support/store.ts';

/** Items of the three documents, by their numbers in docs/migration.md, that no other test is about. */

let repository: TestRepository;
let store: Store;
let env: TestEnv;
beforeEach(async () => {
  repository = makeRepository();
  env = testEnv();
  store = await openTestStore(repository.path, {}, env);
});

const instant = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);

/** Puts a document into the new store. */
async function have(format: string, document: object) {
  await store.init();
  return importDocument(store, { format, document });
}

describe('parallel-dev', () => {
  beforeEach(() => pd.configure({ cwd: repository.path }));

  const long = '2024-06-17T10:00:00Z';
  const document = (sessions: object[]) => ({ version: '2.0', sessions });
  const sessionOf = async (id: string) => (await pd.loadState()).sessions.find((one) => one.id === id)!;

  test('A1, A6, A8 sessions stand side by side in the order of their start, active at first', async () => {
    const first = await pd.createSession();
    const second = await pd.createSession();
    const { version, sessions } = await pd.loadState();
    expect(version).toBe('2.0');
    expect(sessions.map(({ id, status }) => [id, status])).toEqual([
      [first.id, 'active'],
      [second.id, 'active'],
    ]);
  });

  test('A2, A3, A26, A27, A28, A29 metrics follow each change of a task', async () => {
    const { id } = await pd.createSession();
    const counts = async () => {
      const { total_tasks, completed, in_progress, failed } = (await sessionOf(id)).metrics;
      return [total_tasks, completed, in_progress, failed];
    };
    for (const task of ['a', 'b', 'c']) await pd.updateTaskProgress(id, task, {});
    expect(await counts()).toEqual([3, 0, 0, 0]);
    await pd.updateTaskProgress(id, 'a', { status: 'in_progress' });
    expect(await counts()).toEqual([3, 0, 1, 0]);
    await pd.updateTaskProgress(id, 'a', { status: 'completed' });
    await pd.updateTaskProgress(id, 'b', { status: 'completed' });
    expect(await counts()).toEqual([3, 2, 0, 0]);
    await pd.updateTaskProgress(id, 'c', { status: 'failed' });
    expect(await counts()).toEqual([3, 2, 0, 1]);
  });

  test('A11, A12 a change moves the time of update and leaves that of the start', async () => {
    const times = { started_at: long, updated_at: long };
    await have('parallel-dev', document([{ id: 's', status: 'active', options: {}, tasks: {}, ...times }]));
    await pd.updateTaskProgress('s', 't', {});
    const { started_at, updated_at } = await sessionOf('s');
    expect(started_at).toBe(long);
    expect(updated_at > long).toBe(true);
  });

  test('A25 each completion sets the time again', async () => {
    const tasks = { t: { status: 'completed', started_at: long, completed_at: long } };
    await have(
      'parallel-dev',
      document([{ id: 's', status: 'active', started_at: long, options: {}, tasks }]),
    );
    const { started_at, completed_at } = await pd.updateTaskProgress('s', 't', { status: 'completed' });
    expect(started_at).toBe(long);
    expect((completed_at as string) > long).toBe(true);
  });

  test('A14, A19, A20, A21, A23 fields of a task come back as they were given', async () => {
    const { id } = await pd.createSession();
    const fields = {
      branch: 'feature/t',
      worktree: '.worktrees/t',
      pr_number: 7,
      metrics: { tests: 12, nested: { lines: [1, 2] } },
    };
    await pd.updateTaskProgress(id, 't', fields);
    const { tasks } = await sessionOf(id);
    expect(Object.keys(tasks)).toEqual(['t']);
    expect(tasks.t).toMatchObject(fields);
  });

  test('A54 what is exactly seven days old goes, what is a second younger stays', async () => {
    const now = Date.parse('2026-06-08T00:00:00Z');
    const still = await openTestStore(repository.path, {}, { ...testEnv(), now: () => now });
    await still.init();
    const old = (id: string, updated_at: string) => ({
      id,
      status: 'completed',
      started_at: '2026-05-01T00:00:00Z',
      updated_at,
      options: {},
      tasks: {},
    });
    const sessions = [old('goes', '2026-06-01T00:00:00Z'), old('stays', '2026-06-01T00:00:01Z')];
    await importDocument(still, { format: 'parallel-dev', document: document(sessions) });
    expect((await still.cleanup()).removed).toEqual(['goes']);
  });
});

describe('orchestrator', () => {
  type Document = {
    updated_at: string;
    features: Record<string, JsonObject>;
    workers: JsonObject;
    logs: { level: string; message: string }[];
  };
  const written = async () =>
    (await exportDocument(store, { format: 'orchestrator' })) as unknown as Document;
  const begin = async () => {
    await store.init();
    await store.sessionStart({ session: 's', preset: 'orchestrator' });
    await store.add({ feature: '003', name: 'third' });
  };
  beforeEach(() => or.configure({ cwd: repository.path }));

  test('B12 a name is any text', async () => {
    await begin();
    const name = `"quoted" 'ü' $(x) 漢字 | <b>\\`;
    await store.add({ feature: '004', name });
    expect((await written()).features['004']).toMatchObject({ name });
  });

  test('B18, B19, B24, B25 the document says who works on what, and since when', async () => {
    await begin();
    await or.claimFeature('003', 'W1');
    const during = await written();
    expect(during.workers).toEqual({ W1: { status: 'busy', current_feature: '003' } });
    expect(during.features['003']).toMatchObject({
      worker_id: 'W1',
      started_at: instant,
      completed_at: null,
    });
    await or.markFeatureComplete('003', 'W1', 'done');
    const after = await written();
    expect(after.workers).toEqual({ W1: { status: 'idle', current_feature: null } });
    expect(after.features['003']).toMatchObject({
      worker_id: null,
      started_at: instant,
      completed_at: instant,
    });
  });

  test('B20, B21, B22 failures are counted, with their text as it was', async () => {
    await begin();
    const error = 'first line\n  second "line"';
    for (const count of [1, 2]) {
      await store.claim({ feature: '003', worker: 'W1' });
      await store.fail({ feature: '003', worker: 'W1', error });
      expect((await written()).features['003']).toMatchObject({
        status: 'pending',
        retry_count: count,
        error,
      });
    }
    await or.claimFeature('003', 'W1');
    await or.markFeatureComplete('003', 'W1', 'Implemented X and Y');
    expect((await written()).features['003']).toMatchObject({ summary: 'Implemented X and Y' });
  });

  test('B9, B23, B26 idle workers and the log come along, and drifted counters are told', async () => {
    const workers = { W2: { status: 'idle', current_feature: null } };
    const { warnings } = await have('orchestrator', { ...orchestratorExample, workers });
    expect(warnings).toContainEqual({ path: '$.progress.total_features', stored: 20, computed: 1 });
    await store.note({ message: 'moved over' });
    const document = await written();
    expect(document.workers).toEqual(workers);
    expect(document.logs).toEqual([
      ...orchestratorExample.logs,
      { timestamp: instant, level: 'info', message: expect.stringContaining('moved over') },
    ]);
  });

  test('B28 a level is info, warn or error', async () => {
    await begin();
    for (const level of ['info', 'warn', 'error']) await store.note({ message: 'm', level });
    expect((await written()).logs.map((entry) => entry.level)).toEqual(['info', 'warn', 'error']);
    expect(await codeOf(store.note({ message: 'm', level: 'debug' }))).toBe('INVALID_INPUT');
  });

  test('B32 a feature that needs an unknown one comes in, and is never next', async () => {
    const waiting = { ...orchestratorExample.features['001'], status: 'pending', dependencies: ['999'] };
    await have('orchestrator', { ...orchestratorExample, features: { '001': waiting }, workers: {} });
    expect(await or.findNextPendingFeature()).toBeNull();
    expect(await codeOf(or.claimFeature('001', 'W1'))).toBe('DEPENDENCIES_UNMET');
    expect(await codeOf(store.add({ feature: '002', dependencies: ['999'] }))).toBe('INVALID_INPUT');
  });

  test('B40, B54, B56 every change moves updated_at and is one entry of the log', async () => {
    await begin();
    let last = (await written()).updated_at;
    const commits = () => Number(repository.git('rev-list', '--count', 'gitstate'));
    const before = commits();
    const where = { feature: '003', worker: 'W1' };
    const changes = [
      () => store.claim(where),
      () => store.stepDone({ ...where, step: 'specify' }),
      () => store.stepSkip({ ...where, step: 'clarify' }),
      () => store.complete({ ...where, skipRemaining: true }),
    ];
    for (const change of changes) {
      env.offsetMs += 2000;
      await change();
      const { updated_at } = await written();
      expect(updated_at > last).toBe(true);
      last = updated_at;
    }
    expect(commits()).toBe(before + changes.length);
  });
});

describe('production', () => {
  type Document = {
    active_episodes: Record<string, JsonObject>;
    completed_episodes: Record<string, JsonObject>;
    total_cost: number;
    total_episodes: number;
    last_updated: string;
  };
  let manager: ProductionStateManager;
  beforeEach(() => {
    manager = new ProductionStateManager({ cwd: repository.path });
  });

  const written = async () =>
    (await exportDocument(store, { format: 'production', session: 'production' })) as unknown as Document;
  const create = (episodeNum = 1) => manager.createEpisodeSession({ episodeNum, topic: 'T' });
  const move = (sessionId: string, phase: string, status: string) =>
    manager.updatePhase({ sessionId, phase, status });

  test('C5, C6, C35, C70, C92 open episodes are active, finished and archived ones completed', async () => {
    const [pending, running, failed, done, dropped] = await Promise.all([1, 2, 3, 4, 5].map(create));
    await move(running!, 'research', 'active');
    for (const sessionId of [failed!, dropped!]) {
      await manager.markPhaseFailed({ sessionId, phase: 'research', error: 'no' });
    }
    await move(done!, 'research', 'active');
    await manager.completeEpisode(done!);
    await manager.archiveFailedEpisode(dropped!);
    const document = await written();
    expect(Object.keys(document.active_episodes)).toEqual([pending, running, failed]);
    expect(Object.keys(document.completed_episodes)).toEqual([done, dropped]);
    expect(document.completed_episodes[dropped!]).toMatchObject({ status: 'archived' });
    expect(await manager.getActiveEpisodes()).toEqual(document.active_episodes);
  });

  test('C7, C8, C9, C26 totals of the document go on from where they were', async () => {
    await have('production', productionExample);
    expect(await written()).toMatchObject({ total_cost: 127.45, total_episodes: 25 });
    const sessionId = 'ep_001_20250903_143022';
    await manager.addCost({ sessionId, phase: 'audio', operation: 'tts', cost: 0.15 });
    expect((await written()).total_cost).toBe(127.6);
    await move(sessionId, 'audio', 'complete');
    const document = await written();
    expect(document.last_updated > productionExample.last_updated).toBe(true);
    expect(document.active_episodes[sessionId]).toMatchObject({ updated_at: document.last_updated });
    await create(26);
    expect((await written()).total_episodes).toBe(26);
  });

  test('C19, C20, C21, C22, C23 a phase has its cost, times and checkpoint', async () => {
    const id = await create();
    for (const cost of [1, 0.05]) await manager.addCost({ sessionId: id, phase: 'research', cost });
    await move(id, 'research', 'complete');
    const episode = await manager.updatePhase({
      sessionId: id,
      phase: 'script',
      status: 'complete',
      cost: 0.85,
    });
    expect(episode).toMatchObject({
      total_cost: 1.9,
      phases: {
        research: {
          cost: 1.05,
          start_time: instant,
          end_time: instant,
          checkpoint: 'research_complete.json',
        },
        audio: { cost: 0, start_time: instant, end_time: null, checkpoint: null },
      },
    });
  });

  test('C24 scores have any name and scale', async () => {
    const feature = await create();
    const scores = { research_depth: 9.2, brand_consistency: 0.92 };
    await store.quality({ session: 'production', feature, scores });
    expect(await manager.getEpisodeState(feature)).toMatchObject({ quality_scores: scores });
  });

  test('C37, C52, C53, C54 an episode is where its phase is, and complete only by being completed', async () => {
    const id = await create();
    expect(await move(id, 'research', 'active')).toMatchObject({ status: 'research' });
    expect(await move(id, 'research', 'complete')).toMatchObject({ status: 'script' });
    expect(await manager.getPhaseStatus(id, 'research')).toBe('complete');
    expect(await manager.getPhaseStatus(id, 'script')).toBe('active');
    expect(await move(id, 'script', 'complete')).toMatchObject({ status: 'audio' });
    expect(await move(id, 'audio', 'complete')).not.toMatchObject({ status: 'complete' });
    expect(await manager.completeEpisode(id)).toMatchObject({ status: 'complete' });
  });

  test('C40, C47, C48, C49, C50, C51 a checkpoint says what comes next, and whether it can', async () => {
    const id = await create();
    const data = { script_content: '...', word_count: 4215 };
    await move(id, 'research', 'complete');
    await manager.saveCheckpoint({ sessionId: id, phase: 'script', data });
    const checkpoint = { phase: 'script', timestamp: instant, data, next_phase: 'audio', can_resume: true };
    expect(await manager.loadCheckpoint(id, 'script')).toEqual(checkpoint);
    await move(id, 'script', 'complete');
    await move(id, 'audio', 'complete');
    expect(await manager.loadCheckpoint(id, 'audio')).toMatchObject({ next_phase: null });
    await manager.completeEpisode(id);
    expect(await manager.loadCheckpoint(id, 'audio')).toMatchObject({ can_resume: false });
    const tooMuch = manager.saveCheckpoint({ sessionId: id, phase: 'audio', data: 'x'.repeat(1024 ** 2) });
    expect(await codeOf(tooMuch)).toBe('INVALID_INPUT');
  });

  test('C56 a failed episode can begin again at its first phase', async () => {
    const id = await create();
    await move(id, 'research', 'complete');
    await manager.markPhaseFailed({ sessionId: id, phase: 'script', error: 'no' });
    await store.retry({ session: 'production', feature: id, from: 'research' });
    expect(await manager.getPhaseStatus(id, 'research')).toBe('pending');
    expect(await manager.resumeEpisode(id)).toMatchObject({ status: 'research' });
  });

  test('C69 a phase that is passed over lets the next one begin', async () => {
    const id = await create();
    await move(id, 'research', 'active');
    expect(await move(id, 'research', 'skipped')).toMatchObject({
      status: 'script',
      phases: { research: { status: 'skipped' }, script: { status: 'active' } },
    });
    expect((await store.show({ session: 'production', feature: id })).steps_completed).toEqual([]);
  });

  test('C75, C76, C80 a budget that is raised lets work go on', async () => {
    const id = await create();
    const { budgets } = await store.sessionShow({ session: 'production' });
    expect(budgets).toEqual({ steps: { research: 2, script: 2, audio: 3 }, feature: 7, day: 50 });
    await manager.addCost({ sessionId: id, phase: 'research', cost: 7 });
    expect(await codeOf(move(id, 'research', 'active'))).toBe('BUDGET_EXCEEDED');
    await store.sessionUpdate({ session: 'production', budgetFeature: 8 });
    expect(await move(id, 'research', 'active')).toMatchObject({ status: 'research' });
  });
});

describe('commands', () => {
  test('C97, C98, C99, C100, C103 hooks report steps and costs, and every process sees them', async () => {
    const { ok, json } = await makeWorkplace();
    await ok('session start T --preset production');
    const env = { GITSTATE_SESSION: 'T', GITSTATE_WORKER: 'W1', GITSTATE_FEATURE: 'e1' };
    await ok('add e1', { env });
    const { token } = await json<{ token: string }>('claim e1', { env });
    await ok('step done research', { env: { ...env, GITSTATE_TOKEN: token } });
    await ok('cost add 0.15 --step research --operation query', { env });
    const feature = await json<{ costs: object[] }>('show e1', { env });
    expect(feature).toMatchObject({ current_step: 'script', total_cost: 0.15 });
    expect(feature.costs).toMatchObject([{ amount: 0.15, operation: 'query', worker: 'W1' }]);
    const entries = (await ok('log --json --session T', { env }))
      .split('\n')
      .map((line) => JSON.parse(line) as { op: string; worker: string });
    expect(entries.slice(0, 2)).toMatchObject([
      { op: 'cost.add', worker: 'W1' },
      { op: 'step.done', worker: 'W1' },
    ]);
  });
});
