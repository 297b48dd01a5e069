import { expect, it } from 'vitest';
import type { LogEntry } from '../../src/store/api/log.ts';
import { addFeatures, codeOf, makeStore, openTestStore } from '../support/store.ts';

const pollMs = 10;

/** The next `count` entries, as operation and feature. */
async function take(entries: AsyncGenerator<LogEntry>, count: number): Promise<string[]> {
  const taken: string[] = [];
  while (taken.length < count) {
    const { value } = (await entries.next()) as { value: LogEntry };
    taken.push([value.op, value.feature ?? value.session].join(' '));
  }
  return taken;
}

it('tells of each commit once and oldest first, from the call on', async () => {
  const { repository, store } = await makeStore();
  const entries = store.watch({ pollMs });
  const other = await openTestStore(repository.path);
  for (const feature of ['001', '002', '003']) await other.add({ feature });
  expect(await take(entries, 3)).toEqual(['feature.add 001', 'feature.add 002', 'feature.add 003']);
  const next = take(entries, 2);
  await other.claim({ feature: '001', worker: 'W1' });
  await store.note({ message: 'seen' });
  expect(await next).toEqual(['feature.claim 001', 'note.add s']);
  await entries.return(undefined);
});

it('goes on behind any commit, and ends when it is told to', async () => {
  const { store } = await makeStore();
  await addFeatures(store, ['001']);
  const first = await store.claim({ feature: '001', worker: 'W1' });
  await store.complete({ feature: '001', worker: 'W1' });
  const end = new AbortController();
  const seen: (string | null)[] = [];
  for await (const { op } of store.watch({
    since: first.commit!.slice(0, 9),
    pollMs: 60_000,
    signal: end.signal,
  })) {
    seen.push(op);
    setImmediate(() => end.abort());
  }
  expect(seen).toEqual(['feature.complete']);
  expect((await store.watch({ signal: AbortSignal.abort() }).next()).done).toBe(true);
});

it('of one session leaves the others out', async () => {
  const { store } = await makeStore();
  const entries = store.watch({ pollMs, session: 's' });
  await store.sessionStart({ session: 't' });
  await store.add({ session: 't', feature: '001' });
  const { built_in: _, ...preset } = (await store.presetList()).presets[0]!;
  await store.presetPut({ preset: { ...preset, name: 'p' } });
  await store.add({ session: 's', feature: '002' });
  expect(await take(entries, 2)).toEqual(['preset.put ', 'feature.add 002']);
  await entries.return(undefined);
});

it('goes on where the branch was moved to another line', async () => {
  const { repository, store } = await makeStore();
  const base = await store.tip();
  const entries = store.watch({ pollMs });
  await store.add({ feature: '001' });
  expect(await take(entries, 1)).toEqual(['feature.add 001']);
  repository.git('update-ref', '-m', 'gitstate', 'refs/heads/gitstate', base!);
  const other = await openTestStore(repository.path);
  await other.add({ feature: '002' });
  expect(await take(entries, 1)).toEqual(['feature.add 002']);
  await entries.return(undefined);
});

it('needs a store, and a commit that is there', async () => {
  const { repository, store } = await makeStore();
  expect(await codeOf(store.watch({ since: '0'.repeat(40) }).next())).toBe('COMMIT_NOT_FOUND');
  expect(await codeOf(store.watch({ since: '0123456789' }).next())).toBe('COMMIT_NOT_FOUND');
  const empty = await openTestStore(repository.path, { branch: 'other' });
  expect(await codeOf(empty.watch().next())).toBe('NOT_INITIALIZED');
});
