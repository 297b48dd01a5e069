import { expect, test } from 'vitest';
import { exportDocument, importDocument } from '../../src/compat/documents.ts';
import { orchestratorExample, parallelDevExample, productionExample } from '../formats/seeds.ts';
import { without } from '../formats/support.ts';
import { makeRepository } from '../support/repo.ts';
import { addFeatures, codeOf, makeStore, openTestStore } from '../support/store.ts';

async function emptyStore() {
  const repository = makeRepository();
  const store = await openTestStore(repository.path);
  await store.init();
  return { repository, store };
}

test.each([
  ['parallel-dev', parallelDevExample, ['sessions.0.metrics.*']],
  ['orchestrator', orchestratorExample, ['progress.*']],
  ['production', productionExample, ['metrics.*']],
] as const)('the example of %s goes through the store without loss', async (format, document, computed) => {
  const { store } = await emptyStore();
  const { sessions, commit, warnings } = await importDocument(store, { format, document });
  expect(sessions).toHaveLength(1);
  expect(commit).toMatch(/^[0-9a-f]{40}$/);
  expect(warnings.length).toBeGreaterThan(0);
  const out = await exportDocument(store, { format });
  expect(without(out, computed)).toEqual(without(document as never, computed));
  expect(await codeOf(importDocument(store, { format, document }))).toBe('ALREADY_EXISTS');
  const again = await importDocument(store, { format, document, session: 'other' });
  expect(again.sessions).toEqual(['other']);
});

test('a dry run tells the same and writes nothing', async () => {
  const { repository, store } = await emptyStore();
  const before = repository.git('rev-parse', 'refs/heads/gitstate');
  const request = { format: 'orchestrator', document: orchestratorExample };
  const dry = await importDocument(store, { ...request, dryRun: true });
  expect(dry).toMatchObject({ commit: null, changed: false, sessions: [orchestratorExample.session_id] });
  expect(repository.git('rev-parse', 'refs/heads/gitstate')).toBe(before);
  expect((await importDocument(store, request)).warnings).toEqual(dry.warnings);
});

test('formats that are not known are refused', async () => {
  const { store } = await emptyStore();
  expect(await codeOf(importDocument(store, { format: 'csv', document: '' }))).toBe('INVALID_INPUT');
  expect(await codeOf(exportDocument(store, { format: 'toString' }))).toBe('INVALID_INPUT');
});

test('texts are written of the session that is meant, and of an earlier point', async () => {
  const { store } = await makeStore();
  await addFeatures(store, ['a']);
  const { commit } = await store.add({ feature: 'b' });
  await store.claim({ feature: 'a', worker: 'w' });
  const { expires_at } = await store.heartbeat({ feature: 'a', worker: 'w', lease: '2h' });
  expect(await exportDocument(store, { format: 'json' })).toMatchObject({
    session: { id: 's' },
    features: [{ id: 'a', claim: { expires_at } }, { id: 'b' }],
  });
  expect(String(await exportDocument(store, { format: 'csv' })).split('\n')).toHaveLength(4);
  expect(await exportDocument(store, { format: 'mermaid' })).toMatch(/^flowchart LR\n/);
  expect(await exportDocument(store, { format: 'markdown' })).toContain('in progress');
  const then = await exportDocument(store, { format: 'orchestrator', at: commit! });
  expect(then).toMatchObject({ features: { a: { status: 'pending' } }, logs: [] });
  expect(await exportDocument(store, { format: 'parallel-dev', at: commit! })).toMatchObject({
    sessions: [{ id: 's', tasks: { a: { status: 'pending' } } }],
  });
});

test('without a store there is no document', async () => {
  const store = await openTestStore(makeRepository().path);
  for (const format of ['parallel-dev', 'production', 'csv']) {
    expect(await codeOf(exportDocument(store, { format }))).toBe('NOT_INITIALIZED');
  }
  const request = { format: 'parallel-dev', document: parallelDevExample };
  expect(await codeOf(importDocument(store, request))).toBe('NOT_INITIALIZED');
});
