import { expect } from 'vitest';
import { apply } from '../../src/core/apply.ts';
import { systemEnv } from '../../src/env.ts';
import { operationOf } from '../../src/store/commits.ts';
import { Engine } from '../../src/store/engine.ts';
import { walk } from '../../src/store/history.ts';
import { record } from '../../src/store/record.ts';
import { emptySnapshot, type Snapshot } from '../../src/store/snapshot.ts';
import type { TestRepository } from './repo.ts';

/** Holds after every test, whatever was done: the objects are sound, history is one line, and replaying the operations
 *  that the commits carry gives exactly the trees that stand there. */
export async function expectSound(repository: TestRepository, branch = 'gitstate'): Promise<void> {
  expect(repository.git('fsck', '--strict', '--full', '--no-dangling')).toBe('');
  expect(repository.git('rev-list', '--min-parents=2', branch)).toBe('');
  const engine = await Engine.open({ cwd: repository.path, env: systemEnv(), branch });
  try {
    await expectReplayed(engine);
  } finally {
    await engine.close();
  }
}

async function expectReplayed(engine: Engine): Promise<void> {
  const { reader, repository, identity } = engine;
  const commits = [];
  for await (const commit of walk({ reader, repository }, (await engine.tip())!)) commits.unshift(commit);
  const seen = new Set<string>();
  let snapshot: Snapshot = emptySnapshot;
  const states = new Map<string, Snapshot>();
  for (const commit of commits) {
    const operation = (await operationOf(reader, commit))!;
    expect(seen.has(operation.id), `operation ${operation.id} stands twice`).toBe(false);
    seen.add(operation.id);
    const after = apply(snapshot.state, operation, { stateAt: (oid) => states.get(oid)!.state });
    const recorder = {
      format: repository.objectFormat,
      identity: { ...identity, email: commit.author.email },
    };
    const recorded = record(recorder, snapshot, operation, after);
    expect(recorded.snapshot.tree?.oid, commit.message).toBe(commit.tree);
    snapshot = { ...recorded.snapshot, commit: commit.oid };
    states.set(commit.oid, snapshot);
  }
}
