import * as z from 'zod';
import { GitStateError } from '../../errors.ts';
import { CodeHead } from '../entities.ts';
import { CheckpointName, FeatureId, idFault, keyOf, Oid, StepName } from '../ids.ts';
import { Json, recordOf } from '../json.ts';
import { replaceStep, requireStep } from '../rules.ts';
import {
  contentsOf,
  putCheckpoint,
  putContents,
  putFeature,
  requireCheckpoint,
  requireFeature,
  requireSession,
  type State,
} from '../state.ts';
import { type OperationIn, sessionOperation } from './define.ts';

/** A named point to come back to. */
export const CheckpointCreate = sessionOperation('checkpoint.create', () => ({
  /** Longer names, and those with a number behind `~`, are for automatic checkpoints. */
  name: CheckpointName.refine((name) => idFault(name) === null, 'is no name of a checkpoint'),
  /** An older commit that the checkpoint names; null for the commit of this operation. */
  commit: Oid.nullable(),
  feature: FeatureId.optional(),
  step: StepName.nullable(),
  next_step: StepName.nullable(),
  data: Json,
  heads: recordOf(FeatureId, CodeHead),
  /** One of the same name, feature and kind gives way. */
  replaces: z.literal(true).optional(),
  /** As completing a step makes it: without a tag, and named by its step. */
  automatic: z.literal(true).optional(),
}));
export type CheckpointCreate = OperationIn<typeof CheckpointCreate>;

/** A checkpoint's name is given up; the commit stays in the history. */
export const CheckpointDelete = sessionOperation('checkpoint.delete', () => ({ name: CheckpointName }));
export type CheckpointDelete = OperationIn<typeof CheckpointDelete>;

/** @throws SESSION_NOT_FOUND, FEATURE_NOT_FOUND, STEP_NOT_FOUND, ALREADY_EXISTS */
export function applyCheckpointCreate(state: State, { session, args, at }: CheckpointCreate): State {
  requireSession(state, session);
  const { feature, replaces, automatic = false, ...fields } = args;
  const owner = feature === undefined ? undefined : requireFeature(state, session, feature);
  const index = owner && args.step !== null ? requireStep(owner, args.step) : -1;
  const taken = contentsOf(state, session).checkpoints.get(keyOf(args.name));
  const givesWay = replaces && taken?.feature === (feature ?? null) && taken.automatic === automatic;
  if (taken && !givesWay) {
    throw new GitStateError('ALREADY_EXISTS', `checkpoint '${taken.name}' exists already`, {
      hint: 'checkpoints never change: choose another name',
      details: { checkpoint: taken.name },
    });
  }
  const next = putCheckpoint(state, session, {
    ...fields,
    feature: feature ?? null,
    created_at: at,
    automatic,
  });
  if (!owner || !automatic || index < 0) return next;
  const marked = replaceStep(owner, index, { checkpoint: args.name });
  return putFeature(next, session, { ...marked, updated_at: at });
}

/** @throws SESSION_NOT_FOUND, CHECKPOINT_NOT_FOUND */
export function applyCheckpointDelete(state: State, { session, args }: CheckpointDelete): State {
  requireSession(state, session);
  const { name } = requireCheckpoint(state, session, args.name);
  const { checkpoints } = contentsOf(state, session);
  return putContents(state, session, { checkpoints: checkpoints.without(keyOf(name)) });
}

export function describeCheckpointCreate({ args }: CheckpointCreate): string {
  return `create checkpoint ${args.name}`;
}

export function describeCheckpointDelete({ args }: CheckpointDelete): string {
  return `delete checkpoint ${args.name}`;
}
