import fc from 'fast-check';
import { expect } from 'vitest';
import type { Feature } from '../../src/core/entities.ts';
import type { OperationType } from '../../src/core/operation.ts';
import { nextStep } from '../../src/core/select.ts';
import type { State } from '../../src/core/state.ts';
import { GitStateError } from '../../src/errors.ts';
import { claiming, leaseEnd, Scene, takingOver } from './scene.ts';

/** Histories that people could make: moves, right and wrong ones, played on a session with three features. */

export const features = ['f1', 'f2', 'f3', 'F3'];
const workers = ['W1', 'W2', 'w2'];
export const steps = ['plan', 'code', 'test'];
const plans = [undefined, ['plan'], [], ['code', 'plan', 'code2']];

/** What somebody tries, right or wrong; how it is written follows from the state in which it is tried. */
export const move = fc.record({
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
export type Move = typeof move extends fc.Arbitrary<infer T> ? T : never;
export const moves = fc.array(move, { minLength: 10, maxLength: 60 });

function rightOf(feature: Feature | undefined, { as, worker }: Move): object {
  if (as === 'force') return { force: true };
  if (as === 'nobody' || !feature?.claim) return as === 'stale' ? { claim: '9'.repeat(64) } : {};
  if (as === 'stale') return { claim: '9'.repeat(64), worker: feature.worker_id };
  return as === 'token' ? { claim: feature.claim.id } : { worker };
}

export function operationOf(scene: Scene, tried: Move): [OperationType, object] | null {
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

export const blank = () => Scene.started({ steps, auto_checkpoints: true, max_retries: 1 });

export function start(): Scene {
  const scene = blank();
  scene.do('plan.load', { features: [{ id: 'f1' }, { id: 'f2', dependencies: ['f1'] }, { id: 'F3' }] });
  for (const digit of ['0', '1', '2', '3']) scene.mark(digit);
  return scene;
}

/** Plays moves; refused ones change nothing. @returns whether each was accepted. */
export function play(
  scene: Scene,
  tried: Move[],
  after: (scene: Scene, before: State) => void = () => {},
): void {
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
