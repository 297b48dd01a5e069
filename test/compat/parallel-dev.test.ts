import { beforeEach, expect, test } from 'vitest';
import { importDocument } from '../../src/compat/documents.ts';
import * as pd from '../../src/compat/parallel-dev.ts';
import { parallelDevExample } from '../formats/seeds.ts';
import { makeRepository, type TestRepository } from '../support/repo.ts';
import { codeOf, openTestStore } from '../support/store.ts';

let repository: TestRepository;
beforeEach(() => {
  repository = makeRepository();
  pd.configure({ cwd: repository.path });
});

const tip = () => repository.git('rev-parse', 'refs/heads/gitstate');
const zero = { total_tasks: 0, completed: 0, in_progress: 0, failed: 0, average_time_minutes: 0 };

/** Puts a document of parallel-dev into the store. */
async function have(document: unknown): Promise<void> {
  const store = await openTestStore(repository.path);
  await store.init();
  await importDocument(store, { format: 'parallel-dev', document });
}

const oldSession = (id: string, status: string, times: object) => ({
  id,
  status,
  options: {},
  tasks: {},
  ...times,
});

test('A56 the nine names are exported', () => {
  expect(Object.keys(pd).sort()).toEqual(
    [
      'loadState',
      'saveState',
      'createSession',
      'updateSession',
      'getActiveSessions',
      'updateTaskProgress',
      'calculateSessionMetrics',
      'recoverSession',
      'cleanupOldSessions',
      'configure',
    ].sort(),
  );
});

test('A32 without a store the state is empty, and nothing is made', async () => {
  expect(await pd.loadState()).toEqual({ version: '2.0', sessions: [] });
  expect(await pd.getActiveSessions()).toEqual([]);
  expect(repository.git('for-each-ref', 'refs/heads/gitstate')).toBe('');
});

test('A38 a new session is active and empty; the first write makes the store', async () => {
  const session = await pd.createSession({ a: 1 });
  expect(session).toEqual({
    id: expect.stringMatching(/^\d{4}-\d\d-\d\d-001$/),
    status: 'active',
    started_at: expect.stringMatching(/Z$/),
    updated_at: session.started_at,
    options: { a: 1 },
    tasks: {},
    metrics: zero,
  });
  expect(await pd.loadState()).toEqual({ version: '2.0', sessions: [session] });
});

test('A7 sessions created at once get ids of their own', async () => {
  const made = await Promise.all(Array.from({ length: 8 }, () => pd.createSession()));
  expect(new Set(made.map(({ id }) => id)).size).toBe(8);
  expect((await pd.loadState()).sessions).toHaveLength(8);
});

test('A37 the second of two who changed the same is refused, and nothing of it is saved', async () => {
  const { id } = await pd.createSession();
  await pd.updateTaskProgress(id, 't', { note: 'first' });
  const [mine, theirs] = [await pd.loadState(), await pd.loadState()];
  mine.sessions[0]!.tasks.t!.pr_number = 1;
  await pd.saveState(mine);
  theirs.sessions[0]!.tasks.t!.pr_number = 2;
  theirs.sessions[0]!.tasks.other = { status: 'pending' };
  const before = tip();
  expect(await codeOf(pd.saveState(theirs))).toBe('CONFLICT');
  expect(tip()).toBe(before);
  expect((await pd.loadState()).sessions[0]!.tasks).toMatchObject({ t: { pr_number: 1 } });
});

test('A37 changes of different tasks go together, and a document is saved again and again', async () => {
  const { id } = await pd.createSession();
  const [mine, theirs] = [await pd.loadState(), await pd.loadState()];
  mine.sessions[0]!.tasks.a = { status: 'pending' };
  theirs.sessions[0]!.tasks.b = { status: 'pending' };
  await pd.saveState(mine);
  await pd.saveState(theirs);
  mine.sessions[0]!.tasks.a!.status = 'completed';
  await pd.saveState(mine);
  const [session] = (await pd.loadState()).sessions;
  expect(session).toMatchObject({ id, metrics: { ...zero, total_tasks: 2, completed: 1 } });
  expect(session!.tasks.a!.completed_at).toMatch(/Z$/);
  // What others wrote since is not taken for one's own.
  await pd.updateTaskProgress(id, 'a', { note: 'theirs' });
  mine.sessions[0]!.tasks.a!.pr_number = 7;
  expect(await codeOf(pd.saveState(mine))).toBe('CONFLICT');
});

test('A37 a loaded document deletes what it no longer has; one that was not loaded deletes nothing', async () => {
  const first = await pd.createSession();
  const second = await pd.createSession();
  await pd.updateTaskProgress(first.id, 't', {});
  await pd.updateTaskProgress(first.id, 'u', {});
  await pd.saveState({ version: '2.0', sessions: [] });
  expect((await pd.loadState()).sessions).toHaveLength(2);
  const state = await pd.loadState();
  state.sessions.pop();
  delete state.sessions[0]!.tasks.u;
  await pd.saveState(state);
  const left = await pd.loadState();
  expect(left.sessions.map(({ id }) => id)).toEqual([first.id]);
  expect(Object.keys(left.sessions[0]!.tasks)).toEqual(['t']);
  expect((await pd.createSession()).id).not.toBe(second.id);
});

test('saving what did not change makes no commit', async () => {
  await pd.createSession();
  const state = await pd.loadState();
  const before = tip();
  await pd.saveState(state);
  expect(tip()).toBe(before);
});

test('the document of the example is saved into an empty repository and loaded again', async () => {
  await pd.saveState(parallelDevExample as unknown as pd.StateDocument);
  const { metrics: _, ...session } = parallelDevExample.sessions[0]!;
  expect(await pd.loadState()).toEqual({
    version: '2.0',
    sessions: [{ ...session, metrics: { ...zero, total_tasks: 1 } }],
  });
});

test('A34 a document that does not fit is refused with its place', async () => {
  const broken = { version: '2.0', sessions: [{ id: 's', status: 'odd' }] };
  expect(await codeOf(pd.saveState(broken as never))).toBe('INVALID_INPUT');
});

test('A39, A41 fields are merged, options replaced whole, metrics recalculated', async () => {
  const { id } = await pd.createSession({ a: 1, b: 2 });
  await pd.updateTaskProgress(id, 't', { status: 'completed' });
  const updated = await pd.updateSession(id, {
    id: 'other',
    status: 'completed',
    options: { b: null },
    metrics: { x: 1 },
    team: 'red',
  });
  expect(updated).toMatchObject({ id, status: 'completed', options: { b: null }, team: 'red' });
  expect(updated.options).toEqual({ b: null });
  expect(updated.metrics).toEqual({ ...zero, total_tasks: 1, completed: 1 });
  expect((await pd.loadState()).sessions).toEqual([updated]);
});

test('A40, A46, A50 an unknown session is refused', async () => {
  expect(await codeOf(pd.updateSession('nope', {}))).toBe('SESSION_NOT_FOUND');
  await pd.createSession();
  expect(await codeOf(pd.updateSession('nope', {}))).toBe('SESSION_NOT_FOUND');
  expect(await codeOf(pd.updateTaskProgress('nope', 't', {}))).toBe('SESSION_NOT_FOUND');
  expect(await codeOf(pd.recoverSession('nope'))).toBe('SESSION_NOT_FOUND');
});

test('A42 only active sessions are listed', async () => {
  const made = [await pd.createSession(), await pd.createSession(), await pd.createSession()];
  await pd.updateSession(made[0]!.id, { status: 'completed' });
  await pd.updateSession(made[2]!.id, { status: 'failed' });
  expect((await pd.getActiveSessions()).map(({ id }) => id)).toEqual([made[1]!.id]);
});

test('A43 a task that is not there is made', async () => {
  const { id } = await pd.createSession();
  expect(await pd.updateTaskProgress(id, 't', {})).toMatchObject({
    status: 'pending',
    started_at: null,
    completed_at: null,
  });
});

test('A44, A45 other fields are merged, and the status stays', async () => {
  const { id } = await pd.createSession();
  await pd.updateTaskProgress(id, 't', {
    status: 'in_progress',
    note: 'x',
    pr_number: 3,
    phases: { plan: 1 },
  });
  const task = await pd.updateTaskProgress(id, 't', { pr_number: 4, more: [1] });
  expect(task).toMatchObject({
    status: 'in_progress',
    note: 'x',
    more: [1],
    pr_number: 4,
    phases: { plan: 1 },
  });
  expect((await pd.loadState()).sessions[0]!.tasks.t).toEqual(task);
});

test('A16, A24 the first start counts, and needs no worker', async () => {
  const { id } = await pd.createSession();
  const started = '2024-06-17T10:00:00Z';
  const first = await pd.updateTaskProgress(id, 't', { status: 'in_progress', started_at: started });
  expect(first.started_at).toBe(started);
  expect((await pd.updateTaskProgress(id, 't', { status: 'in_progress' })).started_at).toBe(started);
  const store = await openTestStore(repository.path);
  expect((await store.show({ feature: 't' })).claim).toBeNull();
});

test('A17, A18 any status is set directly; others are refused', async () => {
  const { id } = await pd.createSession();
  expect((await pd.updateTaskProgress(id, 't', { status: 'completed' })).completed_at).toMatch(/Z$/);
  expect(await pd.updateTaskProgress(id, 'u', { status: 'failed' })).toMatchObject({ status: 'failed' });
  expect(await codeOf(pd.updateTaskProgress(id, 't', { status: 'archived' }))).toBe('INVALID_INPUT');
});

test('A47 a time of completion that is given is kept', async () => {
  const { id } = await pd.createSession();
  const at = '2024-06-17T12:30:00+02:00';
  const task = await pd.updateTaskProgress(id, 't', { status: 'completed', completed_at: at });
  expect(task.completed_at).toBe('2024-06-17T10:30:00Z');
});

test('A44 updates at once lose nothing', async () => {
  const { id } = await pd.createSession();
  const keys = Array.from({ length: 8 }, (_, index) => `k${index}`);
  await Promise.all(keys.map((key) => pd.updateTaskProgress(id, 't', { [key]: key })));
  const [session] = (await pd.loadState()).sessions;
  expect(session!.tasks.t).toMatchObject(Object.fromEntries(keys.map((key) => [key, key])));
});

test('A48 metrics are computed of any document', () => {
  const spans = [90_000, 150_000].map((ms) => ({
    status: 'completed',
    started_at: '2024-06-17T10:00:00Z',
    completed_at: new Date(Date.parse('2024-06-17T10:00:00Z') + ms).toISOString(),
  }));
  const tasks = { a: spans[0], b: spans[1], c: { status: 'in_progress' }, d: { status: 'failed' } };
  expect(pd.calculateSessionMetrics({ tasks })).toEqual({
    total_tasks: 4,
    completed: 2,
    in_progress: 1,
    failed: 1,
    average_time_minutes: 2,
  });
});

test('A49 a session is recovered from any status', async () => {
  const { id } = await pd.createSession();
  await pd.updateSession(id, { status: 'failed' });
  expect(await pd.recoverSession(id)).toMatchObject({ status: 'active', recovered_at: expect.any(String) });
});

test('A51, A52, A53 old sessions go unless they are active; the start counts where no update is known', async () => {
  const times = { started_at: '2020-01-01T00:00:00Z', updated_at: '2020-01-02T00:00:00Z' };
  const fresh = new Date(Date.now() - 6 * 86_400_000).toISOString();
  await have({
    version: '2.0',
    sessions: [
      oldSession('active', 'active', times),
      oldSession('old', 'completed', times),
      oldSession('unknown', 'failed', { started_at: times.started_at }),
      oldSession('fresh', 'completed', { started_at: times.started_at, updated_at: fresh }),
    ],
  });
  await pd.cleanupOldSessions();
  expect((await pd.loadState()).sessions.map(({ id }) => id)).toEqual(['active', 'fresh']);
});

test('A55 zero days: all that are not active go', async () => {
  const { id } = await pd.createSession();
  await pd.updateSession(id, { status: 'completed' });
  const active = await pd.createSession();
  await pd.cleanupOldSessions(0);
  expect((await pd.loadState()).sessions.map((session) => session.id)).toEqual([active.id]);
});

test('a claimed task is written to by its holder alone', async () => {
  const { id } = await pd.createSession();
  await pd.updateTaskProgress(id, 't', {});
  const store = await openTestStore(repository.path);
  await store.claim({ feature: 't', worker: 'w1' });
  expect(await codeOf(pd.updateTaskProgress(id, 't', { note: 1 }))).toBe('NOT_HOLDER');
  const state = await pd.loadState();
  state.sessions[0]!.tasks.t!.status = 'completed';
  expect(await codeOf(pd.saveState(state))).toBe('NOT_HOLDER');
  expect(await codeOf(pd.updateSession(id, { status: 'completed' }))).toBe('INVALID_TRANSITION');
  pd.configure({ cwd: repository.path, worker: 'w1' });
  await pd.saveState(state);
  expect(await store.show({ feature: 't' })).toMatchObject({ status: 'completed', claim: null });
});
