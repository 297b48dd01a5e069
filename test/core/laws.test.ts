import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { neverStopped } from '../../src/core/budgets.ts';
import { removedCost } from '../../src/core/costs.ts';
import { type Change, diffStates } from '../../src/core/diff.ts';
import type { Feature } from '../../src/core/entities.ts';
import { type OperationType, operationTypes } from '../../src/core/operation.ts';
import { nextStep, progressOf } from '../../src/core/select.ts';
import { type Contents, emptyContents, emptyState, type State } from '../../src/core/state.ts';
import { Table } from '../../src/core/table.ts';
import { costsView } from '../../src/core/views.ts';
import { GitStateError } from '../../src/errors.ts';
import { at, claiming, filesOf, leaseEnd, Scene, stateOf, takingOver } from '../support/scene.ts';

const features = ['f1', 'f2', 'f3', 'F3'];
const workers = ['W1', 'W2', 'w2'];
const steps = ['plan', 'code', 'test'];
const plans = [undefined, ['plan'], [], ['code', 'plan', 'code2']];

/** What somebody tries, right or wrong; how it is written follows from the state in which it is tried. */
const move = fc.record({
  kind: fc.oneof(
    {
      weight: 6,
      arbitrary: fc.constantFrom('claim', 'start', 'done', 'fail step', 'skip', 'complete', 'fail'),
    },
    {
      weight: 3,
      arbitrary: fc.constantFrom(
        'claim',
        'add',
        'takeover',
        'renew',
        'release',
        'resume',
        'retry',
        'archive',
        'remove',
        'wake',
      ),
    },
    {
      weight: 2,
      arbitrary: fc.constantFrom('wake', 'status', 'needs', 'point', 'restore', 'restore one', 'end', 'note'),
    },
    { weight: 2, arbitrary: fc.constantFrom('cost', 'set cost', 'score', 'artifact', 'recover') },
  ),
  feature: fc.constantFrom(...features),
  worker: fc.constantFrom(...workers),
  step: fc.constantFrom(...steps),
  as: fc.constantFrom('token', 'token', 'token', 'name', 'nobody', 'stale', 'force'),
  flag: fc.boolean(),
  pick: fc.nat({ max: 3 }),
});
type Move = typeof move extends fc.Arbitrary<infer T> ? T : never;
const moves = fc.array(move, { minLength: 10, maxLength: 60 });

function rightOf(feature: Feature | undefined, { as, worker }: Move): object {
  if (as === 'force') return { force: true };
  if (as === 'nobody' || !feature?.claim) return as === 'stale' ? { claim: '9'.repeat(64) } : {};
  if (as === 'stale') return { claim: '9'.repeat(64), worker: feature.worker_id };
  return as === 'token' ? { claim: feature.claim.id } : { worker };
}

function operationOf(scene: Scene, tried: Move): [OperationType, object] | null {
  const { feature, worker, flag, pick } = tried;
  const present = scene.feature(feature);
  const step = (flag && present && nextStep(present)) || tried.step;
  const right = rightOf(present, tried);
  const number = scene.minute + 1;
  switch (tried.kind) {
    case 'add': {
      // Half of them under a new id, which nothing but the session's end stands in the way of.
      const id = flag ? `new${number}` : feature;
      return [
        'feature.add',
        { feature: id, steps: plans[pick], dependencies: pick > 1 ? [features[pick]] : [] },
      ];
    }
    case 'claim':
      return ['feature.claim', claiming(feature, worker, number, flag ? { runner: true } : {})];
    case 'takeover': {
      if (!present?.claim) return null;
      const { takeover } = takingOver(present.worker_id!, 0, flag ? 'dead' : 'expired');
      return [
        'feature.claim',
        claiming(feature, worker, number, { takeover: { ...takeover, claim: present.claim.id } }),
      ];
    }
    case 'start':
      return ['step.start', { feature, step, ...right }];
    case 'done':
      return ['step.done', { feature, step, ...right }];
    case 'fail step':
      return ['step.fail', { feature, step, error: 'e', ...right }];
    case 'skip':
      return ['step.skip', { feature, step, ...right }];
    case 'complete':
      return ['feature.complete', { feature, ...(flag ? { skip_remaining: true } : {}), ...right }];
    case 'fail':
      return ['feature.fail', { feature, error: 'e', ...(flag ? { no_retry: true } : {}), ...right }];
    case 'renew': {
      if (!present?.claim) return null;
      const [worker, claim] = [present.worker_id!, flag ? present.claim.id : '9'.repeat(64)];
      return ['feature.renew', { feature, worker, claim, lease_end: leaseEnd(20 + pick) }];
    }
    case 'release':
      return ['feature.release', { feature, ...right }];
    case 'resume': {
      if (!present?.claim) return null;
      const { takeover } = takingOver(present.worker_id!, 0, flag ? 'dead' : 'expired');
      return ['feature.release', { feature: present.id, over: { ...takeover, claim: present.claim.id } }];
    }
    case 'retry':
      return ['feature.retry', { feature, ...(flag ? { from: step } : {}) }];
    case 'archive':
      return ['feature.archive', { feature, ...right }];
    case 'remove':
      return ['feature.remove', { feature, ...right }];
    case 'status':
      return [
        'feature.update',
        { feature, set: { status: ['pending', 'in_progress', 'completed', 'failed'][pick] }, ...right },
      ];
    case 'needs':
      return ['feature.update', { feature, set: { dependencies: flag ? [features[pick]] : [] }, ...right }];
    case 'cost':
    case 'set cost':
      return [
        tried.kind === 'cost' ? 'cost.add' : 'cost.set',
        {
          feature,
          amount: pick / 10,
          tokens: null,
          step: flag ? step : null,
          operation: 'call',
          ...(flag ? { key: String(pick) } : {}),
        },
      ];
    case 'score':
      return ['quality.set', { feature, scores: { a: pick } }];
    case 'artifact':
      return [
        'artifact.put',
        { feature, step, files: [{ path: `f${pick}`, oid: 'a'.repeat(40), size: pick }], ...right },
      ];
    case 'recover': {
      if (!present?.claim) return ['session.recover', { released: [] }];
      const { takeover } = takingOver(present.worker_id!, 0, 'expired');
      return [
        'session.recover',
        { released: [{ feature: present.id, ...takeover, claim: present.claim.id }] },
      ];
    }
    case 'point':
      scene.mark(String(pick));
      return null;
    case 'restore':
      return ['state.restore', pointOf(pick)];
    case 'restore one':
      return ['state.restore', { ...pointOf(pick), feature }];
    case 'end':
      return [
        (['session.complete', 'session.fail', 'session.archive'] as const)[pick % 3]!,
        flag ? { force: true } : {},
      ];
    case 'wake':
      return ['session.update', { status: 'active', config: { k: flag ? pick : null } }];
    default:
      return ['note.add', { message: 'm', level: 'info' }];
  }
}

function pointOf(pick: number) {
  const commit = String(pick).repeat(40);
  return { commit, tree: commit, point: String(pick) };
}

const blank = () => Scene.started({ steps, auto_checkpoints: true, max_retries: 1 });

function start(): Scene {
  const scene = blank();
  scene.do('plan.load', { features: [{ id: 'f1' }, { id: 'f2', dependencies: ['f1'] }, { id: 'F3' }] });
  for (const digit of ['0', '1', '2', '3']) scene.mark(digit);
  return scene;
}

/** Plays moves; refused ones change nothing. @returns whether each was accepted. */
function play(scene: Scene, tried: Move[], after: (scene: Scene, before: State) => void = () => {}): void {
  for (const one of tried) {
    const operation = operationOf(scene, one);
    if (!operation) continue;
    const before = scene.state;
    try {
      scene.do(...operation);
    } catch (error) {
      if (!(error instanceof GitStateError)) throw error;
      expect(error.code).not.toBe('INTERNAL');
    }
    after(scene, before);
  }
}

function expectSound(contents: Contents): void {
  const { total, pending, ready, blocked, in_progress, completed, failed, archived } = progressOf(
    contents,
    neverStopped,
  );
  expect(pending + in_progress + completed + failed + archived).toBe(total);
  expect(ready + blocked).toBe(pending);
  const holders = new Set<string>();
  for (const feature of contents.features.values()) {
    const { claim, worker_id, status, completed_at } = feature;
    expect(claim === null).toBe(worker_id === null);
    if (claim) {
      expect(status).toBe('in_progress');
      expect(holders.has(worker_id!.toLowerCase())).toBe(false);
      holders.add(worker_id!.toLowerCase());
    }
    if (status !== 'archived') expect(completed_at !== null).toBe(status === 'completed');
    expectSoundSteps(feature);
  }
}

function expectSoundSteps({ status, steps: all }: Feature): void {
  const open = all.findIndex((step) => step.status !== 'completed' && step.status !== 'skipped');
  for (const [index, step] of all.entries()) {
    if (step.status === 'completed' && open >= 0) expect(index).toBeLessThan(open);
    if (step.status === 'active') expect([status, index]).toEqual(['in_progress', open]);
    if (step.status === 'failed') expect(index).toBe(open);
    expect(step.completed_at !== null).toBe(step.status === 'completed');
  }
}

/** The highest claim counter known under each id. */
function claimCounts(scene: Scene): Map<string, number> {
  const counts = new Map(Object.entries(scene.session().claim_counts));
  for (const [key, { claim_count }] of scene.contents().features.entries()) counts.set(key, claim_count);
  return counts;
}

describe('any history', () => {
  test('keeps every state sound, and every claim counter rising', () => {
    const accepted = new Set<string>();
    fc.assert(
      fc.property(moves, (tried) => {
        const scene = start();
        let counts = claimCounts(scene);
        play(scene, tried, () => {
          expectSound(scene.contents());
          expect(scene.session().removed_cost).toBe(removedCost(scene.contents()));
          expectSameSums(scene);
          const now = claimCounts(scene);
          for (const [key, count] of counts) expect(now.get(key) ?? 0).toBeGreaterThanOrEqual(count);
          counts = now;
        });
        for (const { type } of scene.history) accepted.add(type);
      }),
      { numRuns: 250 },
    );

    // Otherwise the histories are of refusals, and show nothing.
    const elsewhere = /^(checkpoint|store|preset)\.|^state\.repair$/;
    expect(operationTypes.filter((type) => !accepted.has(type) && !elsewhere.test(type))).toEqual([]);
  });

  test('can be played again, and gives the same files to the byte', () => {
    fc.assert(
      fc.property(moves, (tried) => {
        const [one, other] = [start(), start()];
        play(one, tried);
        play(other, tried);
        const files = filesOf(one.state);
        expect(filesOf(other.state)).toEqual(files);
        expect(filesOf(stateOf(files))).toEqual(files);
      }),
      { numRuns: 80 },
    );
  });

  test('is told by its changed files alone', () => {
    fc.assert(
      fc.property(moves, (tried) => {
        const scene = start();
        const files = filesOf(scene.state);
        play(scene, tried, (_, before) => {
          for (const [path, text] of filesOf(scene.state, before)) {
            if (text === '(gone)') files.delete(path);
            else files.set(path, text);
          }
        });
        expect(new Map([...files].sort())).toEqual(new Map([...filesOf(scene.state)].sort()));
      }),
      { numRuns: 80 },
    );
  });

  test('leaves the states before it as they were', () => {
    fc.assert(
      fc.property(moves, (tried) => {
        const scene = start();
        const seen: [State, Map<string, string>][] = [];
        play(scene, tried, () => seen.push([scene.state, filesOf(scene.state)]));
        for (const [state, files] of seen) expect(filesOf(state)).toEqual(files);
      }),
      { numRuns: 40 },
    );
  });

  test('differs from an earlier point by what diff says, no more and no less', () => {
    fc.assert(
      fc.property(moves, moves, (first, second) => {
        const scene = start();
        play(scene, first);
        const before = scene.state;
        play(scene, second);
        expect(patched(entitiesOf(before), diffStates(before, scene.state))).toEqual(entitiesOf(scene.state));
        expect(patched(entitiesOf(scene.state), diffStates(scene.state, before))).toEqual(entitiesOf(before));
      }),
      { numRuns: 80 },
    );
  });

  test('does not let a stale token write', () => {
    fc.assert(
      fc.property(moves, (tried) => {
        const scene = start();
        play(scene, tried);
        for (const { id } of scene.contents().features.values()) {
          const stale = { feature: id, claim: '9'.repeat(64) };
          for (const type of ['feature.release', 'feature.complete', 'feature.archive'] as const) {
            expect(scene.refusal(type, stale).code).toBe('STALE_TOKEN');
          }
        }
      }),
      { numRuns: 60 },
    );
  });
});

/** Sums that follow entry by entry are those that a new count gives. */
function expectSameSums(scene: Scene): void {
  const contents = scene.contents();
  const counted = { ...contents, costs: Table.of(contents.costs.entries()) };
  const views = [contents, counted].map((one) => [
    costsView(scene.session(), one, at(scene.minute)),
    ...[...one.features.values()].map((feature) =>
      costsView(scene.session(), one, at(scene.minute), feature),
    ),
  ]);
  expect(views[0]).toEqual(views[1]);
}

/** Every entity of a state, under a name of its own. */
function entitiesOf(state: State): Map<string, unknown> {
  const entities = new Map<string, unknown>([['store  store', state.store]]);
  for (const session of state.sessions.values()) {
    entities.set(`session ${session.id} ${session.id}`, session);
    const contents = state.contents.get(session.id.toLowerCase()) ?? emptyContents;
    for (const one of contents.features.values()) entities.set(`feature ${session.id} ${one.id}`, one);
    for (const one of contents.workers.values()) entities.set(`worker ${session.id} ${one.id}`, one);
    for (const one of contents.checkpoints.values())
      entities.set(`checkpoint ${session.id} ${one.name}`, one);
    for (const [key, one] of contents.costs.entries()) entities.set(`cost ${session.id} ${key}`, one);
    for (const one of contents.artifacts.values()) entities.set(`artifact ${session.id} ${one.path}`, one);
  }
  return structuredClone(entities);
}

function patched(entities: Map<string, unknown>, changes: Change[]): Map<string, unknown> {
  for (const { entity, session, id, path, from, to } of changes) {
    const name = `${entity} ${session ?? ''} ${id}`;
    if (path === '') {
      expect(entities.get(name) ?? null).toEqual(from);
      if (to === null) entities.delete(name);
      else entities.set(name, structuredClone(to));
      continue;
    }
    const keys = path
      .slice(1)
      .split('/')
      .map((key) => key.replace(/~1/g, '/').replace(/~0/g, '~'));
    const last = keys.pop()!;
    const parent = keys.reduce(
      (value, key) => value[key] as Record<string, unknown>,
      entities.get(name) as Record<string, unknown>,
    );
    expect(parent[last] ?? null).toEqual(from);
    parent[last] = structuredClone(to);
  }
  return entities;
}

describe('operations that have nothing to do with each other', () => {
  const independent: [OperationType, object][] = [
    ['feature.claim', claiming('f1', 'W1', 1)],
    ['feature.claim', claiming('f2', 'W2', 2)],
    ['feature.update', { feature: 'f3', set: { name: 'third', data: { k: 1 } } }],
    ['feature.add', { feature: 'f4', dependencies: ['f1'] }],
    ['feature.archive', { feature: 'f5' }],
    ['step.done', { feature: 'f6', step: 'plan' }],
    ['step.skip', { feature: 'f7', step: 'plan' }],
    ['feature.remove', { feature: 'f8' }],
    ['session.start', { ...Scene.started().history[1]!.args }],
  ];

  test('give equal files in any order', () => {
    const ids = ['f1', 'f2', 'f3', 'f5', 'f6', 'f7', 'f8'];
    const ready = blank().do('plan.load', { features: ids.map((id) => ({ id })) });
    const order = fc.shuffledSubarray([...independent.keys()], { minLength: independent.length });
    const expected = run([...independent.keys()]);
    fc.assert(
      fc.property(order, (indexes) => {
        expect(run(indexes)).toEqual(expected);
      }),
      { numRuns: 80 },
    );

    function run(indexes: number[]): Map<string, string> {
      const scene = ready.fork();
      for (const index of indexes) {
        const [type, args] = independent[index]!;
        scene.minute = 99;
        scene.do(type, args, type === 'session.start' ? 'other' : 's');
      }
      return filesOf(scene.state);
    }
  });
});

describe('the cost of a change', () => {
  /** How often all features are gone through. */
  function passesOf(type: OperationType, args: object): number {
    const many = Array.from({ length: 400 }, (_, index) => ({ id: `f${index}` }));
    const scene = blank().do('plan.load', { features: many }).do('feature.claim', claiming('f7', 'W'));
    const entries = vi.spyOn(Table.prototype, 'entries');
    try {
      scene.apply(scene.operation(type, args));
      return entries.mock.contexts.filter((table) => (table as Table<unknown>).size >= 400).length;
    } finally {
      entries.mockRestore();
    }
  }

  /** Freezing the scene's state goes through it once as well. */
  const own = passesOf('note.add', { message: 'm', level: 'info' });

  test.each<[OperationType, object]>([
    ['step.done', { feature: 'f7', step: 'plan', worker: 'W' }],
    ['step.fail', { feature: 'f7', step: 'plan', error: null, worker: 'W' }],
    ['feature.complete', { feature: 'f7', worker: 'W', skip_remaining: true }],
    ['feature.fail', { feature: 'f7', error: 'e', worker: 'W' }],
    ['feature.release', { feature: 'f7', worker: 'W' }],
    ['feature.add', { feature: 'new', dependencies: ['f7'] }],
  ])('%s goes through no list of features', (type, args) => {
    expect(passesOf(type, args) - own).toBe(0);
  });

  test('a claim goes through it once, to see whether its worker is free', () => {
    expect(passesOf('feature.claim', claiming('f8', 'V', 2)) - own).toBe(1);
  });
});

test('an empty state is left alone as well', () => {
  const before = filesOf(emptyState);
  Scene.started();
  expect(filesOf(emptyState)).toEqual(before);
});
