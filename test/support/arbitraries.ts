import fc, { type Arbitrary } from 'fast-check';
import { featureStatuses, sessionStatuses } from '../../src/core/entities.ts';
import { idFault } from '../../src/core/ids.ts';
import { jsonFault } from '../../src/core/json.ts';
import { Operation, type OperationType, operationTypes } from '../../src/core/operation.ts';
import { noteLevels } from '../../src/core/operations/note-add.ts';
import { instantOf, leaseEndOf } from '../../src/core/time.ts';

/** Generated values: everything that an operation may carry, hostile text included. */

const idUnit = fc.constantFrom(...'abzABZ0129._-');
export const id = fc
  .oneof(
    fc.string({ unit: idUnit, minLength: 1, maxLength: 12 }),
    fc.constantFrom('003', '10', '9', 'constructor', 'toString', 'a.b', 'x'.repeat(128)),
  )
  .filter((text) => idFault(text) === null);

const hostileLines = [
  'gitstate-op: feature.remove',
  '\n\ngitstate-id: forged\n',
  '---\n',
  '\r\n',
  '\u0000\u001b[2J\u007f\u0085',
  '\u2028\u2029\u202e\u200b\ufeff',
  '👩‍👩‍👧‍👦🏳️‍🌈',
  '"\\',
  '</script>',
  '__proto__',
];

/** Any text but half characters. */
export const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.string({ unit: fc.constantFrom(...hostileLines, 'a', ' '), maxLength: 12 }),
  fc.constantFrom('', 'x'.repeat(300), '😀'.repeat(80), `${'y'.repeat(66)}\n`),
);
const longText = fc.constantFrom('z'.repeat(17_000), '\n'.repeat(9_000), '€\u2028'.repeat(3_000));

const double = fc
  .double({ noNaN: true, noDefaultInfinity: true })
  .filter((value) => jsonFault(value) === null);
const scalar = fc.oneof(fc.boolean(), fc.constant(null), fc.integer(), double, text);
export const json = fc
  .letrec<{ json: unknown }>((tie) => ({
    json: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      scalar,
      fc.array(tie('json'), { maxLength: 4 }),
      fc.dictionary(fc.oneof(text, id), tie('json'), { maxKeys: 4 }),
    ),
  }))
  .json.filter((value) => jsonFault(value) === null);
export const jsonRecord = fc
  .dictionary(fc.oneof(text, id), json, { maxKeys: 4 })
  .filter((value) => jsonFault(value) === null);

export const instant = fc.integer({ min: 0, max: 4_102_444_800 }).map((second) => instantOf(second * 1000));
const leaseEnd = fc.integer({ min: 0, max: 4_102_444_800_000 }).map(leaseEndOf);
const hex = (length: number) =>
  fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: length, maxLength: length });
export const oid = fc.oneof(hex(40), hex(64));
const claim = hex(64);
const amount = fc.integer({ min: 0, max: 1_000_000_000 }).map((micros) => Number((micros / 1e6).toFixed(6)));
const count = fc.nat({ max: 1_000_000 });
const yes = fc.constant(true as const);
const orNull = <T>(value: Arbitrary<T>) => fc.option(value, { nil: null });
const record = <T>(required: { [K in keyof T]: Arbitrary<T[K]> }) => fc.record(required);
const partial = (optional: Record<string, Arbitrary<unknown>>) => fc.record(optional, { requiredKeys: [] });

/** Some fields that must be there, and some that may be. */
function fields(
  required: Record<string, Arbitrary<unknown>>,
  optional: Record<string, Arbitrary<unknown>> = {},
) {
  return fc.record({ ...required, ...optional }, { requiredKeys: Object.keys(required) });
}

const right = { worker: id, claim, force: yes };
const stepNames = fc.uniqueArray(id, { maxLength: 4, selector: (name) => name.toLowerCase() });
const priority = orNull(fc.constantFrom('P0', 'P9', 'urgent'));
const phase = orNull(fc.oneof(fc.integer(), double));
const planned = {
  name: text,
  priority,
  phase,
  dependencies: fc.array(id, { maxLength: 3 }),
  steps: stepNames,
  data: jsonRecord,
};
const limits = (value: Arbitrary<unknown>) => fc.dictionary(id, value, { maxKeys: 3 });
const heads = limits(record({ branch: text, oid }));
const scores = fc
  .dictionary(text, double, { maxKeys: 3 })
  .filter((given) => !Object.hasOwn(given, '__proto__'));
const holder = record({
  host: text,
  boot: orNull(text),
  pidns: orNull(text),
  pid: orNull(count),
  started: orNull(text),
});
const takeover = record({
  reason: fc.constantFrom('expired', 'dead', 'forced'),
  worker: id,
  claim,
  lease: orNull(oid),
  lease_end: leaseEnd,
  now: leaseEnd,
});
const over = takeover.map((judged) => ({ ...judged, reason: judged.reason === 'dead' ? 'dead' : 'expired' }));
const duration = fc.constantFrom('90s', '15m', '24h', '7d');
const onStep = { feature: id, step: id };

const spent = {
  feature: id,
  amount,
  tokens: orNull(record({ in: count, out: count, cached: count })),
  step: orNull(id),
  operation: text,
};

/** Arguments by type of operation; the compiler says when one is missing. */
const argsOf: Record<OperationType, Arbitrary<unknown>> = {
  'store.init': fields({ store: hex(20), preset: orNull(id), readme: oid }),
  'session.start': fields({
    preset: orNull(id),
    name: text,
    config: jsonRecord,
    steps: stepNames,
    budgets: record({ steps: limits(amount), feature: orNull(amount), day: orNull(amount) }),
    max_retries: count,
    default_lease: duration,
    auto_checkpoints: fc.boolean(),
    quality_min: scores,
  }),
  'session.update': partial({
    name: text,
    status: fc.constantFrom(...sessionStatuses),
    config: jsonRecord,
    max_retries: count,
    default_lease: duration,
    auto_checkpoints: fc.boolean(),
    quality_min: fc
      .dictionary(text, orNull(double), { maxKeys: 3 })
      .filter((given) => !Object.hasOwn(given, '__proto__')),
    budgets: partial({ steps: limits(orNull(amount)), feature: orNull(amount), day: orNull(amount) }),
  }),
  'session.complete': partial({ force: yes }),
  'session.fail': partial({ force: yes }),
  'session.archive': partial({ force: yes }),
  'feature.add': fields({ feature: id }, planned),
  'plan.load': fields({ features: fc.array(fields({ id }, planned), { maxLength: 3 }) }),
  'feature.update': fields(
    {
      feature: id,
      set: partial({
        ...planned,
        status: fc.constantFrom(...featureStatuses),
        pr_number: orNull(count),
        branch: orNull(text),
        worktree: orNull(text),
        metrics: jsonRecord,
      }),
    },
    right,
  ),
  'feature.remove': fields({ feature: id }, right),
  'feature.claim': fields(
    { feature: id, worker: id, claim, lease_end: leaseEnd, holder },
    { runner: yes, takeover, branch: text, worktree: text },
  ),
  'feature.renew': fields({ feature: id, worker: id, claim, lease_end: leaseEnd }),
  'feature.release': fields({ feature: id }, { ...right, over }),
  'feature.complete': fields(
    { feature: id },
    { summary: fc.oneof(text, longText), skip_remaining: yes, ...right },
  ),
  'feature.fail': fields({ feature: id, error: text }, { no_retry: yes, max_retries: count, ...right }),
  'feature.retry': fields({ feature: id }, { from: id }),
  'feature.archive': fields({ feature: id }, right),
  'step.start': fields(onStep, right),
  'step.done': fields(onStep, { head: record({ branch: text, oid }), ...right }),
  'step.fail': fields({ ...onStep, error: orNull(text) }, right),
  'step.skip': fields(onStep, right),
  'note.add': fields(
    { message: fc.oneof(text, longText), level: fc.constantFrom(...noteLevels) },
    { feature: id },
  ),
  'checkpoint.create': fields(
    { name: id, commit: orNull(oid), step: orNull(id), next_step: orNull(id), data: json, heads },
    { feature: id },
  ),
  'checkpoint.delete': fields({ name: id }),
  'state.restore': fields({ commit: oid, tree: oid, point: text }, { feature: id, written: limits(oid) }),
  'state.undo': fields(
    {
      commit: oid,
      parent: oid,
      op: fc.constantFrom('feature.add', 'cost.add'),
      operation: id,
      written: limits(oid),
    },
    { feature: id, ...right },
  ),
  'state.repair': fields({
    damaged: orNull(oid),
    commit: oid,
    tree: oid,
    fault: text,
    lost: count,
    checkpoints: fc.array(record({ session: id, name: id, commit: oid }), { maxLength: 2 }),
  }),
  'session.recover': fields({
    released: fc.array(
      takeover.chain((over) => id.map((feature) => ({ feature, ...over }))),
      { maxLength: 2 },
    ),
  }),
  'cost.add': fields(spent, { worker: id, key: text, stop: yes }),
  'cost.set': fields(spent, { worker: id, key: text }),
  'quality.set': fields({ feature: id, scores }, { worker: id }),
  'artifact.put': fields(
    {
      feature: id,
      step: id,
      files: fc.array(record({ path: id, oid, size: count }), { minLength: 1, maxLength: 3 }),
    },
    right,
  ),
  'preset.put': fields({
    preset: record({
      name: id,
      steps: stepNames,
      budgets: record({ steps: limits(amount), feature: orNull(amount), day: orNull(amount) }),
      max_retries: count,
      lease: duration,
      auto_checkpoints: fc.boolean(),
      quality_min: scores,
      session_id: fc.constantFrom('date', 'orchestrator', 'production'),
    }),
  }),
  'store.cleanup': fields(
    { before: instant },
    { sessions: fc.array(id, { maxLength: 3 }), features: fc.array(id, { maxLength: 3 }) },
  ),
  'store.reset': fields({}),
  'store.migrate': fc.constant({ from: 1, to: 2 }),
  'store.seal': fields({
    epoch: count.map((before) => before + 1),
    tip: oid,
    tree: oid,
    commits: count.map((before) => before + 1),
    written: limits(oid),
  }),
  'store.import': fields({ format: text, sessions: fc.constant([]) }),
};

const actor = fc
  .string({ unit: 'binary', minLength: 1, maxLength: 20 })
  .map((name) => name.replace(/[<>\n\0]/g, ''));

/** Any valid operation of a type. */
export function operationOfType(type: OperationType): Arbitrary<Operation> {
  const session = /^(store|preset)\.|^state\.repair$/.test(type) ? fc.constant(null) : id;
  const common = { session, actor, at: instant, id, request: orNull(hex(64)), args: argsOf[type] };
  return fc.record(common).map((given) => Operation.parse({ type, ...given }));
}

export const operation: Arbitrary<Operation> = fc.oneof(...operationTypes.map(operationOfType));
