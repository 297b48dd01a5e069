import { GitStateError } from '../../errors.ts';
import { requireBudget, stopsOn } from '../budgets.ts';
import { type Checkpoint, CodeHead, type Feature, type Step } from '../entities.ts';
import { type CheckpointName, FeatureId, keyOf, StepName } from '../ids.ts';
import { Text } from '../json.ts';
import {
  firstUnfinished,
  invalidTransition,
  isStepFinished,
  replaceStep,
  requireDependenciesMet,
  requireRight,
  requireStatus,
  requireStep,
  startNextStep,
} from '../rules.ts';
import { nextStep } from '../select.ts';
import {
  contentsOf,
  putCheckpoint,
  putFeature,
  requireActiveSession,
  requireFeature,
  type State,
} from '../state.ts';
import type { Instant } from '../time.ts';
import { type OperationIn, right, sessionOperation } from './define.ts';

const moved = { feature: FeatureId, step: StepName, ...right };

/** A step begins, or is tried again. */
export const StepStart = sessionOperation('step.start', () => moved);
/** A step is finished and the next one begins. */
export const StepDone = sessionOperation('step.done', () => ({
  ...moved,
  /** Head of the feature's code branch, for the automatic checkpoint. */
  head: CodeHead.optional(),
}));
/** An attempt at a step failed; the feature stays with its worker. */
export const StepFail = sessionOperation('step.fail', () => ({ ...moved, error: Text.nullable() }));
/** A step is passed over and counts as finished. */
export const StepSkip = sessionOperation('step.skip', () => moved);

export type StepStart = OperationIn<typeof StepStart>;
export type StepDone = OperationIn<typeof StepDone>;
export type StepFail = OperationIn<typeof StepFail>;
export type StepSkip = OperationIn<typeof StepSkip>;
export type StepAdvance = StepStart | StepDone | StepFail | StepSkip;

/** @throws FEATURE_NOT_FOUND, STEP_NOT_FOUND, SESSION_NOT_ACTIVE, NOT_HOLDER, STALE_TOKEN, DEPENDENCIES_UNMET,
 *  BUDGET_EXCEEDED, INVALID_TRANSITION (out of order, or from a status that does not allow the move). */
export function applyStepAdvance(state: State, operation: StepAdvance): State {
  const { session: sessionId, args, at, type } = operation;
  const session = requireActiveSession(state, sessionId);
  const feature = requireFeature(state, sessionId, args.feature);
  requireRight(feature, args);
  requireStatus(feature, ['pending', 'in_progress'], 'move a step of');
  const index = requireStep(feature, args.step);
  switch (type) {
    case 'step.start': {
      requireBudget(session, contentsOf(state, sessionId), feature, at);
      const started = startStep(begun(state, sessionId, feature, at), index, at);
      return started === feature ? state : put(started);
    }
    case 'step.fail':
      return put(failStep(feature, index, args.error));
    case 'step.skip':
      return put(withNextStep(skipStep(feature, index)));
    case 'step.done': {
      const done = withNextStep(finishStep(begun(state, sessionId, feature, at), index, at));
      return session.auto_checkpoints ? withCheckpoint(state, operation, done, index) : put(done);
    }
    default:
      return type satisfies never;
  }

  /** The next step begins, unless money stops it, or one before it failed and waits to be tried again. */
  function withNextStep(moved: Feature): Feature {
    const next = moved.steps[firstUnfinished(moved.steps)];
    if (moved.status !== 'in_progress' || next?.status !== 'pending') return moved;
    return stopsOn(session, contentsOf(state, sessionId), at)(moved) ? moved : startNextStep(moved, at);
  }

  function put(changed: Feature): State {
    return putFeature(state, sessionId, { ...changed, updated_at: at });
  }
}

/** A pending feature is begun without a worker; one that waits for others is not. */
function begun(state: State, sessionId: string, feature: Feature, at: Instant): Feature {
  if (feature.status === 'in_progress') return feature;
  requireDependenciesMet(contentsOf(state, sessionId), feature);
  return { ...feature, status: 'in_progress', started_at: feature.started_at ?? at };
}

function requireInOrder(feature: Feature, index: number): void {
  const open = feature.steps.slice(0, index).find((step) => !isStepFinished(step));
  if (!open) return;
  const step = feature.steps[index]!;
  throw new GitStateError(
    'INVALID_TRANSITION',
    `step '${step.name}' of feature '${feature.id}' comes after '${open.name}', which is ${open.status}`,
    {
      hint: `finish or skip '${open.name}' first`,
      details: { from: step.status, allowed: [open.name] },
    },
  );
}

function requireStepStatus(
  feature: Feature,
  step: Step,
  allowed: readonly Step['status'][],
  move: string,
): void {
  if (allowed.includes(step.status)) return;
  const message = `cannot ${move} step '${step.name}' of feature '${feature.id}': it is ${step.status}`;
  throw invalidTransition(message, step.status, allowed);
}

function startStep(feature: Feature, index: number, at: Instant): Feature {
  requireInOrder(feature, index);
  requireStepStatus(feature, feature.steps[index]!, ['pending', 'failed', 'active'], 'start');
  return startNextStep(feature, at);
}

function finishStep(feature: Feature, index: number, at: Instant): Feature {
  requireInOrder(feature, index);
  const step = feature.steps[index]!;
  requireStepStatus(feature, step, ['pending', 'active', 'failed'], 'finish');
  const begunAt = step.status === 'active' && step.started_at ? step.started_at : at;
  const change = { status: 'completed' as const, started_at: begunAt, completed_at: at, error: null };
  return replaceStep(feature, index, change);
}

function failStep(feature: Feature, index: number, error: string | null): Feature {
  const step = feature.steps[index]!;
  requireStepStatus(feature, step, ['active'], 'fail');
  return replaceStep(feature, index, { status: 'failed', error, failures: step.failures + 1 });
}

function skipStep(feature: Feature, index: number): Feature {
  requireStepStatus(feature, feature.steps[index]!, ['pending', 'active', 'failed'], 'skip');
  return replaceStep(feature, index, { status: 'skipped', completed_at: null, error: null });
}

/** Completing a step is a point to come back to, named in the state and without a tag of its own. */
function withCheckpoint(
  state: State,
  { session, args, at }: StepDone,
  feature: Feature,
  index: number,
): State {
  const name = automaticName(state, session, feature.id, args.step);
  const checkpoint: Checkpoint = {
    name,
    commit: null,
    feature: feature.id,
    step: args.step,
    next_step: nextStep(feature) as Checkpoint['next_step'],
    created_at: at,
    automatic: true,
    data: null,
    heads: args.head ? { [feature.id]: args.head } : {},
  };
  const marked = replaceStep({ ...feature, updated_at: at }, index, { checkpoint: name });
  return putCheckpoint(putFeature(state, session, marked), session, checkpoint);
}

/** `<feature>.<step>_complete`; where another feature has taken that name, with `~2`, `~3`... behind it. */
function automaticName(state: State, session: string, feature: string, step: string): CheckpointName {
  const { checkpoints } = contentsOf(state, session);
  const stem = `${feature}.${step}_complete`;
  for (let count = 1; ; count += 1) {
    const name = count === 1 ? stem : `${stem}~${count}`;
    const owner = checkpoints.get(keyOf(name));
    if (!owner || (owner.automatic && owner.feature === feature && owner.step === step))
      return name as CheckpointName;
  }
}

const verbs = {
  'step.start': 'start',
  'step.done': 'finish',
  'step.fail': 'fail',
  'step.skip': 'skip',
} as const;

export function describeStepAdvance({ type, args }: StepAdvance): string {
  return `${verbs[type]} step ${args.step} of ${args.feature}`;
}
