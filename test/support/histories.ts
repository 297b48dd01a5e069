import fc from 'fast-check';
import { GitStateError } from '../../src/errors.ts';
import type { Store } from '../../src/store/open.ts';
import { json, jsonRecord, text } from './arbitraries.ts';

/** Histories as the product makes them: what callers try, right or wrong, on a real store. */

const features = ['f1', 'f2', 'F2', 'new'];

export const storeMove = fc.record({
  kind: fc.constantFrom(
    ...(['add', 'claim', 'claim', 'claim', 'done', 'done', 'start', 'skip', 'complete', 'fail'] as const),
    ...(['release', 'retry', 'archive', 'remove', 'update', 'update', 'note', 'cost', 'setCost'] as const),
    ...([
      'score',
      'checkpoint',
      'replace',
      'dropCheckpoint',
      'restore',
      'restoreOne',
      'back',
      'plan',
    ] as const),
    ...(['end', 'wake', 'recover', 'cleanup', 'preset', 'session', 'import', 'reset', 'later'] as const),
  ),
  feature: fc.constantFrom(...features),
  worker: fc.constantFrom('W1', 'W2', undefined),
  pick: fc.nat({ max: 3 }),
  text,
  data: jsonRecord,
  json,
});
export type StoreMove = typeof storeMove extends fc.Arbitrary<infer T> ? T : never;
export const storeMoves = fc.array(storeMove, { minLength: 15, maxLength: 45 });

/** Tries one move. @returns whether it was accepted. */
export async function attempt(store: Store, move: StoreMove, later: (ms: number) => void): Promise<boolean> {
  try {
    await make(store, move, later);
    return true;
  } catch (error) {
    if (error instanceof GitStateError && error.exitStatus < 6) return false;
    throw error;
  }
}

const step = (pick: number) => ['plan', 'code', 'test', 'ship'][pick]!;

function make(store: Store, move: StoreMove, later: (ms: number) => void): Promise<unknown> {
  const { kind, feature, worker, pick, data } = move;
  const session = 's';
  const of = { session, feature, worker, ...(pick > 2 ? { force: true } : {}) };
  switch (kind) {
    case 'add':
      return store.add({ ...of, feature: `${feature}${pick}`, name: move.text, data });
    case 'claim':
      return store.claim({ ...of, feature, worker: worker ?? 'W3' });
    case 'done':
      return store.stepDone({ ...of, step: step(pick) });
    case 'start':
      return store.stepStart({ ...of, step: step(pick) });
    case 'skip':
      return store.stepSkip({ ...of, step: step(pick) });
    case 'complete':
      return store.complete({ ...of, summary: move.text, skipRemaining: pick > 0 });
    case 'fail':
      return store.fail({ ...of, error: move.text, noRetry: pick > 1 });
    case 'release':
      return store.release(of);
    case 'retry':
      return store.retry({ session, feature });
    case 'archive':
      return store.archive(of);
    case 'remove':
      return store.remove(of);
    case 'update':
      return store.update({ ...of, data, name: move.text });
    case 'note':
      return store.note({ session, message: move.text, worker });
    case 'cost':
      return store.costAdd({ session, feature, amount: pick / 10, operation: 'call', worker });
    case 'setCost':
      return store.costSet({ session, feature, amount: pick, step: step(pick), worker });
    case 'score':
      return store.quality({ session, feature, scores: { a: pick } });
    case 'checkpoint':
    case 'replace':
      return store.checkpointCreate({
        session,
        name: `c${pick}`,
        data: move.json,
        ...(kind === 'replace' ? { replaces: true, at: 'gitstate~1' } : {}),
      });
    case 'dropCheckpoint':
      return store.checkpointDelete({ session, name: `c${pick}` });
    case 'restore':
      return store.restore({ session, point: `c${pick}` });
    case 'restoreOne':
      return store.restore({ session, point: `c${pick}`, feature });
    case 'back':
      return store.restore({ session, point: `gitstate~${pick + 1}` });
    case 'plan': {
      const many = Array.from({ length: pick === 3 ? 150 : 3 }, (_, index) => `p${pick}-${index}`);
      const rows = many.map((id) => ({ id, data: { text: pick === 3 ? 'x'.repeat(150) : '' } }));
      return store.planLoad({ session, features: rows });
    }
    case 'end':
      return pick > 1 ? store.sessionComplete({ session, force: true }) : store.sessionArchive({ session });
    case 'wake':
      return store.sessionUpdate({ session, status: 'active', config: data });
    case 'recover':
      return store.recover({ session });
    case 'cleanup':
      return pick > 1
        ? store.cleanup({ olderThan: '1d' })
        : store.cleanupFeatures({ session, olderThan: '1h' });
    case 'preset': {
      const rules = { steps: ['plan'], budgets: { steps: {}, feature: null, day: null }, max_retries: pick };
      const preset = { name: `p${pick}`, ...rules, default_lease: '5m', auto_checkpoints: true };
      return store.presetPut({ preset: { ...preset, quality_min: {}, session_id: 'date' } });
    }
    case 'session':
      return store.sessionStart({ session: pick > 0 ? `s${pick}` : 's', config: data, preset: 'production' });
    case 'import':
      return imported(store, pick);
    case 'reset':
      return pick === 3 ? store.reset({ confirm: true }) : store.sessionList();
    case 'later':
      later([60_000, 3_600_000, 86_400_000, 900_000][pick]!);
      return store.sessionList();
    default:
      return kind satisfies never;
  }
}

async function imported(store: Store, pick: number): Promise<unknown> {
  const there = await store.state();
  const session = there?.state.sessions.get('s');
  if (!session) return null;
  const id = `imported${pick}`;
  const contents = { features: [], workers: [], checkpoints: [], costs: [], logs: [{ message: 'x' }] };
  return store.importSessions({
    format: 'json',
    sessions: [{ session: { ...session, id }, ...contents }],
  } as never);
}
