import fc from 'fast-check';
import { expect, test } from 'vitest';
import { currentSchema } from '../../src/codec/migrate.ts';
import type { Feature, Session } from '../../src/core/entities.ts';
import { contentsOf, type State } from '../../src/core/state.ts';
import { isGitStateError } from '../../src/errors.ts';
import { decodeCommit } from '../../src/git/commit.ts';
import { newObject } from '../../src/git/objects.ts';
import type { History } from '../../src/store/commits.ts';
import { Engine } from '../../src/store/engine.ts';
import type { Store } from '../../src/store/open.ts';
import { emptySnapshot, type Snapshot } from '../../src/store/snapshot.ts';
import { Replay } from '../../src/store/verify/replay.ts';
import { attempt, type StoreMove, storeMoves } from '../support/histories.ts';
import { makeRepository, type TestRepository } from '../support/repo.ts';
import {
  commitsIn,
  forged,
  publishByHand,
  type RawCommit,
  readerWith,
  rehung,
  treeWith,
} from '../support/rewritten.ts';
import { addFeatures, makeStore, openTestStore, type TestEnv, testEnv } from '../support/store.ts';

async function begun(): Promise<{ repository: TestRepository; store: Store; env: TestEnv }> {
  const made = await makeStore({ steps: ['plan', 'code', 'test'] });
  await addFeatures(made.store, ['f1', 'f2']);
  return made;
}

/** Plays what was tried. @returns how much of it was accepted. */
async function play(store: Store, env: TestEnv, moves: readonly StoreMove[]): Promise<number> {
  let accepted = 0;
  for (const move of moves) {
    const later = (ms: number) => {
      env.offsetMs += ms;
    };
    if (await attempt(store, move, later)) accepted += 1;
  }
  return accepted;
}

test('every history that the product can make is verified', async () => {
  let accepted = 0;
  await fc.assert(
    fc.asyncProperty(storeMoves, async (moves) => {
      const { repository, store, env } = await begun();
      accepted += await play(store, env, moves);
      const verification = await store.verify({ full: true, strict: true });
      expect(verification.problems).toEqual([]);
      expect(verification).toMatchObject({ ok: true, complete: true });
      expect(verification.commits).toBe(Number(repository.git('rev-list', '--count', 'gitstate')));
      await store.close();
    }),
    { numRuns: 8 },
  );
  expect(accepted).toBeGreaterThan(60);
}, 60_000);

/** What a restore brings back of an entity: all but who holds it and when it was last touched. */
function restoredPart(feature: Feature): object {
  const { claim: _c, claim_count: _n, ended_claim: _e, worker_id: _w, updated_at: _u, ...rest } = feature;
  const { branch: _b, worktree: _t, ...fields } = rest;
  if (feature.status !== 'in_progress') return fields;
  const steps = fields.steps.map((step) =>
    ['completed', 'skipped'].includes(step.status) ? step : { ...step, status: 'pending', error: null },
  );
  return { ...fields, status: 'pending', steps };
}

function partOf(state: State): object {
  const session = state.sessions.get('s')!;
  const {
    updated_at: _u,
    claim_counts: _c,
    removed_cost: _r,
    status: _s,
    completed_at: _d,
    ...rest
  } = session as Session;
  const rows = [...contentsOf(state, 's').features.values()].map(
    (one) => [one.id, restoredPart(one)] as const,
  );
  return { ...rest, features: Object.fromEntries(rows.sort(([a], [b]) => (a < b ? -1 : 1))) };
}

test('restoring a checkpoint gives its state exactly', async () => {
  await fc.assert(
    fc.asyncProperty(storeMoves, storeMoves, async (before, after) => {
      const { store, env } = await begun();
      const keeping = (moves: StoreMove[]) =>
        moves.filter(({ kind }) => !['reset', 'cleanup'].includes(kind));
      await play(store, env, keeping(before));
      const { commit } = await store.checkpointCreate({ session: 's', name: 'point' });
      const then = (await store.state({ at: `commit:${commit}` }))!.state;
      await play(store, env, keeping(after));
      const facts = contentsOf((await store.state())!.state, 's');
      await store.restore({ session: 's', point: 'point' });
      const now = (await store.state())!.state;
      expect(partOf(now)).toEqual(partOf(then));
      const { costs, checkpoints, workers, artifacts } = contentsOf(now, 's');
      for (const [table, kept] of [
        [costs, facts.costs],
        [checkpoints, facts.checkpoints],
        [workers, facts.workers],
        [artifacts, facts.artifacts],
      ] as const)
        expect([...table.entries()].sort()).toEqual([...kept.entries()].sort());
      expect((await store.verify()).ok).toBe(true);
      await store.close();
    }),
    { numRuns: 4 },
  );
}, 60_000);

interface Recorded {
  repository: TestRepository;
  engine: Engine;
  history: History;
  commits: RawCommit[];
  /** The state before each commit. */
  before: Snapshot[];
}

/** A history of one operation of most kinds, replayed once. */
async function recorded(): Promise<Recorded> {
  const { repository, store, env } = await makeStore({ steps: ['plan', 'code'] });
  await addFeatures(store, ['1', '2']);
  const { token } = await store.claim({ worker: 'W1' });
  await store.stepDone({ feature: '1', step: 'plan', token: token! });
  await store.note({
    message: `a long note ${'which says more than a subject can '.repeat(3)}`,
    worker: 'W2',
  });
  await store.checkpointCreate({ name: 'half', data: { a: [1, null] } });
  await store.costAdd({ feature: '2', amount: 0.25, operation: 'call', tokens: { in: 3 } });
  await store.quality({ feature: '2', scores: { good: 7 } });
  env.offsetMs = 3_600_000;
  await store.claim({ worker: 'W3', feature: '1' });
  await store.fail({ feature: '1', worker: 'W3', error: 'it broke\nbadly' });
  await store.restore({ point: 'half' });
  await store.sessionUpdate({ config: { k: 'v' } });
  const engine = await Engine.open({ cwd: repository.path, env: testEnv() });
  const history = { reader: engine.reader, repository: engine.repository };
  const commits = await commitsIn(engine.reader, repository);
  const replay = new Replay(history, currentSchema, emptySnapshot);
  const before: Snapshot[] = [];
  for (const commit of commits) {
    before.push(replay.snapshot!);
    expect((await replay.step(commit)).problems).toEqual([]);
  }
  return { repository, engine, history, commits, before };
}

/** Whether a commit is found out, looked at behind the state before it. */
async function isFoundOut(
  { history, before }: Recorded,
  at: number,
  body: Buffer,
  objects = [newObject('sha1', 'commit', body)],
) {
  try {
    const commit = { oid: newObject('sha1', 'commit', body).oid, ...decodeCommit(body) };
    const reader = readerWith(history.reader, objects);
    const replay = new Replay({ ...history, reader }, currentSchema, before[at]!);
    return (await replay.step(commit)).problems.some(({ fails }) => fails);
  } catch (error) {
    if (!isGitStateError(error, 'CORRUPT_STATE', 'SCHEMA_TOO_NEW')) throw error;
    return true;
  }
}

const altered = (bytes: Buffer, at: number, mask: number) => {
  const copy = Buffer.from(bytes);
  copy[at]! ^= mask;
  return copy;
};

test('every change of one byte of an operation is found out at its own commit', async () => {
  const scene = await recorded();
  const missed: string[] = [];
  let tried = 0;
  for (const [index, { body }] of scene.commits.entries()) {
    // From the author on: tree and parent are names of objects, which other tests change.
    for (let at = body.indexOf('author ') + (index % 2); at < body.length; at += 2) {
      // Every second byte of the whole history, each with another bit turned.
      const mask = [1, 2, 4, 8, 16, 32, 64, 128][(at + index) % 8]!;
      tried += 1;
      if (!(await isFoundOut(scene, index, altered(body, at, mask))))
        missed.push(`${index}: byte ${at} ^ ${mask}`);
    }
  }
  expect(missed).toEqual([]);
  expect(tried).toBeGreaterThan(3000);
  await scene.engine.close();
}, 60_000);

test('every change of one byte of a state file is found out, though digests were made anew', async () => {
  const scene = await recorded();
  const { repository, engine, commits } = scene;
  const missed: string[] = [];
  let tried = 0;
  for (const [index, commit] of commits.entries()) {
    const files = repository.git('ls-tree', '-r', '--name-only', commit.oid).split('\n');
    for (const path of files) {
      const bytes = (await engine.reader.read(`${commit.oid}:${path}`))!.body;
      for (let at = index % 7; at < bytes.length; at += 53) {
        const objects = await treeWith(engine.reader, commit.tree, path, altered(bytes, at, 1 << (at % 8)));
        const made = forged(commit, { tree: objects.at(-1)!.oid });
        tried += 1;
        if (!(await isFoundOut(scene, index, Buffer.from(made.body), [...objects, made])))
          missed.push(`${index}: ${path} at ${at}`);
      }
    }
  }
  expect(missed).toEqual([]);
  expect(tried).toBeGreaterThan(700);
  await engine.close();
}, 60_000);

test('the command names the first commit that does not follow, with the rest hung behind it', async () => {
  const { repository, engine, commits } = await recorded();
  const fresh = await openTestStore(repository.path);
  for (const at of [2, 5, 9]) {
    const commit = commits[at]!;
    const place = commit.body.indexOf('gitstate-args: {') + 20;
    const edited = newObject('sha1', 'commit', altered(commit.body, place, 1));
    const behind = rehung(commits.slice(at + 1), edited.oid);
    await publishByHand(repository, [edited, ...behind], behind.at(-1)!.oid);
    const { ok, problems } = await fresh.verify({ full: true });
    expect(ok).toBe(false);
    expect(problems.find(({ fails }) => fails)).toMatchObject({ commit: edited.oid });
  }
  for (const at of [3, 6]) {
    const commit = commits[at]!;
    const path = repository
      .git('diff-tree', '-r', '--name-only', commits[at - 1]!.oid, commit.oid)
      .split('\n')[0]!;
    const { body } = (await engine.reader.read(`${commit.oid}:${path}`))!;
    const bytes = Buffer.concat([body, Buffer.from('\n')]);
    const objects = await treeWith(engine.reader, commit.tree, path, bytes);
    const edited = forged(commit, { tree: objects.at(-1)!.oid });
    const behind = rehung(commits.slice(at + 1), edited.oid);
    await publishByHand(repository, [...objects, edited, ...behind], behind.at(-1)!.oid);
    const { problems } = await fresh.verify({ full: true });
    expect(problems.find(({ fails }) => fails)).toMatchObject({ commit: edited.oid, kind: 'tree' });
  }
  await engine.close();
});

test('a repository that holds no store has nothing to verify', async () => {
  const store = await openTestStore(makeRepository().path);
  await expect(store.verify()).rejects.toMatchObject({ code: 'NOT_INITIALIZED' });
});
