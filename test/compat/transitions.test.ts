import { beforeAll, describe, expect, test } from 'vitest';
import { ProductionStateManager } from '../../src/compat/production.ts';
import { isGitStateError } from '../../src/errors.ts';
import type { Store } from '../../src/store/open.ts';
import { gitState } from '../support/cli.ts';
import { makeRepository, type TestRepository } from '../support/repo.ts';
import { openTestStore } from '../support/store.ts';

/** The state diagram of production.md, walked as a whole: every operation in every state. The diagram's own arrows are
 *  there, what the text adds to it (skipped phases, archived episodes), and nothing else. */

const session = 'production';
const phases = ['research', 'script', 'audio'] as const;
type Place = { session: string; feature: string };

/** How an episode gets into each state. */
const states: Record<string, (store: Store, at: Place) => Promise<unknown>> = {
  initialized: async () => {},
  research: (store, at) => store.stepStart({ ...at, step: 'research' }),
  script: (store, at) => store.stepDone({ ...at, step: 'research' }),
  audio: async (store, at) => {
    await states.script!(store, at);
    await store.stepDone({ ...at, step: 'script' });
  },
  // All phases are done, and nobody has said that the episode is.
  produced: async (store, at) => {
    await states.audio!(store, at);
    await store.stepDone({ ...at, step: 'audio' });
  },
  complete: async (store, at) => {
    await states.produced!(store, at);
    await store.complete(at);
  },
  failed: async (store, at) => {
    await states.script!(store, at);
    await store.fail({ ...at, error: 'e', noRetry: true });
  },
  recovery: async (store, at) => {
    await states.failed!(store, at);
    await store.retry(at);
  },
  archived: async (store, at) => {
    await states.failed!(store, at);
    await store.archive(at);
  },
};

type Operate = (manager: ProductionStateManager, id: string) => Promise<unknown>;

const moves = (['active', 'complete', 'failed', 'skipped', 'pending'] as const).flatMap((status) =>
  phases.map((phase): [string, Operate] => [
    `${phase} ${status}`,
    (manager, sessionId) => manager.updatePhase({ sessionId, phase, status }),
  ]),
);
const failures = phases.map((phase): [string, Operate] => [
  `mark ${phase} failed`,
  (manager, sessionId) => manager.markPhaseFailed({ sessionId, phase, error: 'e' }),
]);
const operations = new Map<string, Operate>([
  ...moves,
  ...failures,
  ['complete episode', (manager, id) => manager.completeEpisode(id)],
  ['recover', (manager, id) => manager.recoverFailedSession(id)],
  ['initiate recovery', (manager, id) => manager.initiateRecovery(id)],
  ['archive', (manager, id) => manager.archiveFailedEpisode(id)],
  ['resume', (manager, id) => manager.resumeEpisode(id)],
]);

/** What is legal in each state, with the status that the episode has afterwards; `same` changes nothing. */
const legal: Record<string, Record<string, string>> = {
  initialized: {
    'research active': 'research',
    'research complete': 'script',
    'research failed': 'research',
    'research skipped': 'initialized',
    'script skipped': 'initialized',
    'audio skipped': 'initialized',
    'research pending': 'same',
    'script pending': 'same',
    'audio pending': 'same',
    'mark research failed': 'failed',
    archive: 'archived',
    resume: 'research',
  },
  research: {
    'research active': 'same',
    'research complete': 'script',
    'research failed': 'research',
    'research skipped': 'script',
    'script skipped': 'research',
    'audio skipped': 'research',
    'script pending': 'same',
    'audio pending': 'same',
    'mark research failed': 'failed',
    'complete episode': 'complete',
    archive: 'archived',
    resume: 'same',
  },
  script: {
    'research complete': 'same',
    'script active': 'same',
    'script complete': 'audio',
    'script failed': 'script',
    'script skipped': 'audio',
    'audio skipped': 'script',
    'audio pending': 'same',
    'mark script failed': 'failed',
    'complete episode': 'complete',
    archive: 'archived',
    resume: 'same',
  },
  audio: {
    'research complete': 'same',
    'script complete': 'same',
    'audio active': 'same',
    'audio complete': 'audio',
    'audio failed': 'audio',
    'audio skipped': 'audio',
    'mark audio failed': 'failed',
    'complete episode': 'complete',
    archive: 'archived',
    resume: 'same',
  },
  produced: {
    'research complete': 'same',
    'script complete': 'same',
    'audio complete': 'same',
    'complete episode': 'complete',
    archive: 'archived',
    resume: 'same',
  },
  complete: {
    'research complete': 'same',
    'script complete': 'same',
    'audio complete': 'same',
    archive: 'archived',
  },
  failed: {
    'research complete': 'same',
    'script failed': 'same',
    'audio pending': 'same',
    recover: 'script',
    'initiate recovery': 'script',
    archive: 'archived',
    resume: 'script',
  },
  recovery: {
    'research complete': 'same',
    'script active': 'script',
    'script complete': 'audio',
    'script failed': 'script',
    'script skipped': 'audio',
    'audio skipped': 'script',
    'script pending': 'same',
    'audio pending': 'same',
    'mark script failed': 'failed',
    archive: 'archived',
    resume: 'script',
  },
  archived: {
    'research complete': 'same',
    'script failed': 'same',
    'audio pending': 'same',
  },
};

let repository: TestRepository;
let store: Store;
let manager: ProductionStateManager;
let count = 0;
beforeAll(async () => {
  repository = makeRepository();
  repository.git('config', 'gitstate.durable', 'false');
  store = await openTestStore(repository.path);
  await store.init();
  await store.sessionStart({ session, preset: 'production' });
  manager = new ProductionStateManager({ cwd: repository.path });
});

async function episodeIn(state: string): Promise<string> {
  count += 1;
  const feature = `ep_${count}`;
  await store.add({ session, feature });
  await states[state]!(store, { session, feature });
  return feature;
}

const shown = (feature: string) => store.show({ session, feature });

/** The operation's answer, or the refusal. */
async function attempt(run: () => Promise<unknown>) {
  try {
    return { answer: (await run()) as { status?: string } };
  } catch (error) {
    if (!isGitStateError(error)) throw error;
    return { refusal: error };
  }
}

function expectNamed(message: string, allowed: unknown): void {
  expect(allowed).toEqual(expect.arrayContaining([expect.any(String)]));
  for (const one of allowed as string[]) expect(message).toContain(one);
}

describe.each(Object.keys(states))('an episode in state %s', (state) => {
  test.each([...operations.keys()])('%s', async (name) => {
    const id = await episodeIn(state);
    const before = await shown(id);
    const { answer, refusal } = await attempt(() => operations.get(name)!(manager, id));
    const expected = legal[state]![name];
    if (expected === undefined) {
      expect(refusal?.code).toBe('INVALID_TRANSITION');
      expectNamed(refusal!.message, refusal!.details.allowed);
      expect(await shown(id)).toEqual(before);
      return;
    }
    expect(refusal).toBeUndefined();
    if (expected === 'same') expect(await shown(id)).toEqual(before);
    else expect(answer!.status).toBe(expected);
  });
});

describe('on the command line', () => {
  const commands: Record<string, string[]> = {
    'research active': ['step', 'start', 'ID', 'research'],
    'script active': ['step', 'start', 'ID', 'script'],
    'script complete': ['step', 'done', 'ID', 'script'],
    'script failed': ['step', 'fail', 'ID', 'script'],
    'research skipped': ['step', 'skip', 'ID', 'research'],
    'complete episode': ['complete', 'ID', '--skip-remaining'],
    archive: ['archive', 'ID'],
  };

  test.each(Object.keys(states))('what is illegal in state %s is refused, too', async (state) => {
    const illegal = Object.keys(commands).filter((name) => legal[state]![name] === undefined);
    await Promise.all(
      illegal.map(async (name) => {
        const id = await episodeIn(state);
        const words = commands[name]!.map((word) => (word === 'ID' ? id : word));
        const { status, stderr } = await gitState([...words, '--json'], { cwd: repository.path });
        const { error } = JSON.parse(stderr.trim().split('\n').at(-1)!);
        expect({ name, status, code: error.code }).toEqual({ name, status: 4, code: 'INVALID_TRANSITION' });
        expectNamed(error.message, error.details.allowed);
      }),
    );
  });
});
