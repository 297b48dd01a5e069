import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { removedCost, totalOf } from '../../src/core/costs.ts';
import { diffStates } from '../../src/core/diff.ts';
import type { Checkpoint, Feature, Session } from '../../src/core/entities.ts';
import { type Operation, type OperationType, operationTypes } from '../../src/core/operation.ts';
import { backToPending, endClaim } from '../../src/core/rules.ts';
import type { Contents, State } from '../../src/core/state.ts';
import { type Move, move, operationOf, start } from '../support/moves.ts';
import { entitiesOf, patched } from '../support/patch.ts';
import { at, oid, type Scene, sessionRules } from '../support/scene.ts';

/** Kinds of operations that the common moves leave out. */
const rare = fc.record({
  rare: fc.constantFrom<OperationType>(
    'plan.load',
    'feature.update',
    'session.start',
    'session.update',
    'checkpoint.create',
    'checkpoint.delete',
    'preset.put',
    'store.cleanup',
    'store.reset',
    'store.import',
    'state.undo',
  ),
  feature: fc.constantFrom('f1', 'f2', 'F3'),
  pick: fc.nat({ max: 3 }),
  flag: fc.boolean(),
});
type Rare = typeof rare extends fc.Arbitrary<infer T> ? T : never;
const anyMoves = fc.array(
  fc.oneof(
    { weight: 24, arbitrary: move },
    { weight: 6, arbitrary: rare.filter(({ rare }) => rare !== 'store.reset') },
    { weight: 1, arbitrary: fc.constant<Rare>({ rare: 'store.reset', feature: 'f1', pick: 0, flag: false }) },
  ),
  { minLength: 8, maxLength: 50 },
);

type Asked = [OperationType, object, (string | null)?];

function rareOperation(scene: Scene, past: Past[], { rare: type, feature, pick, flag }: Rare): Asked | null {
  const session = scene.state.sessions.get('s');
  switch (type) {
    case 'plan.load':
      return [
        type,
        { features: [{ id: `p${pick}`, dependencies: flag ? [feature] : [] }, { id: `q${pick}` }] },
      ];
    case 'feature.update':
      return [
        type,
        {
          feature,
          set: flag ? { name: `n${pick}`, data: { a: { b: pick }, c: 1 } } : { steps: ['plan', `s${pick}`] },
          force: true,
        },
      ];
    case 'session.start':
      return [type, sessionRules(), `t${pick}`];
    case 'session.update':
      return [
        type,
        {
          budgets: { steps: { plan: pick }, day: flag ? 5 : null },
          config: { k: { deep: pick } },
          name: `n${pick}`,
        },
      ];
    case 'checkpoint.create':
      return [
        type,
        {
          name: `c${pick}`,
          commit: null,
          step: null,
          next_step: null,
          data: pick,
          heads: {},
          ...(flag ? { replaces: true } : {}),
        },
      ];
    case 'checkpoint.delete': {
      const names = [...(scene.state.contents.get('s')?.checkpoints.values() ?? [])].map(({ name }) => name);
      return names.length === 0 ? null : [type, { name: names[pick % names.length] }];
    }
    case 'preset.put': {
      const {
        preset: _preset,
        name: _name,
        config: _config,
        default_lease: lease,
        ...rules
      } = sessionRules({
        max_retries: pick,
      });
      return [type, { preset: { name: `own${pick % 2}`, lease, ...rules, session_id: 'date' } }, null];
    }
    case 'store.cleanup':
      if (flag) return [type, { before: at(scene.minute + 1), features: [feature] }, 's'];
      return [type, { before: at(scene.minute + 1), sessions: session ? ['s'] : [] }, null];
    case 'store.reset':
      return [type, {}, null];
    case 'store.import': {
      if (!session) return null;
      const one = scene.feature(feature);
      const merged = {
        session: { ...session, name: `m${pick}` },
        features: one ? [{ ...one, name: 'imported' }] : [],
      };
      const fresh = {
        session: { ...session, id: `i${pick}`, claim_counts: {} },
        features: [...scene.contents().features.values()],
      };
      const none = { workers: [], checkpoints: [], costs: [], logs: [] };
      const sessions = flag ? [{ ...merged, ...none, merge: { removed: [] } }] : [{ ...fresh, ...none }];
      return [type, { format: 'json', sessions }, null];
    }
    case 'state.undo': {
      const last = past.at(-1 - pick);
      return last ? undoing(last) : null;
    }
    default:
      return null;
  }
}

/** An operation that was accepted, with the states around it. */
interface Past {
  operation: Operation;
  before: State;
  after: State;
  commit: string;
  parent: string;
}

/** Plays moves. @param each is called after every one that was accepted. */
function played(scene: Scene, tried: (Move | Rare)[], each: (past: Past[]) => void = () => {}): Past[] {
  const past: Past[] = [];
  for (const one of tried) {
    const asked =
      'rare' in one
        ? rareOperation(scene, past, one)
        : scene.state.contents.has('s')
          ? operationOf(scene, one)
          : null;
    const count = past.length;
    if (asked) attempt(scene, asked, past);
    if (past.length > count) each(past);
  }
  return past;
}

/** Plays an operation and remembers the states around it; a refusal changes nothing. @returns its code. */
function attempt(scene: Scene, [type, args, session]: Asked, past: Past[]): string | null {
  const before = scene.state;
  try {
    scene.do(type, args, session === undefined ? 's' : session);
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === undefined || code === 'INTERNAL') throw error;
    return code;
  }
  if (scene.state === before) return null;
  const [commit, parent] = [`${past.length}a`, `${past.length}b`].map((name) => name.padStart(40, '0')) as [
    string,
    string,
  ];
  scene.remember(commit, scene.state);
  scene.remember(parent, before);
  past.push({ operation: scene.history.at(-1)!, before, after: scene.state, commit, parent });
  return null;
}

function undoing({ operation, before, commit, parent }: Past): Asked {
  const written: Record<string, string> = {};
  for (const session of before.sessions.values()) {
    for (const { name } of before.contents.get(session.id.toLowerCase())!.checkpoints.values())
      written[`${session.id}/${name}`] = oid('e');
  }
  const { type: op, id, session } = operation;
  return ['state.undo', { commit, parent, op, operation: id, written, force: true }, session];
}

const never = new Set<OperationType>([
  'store.init',
  'note.add',
  'feature.renew',
  'feature.release',
  'session.recover',
  'state.repair',
  'store.migrate',
  'store.seal',
]);

function isFinal({ operation, before, after }: Past): boolean {
  if (never.has(operation.type)) return true;
  if (operation.type !== 'feature.claim') return false;
  const key = (operation.args as { feature: string }).feature.toLowerCase();
  return [before, after].every((state) => state.contents.get('s')?.features.get(key)?.claim);
}

describe('state.undo right after any operation', () => {
  const seen = new Set<OperationType>();

  test('gives the state before it, but for what never comes back and never falls', () => {
    fc.assert(
      fc.property(anyMoves, (tried) => {
        const scene = start();
        played(scene, tried, (past) => {
          const last = past.at(-1)!;
          const fork = scene.fork();
          const refusal = attempt(fork, undoing(last), [...past]);
          if (isFinal(last)) {
            expect(refusal, last.operation.type).toBe('INVALID_TRANSITION');
            return;
          }
          expect(refusal, last.operation.type).toBeNull();
          seen.add(last.operation.type);
          expectTakenBack(last, fork.state);
        });
      }),
      { numRuns: 250 },
    );
    const left = operationTypes.filter((type) => !seen.has(type) && !never.has(type));
    expect(left, 'each type was met').toEqual([]);
  });

  test('and undoing that again gives the state after it', () => {
    fc.assert(
      fc.property(anyMoves, (tried) => {
        const scene = start();
        const past = played(scene, tried);
        const last = past.at(-1);
        if (!last || isFinal(last)) return;
        attempt(scene, undoing(last), past);
        const undo = past.at(-1)!;
        // Where nothing but a claim had changed, there was nothing to take back.
        if (undo === last) return;
        expect(attempt(scene, undoing(undo), past), last.operation.type).toBeNull();
        expectTakenBack(undo, scene.state);
      }),
      { numRuns: 250 },
    );
  });

  test('any earlier operation is undone or refused, and what came between stays', () => {
    fc.assert(
      fc.property(anyMoves, fc.nat({ max: 30 }), (tried, index) => {
        const scene = start();
        const past = played(scene, tried);
        if (past.length === 0) return;
        const code = attempt(scene, undoing(past[index % past.length]!), past);
        expect(['CONFLICT', 'INVALID_TRANSITION', 'HAS_DEPENDENTS', null]).toContain(code);
        for (const { claim, worker_id, status } of features(scene.state)) {
          expect((claim === null) === (worker_id === null)).toBe(true);
          expect(claim === null || status === 'in_progress').toBe(true);
        }
      }),
      { numRuns: 250 },
    );
  });
});

test('diff, applied as a patch to one state, gives the other, whatever was done in between', () => {
  fc.assert(
    fc.property(anyMoves, fc.nat(), fc.nat(), (tried, first, second) => {
      const past = played(start(), tried);
      if (past.length === 0) return;
      const [from, to] = [past[first % past.length]!.before, past[second % past.length]!.after];
      expect(patched(entitiesOf(from), diffStates(from, to))).toEqual(entitiesOf(to));
      expect(patched(entitiesOf(to), diffStates(to, from))).toEqual(entitiesOf(from));
    }),
    { numRuns: 150 },
  );
});

test('restore gives the state of its point: the session and its features, without claims; facts made since stay', () => {
  fc.assert(
    fc.property(anyMoves, fc.nat(), (tried, index) => {
      const scene = start();
      const past = played(scene, tried).filter(({ after }) => after.sessions.has('s'));
      if (past.length === 0) return;
      const { after: then, commit } = past[index % past.length]!;
      const now = scene.state;
      const written = Object.fromEntries(
        [...then.contents.get('s')!.checkpoints.values()].map(({ name }) => [`s/${name}`, oid('e')]),
      );
      scene.do('state.restore', { commit, tree: commit, point: 'p', written });
      const [point, restored] = [then.contents.get('s')!, scene.contents()];
      const { status: _, completed_at: _completed, ...session } = plainSession(scene.session());
      const removed_cost = removedCost(scene.contents());
      expect({ ...plainSession(then.sessions.get('s')!), removed_cost }).toMatchObject(session);
      expect(scene.session().status).toBe('active');
      const expected = byKey(point.features, (feature) => {
        const present = restored.features.get(feature.id.toLowerCase())!;
        const waiting =
          feature.status === 'in_progress' ? backToPending(endClaim(feature, 'x', at(0))) : feature;
        const { claim_count, ended_claim, updated_at, branch, worktree } = present;
        expect(claim_count).toBeGreaterThanOrEqual(feature.claim_count);
        return { ...waiting, claim_count, ended_claim, updated_at, branch, worktree };
      });
      expect(byKey(restored.features, (feature) => feature)).toEqual(expected);
      const facts = now.contents.get('s') ?? point;
      for (const table of ['costs', 'workers', 'artifacts'] as const)
        expect(byKey<unknown, unknown>(restored[table], (one) => one)).toEqual(
          byKey<unknown, unknown>(facts[table], (one) => one),
        );
      expect(byKey(restored.checkpoints, plainCheckpoint)).toEqual(byKey(facts.checkpoints, plainCheckpoint));
    }),
    { numRuns: 250 },
  );
});

function features(state: State): Feature[] {
  return [...state.contents.values()].flatMap((contents) => [...contents.features.values()]);
}

function expectTakenBack({ operation, before, after }: Past, now: State): void {
  const told = operation.type;
  expect(new Set(now.store!.retired), told).toEqual(
    new Set([...now.store!.retired, ...after.store!.retired]),
  );
  expect([...now.presets.entries()].sort(), told).toEqual([...before.presets.entries()].sort());
  expect(byKey(now.sessions, plainSession), told).toEqual(byKey(before.sessions, plainSession));
  for (const { id, removed_cost } of now.sessions.values())
    expect(removed_cost, told).toBe(removedCost(now.contents.get(id)!));
  for (const key of [...before.sessions.entries()].map(([key]) => key)) {
    const [old, made, present] = [before, after, now].map((state) => state.contents.get(key)) as [
      Contents,
      Contents | undefined,
      Contents,
    ];
    expect(
      byKey(present.features, (feature) => feature),
      told,
    ).toEqual(
      new Map(
        [...old.features.entries()].sort().map(([key, feature]) => {
          const counter = present.features.get(key)?.claim_count ?? -1;
          expect(counter).toBeGreaterThanOrEqual(
            Math.max(feature.claim_count, made?.features.get(key)?.claim_count ?? 0),
          );
          const { updated_at, ended_claim } = present.features.get(key) ?? feature;
          const expected = withoutItsClaim(feature, made?.features.get(key));
          return [key, { ...expected, claim_count: counter, updated_at, ended_claim }];
        }),
      ),
    );
    expect(byKey(present.checkpoints, plainCheckpoint), told).toEqual(
      byKey(old.checkpoints, plainCheckpoint),
    );
    expect(
      byKey(present.artifacts, (one) => one),
      told,
    ).toEqual(byKey(old.artifacts, (one) => one));
    expect(
      byKey(present.workers, (one) => one),
      told,
    ).toEqual(byKey(old.workers, (one) => one));
    for (const { id } of old.features.values()) expect(totalOf(present, id), told).toBe(totalOf(old, id));
    for (const [sheet, { entries }] of (made ?? old).costs.entries())
      expect(present.costs.get(sheet)!.entries.slice(0, entries.length)).toEqual(entries);
  }
}

/** The feature before, waiting for its next claim where the operation had ended the one it had. */
function withoutItsClaim(before: Feature, after: Feature | undefined): Feature {
  if (before.claim === null || before.claim.id === after?.claim?.id) return before;
  return backToPending(endClaim(before, 'state.undo', before.updated_at));
}

const plainSession = ({ updated_at: _, claim_counts: _counts, ...session }: Session) => session;
const plainCheckpoint = ({ commit: _, ...checkpoint }: Checkpoint) => checkpoint;

function byKey<V, W>(table: { entries(): Iterable<[string, V]> }, plain: (value: V) => W): Map<string, W> {
  return new Map(
    [...table.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, value]) => [key, plain(value)]),
  );
}
