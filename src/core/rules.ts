import { GitStateError } from '../errors.ts';
import type { Feature, FeatureStatus, Step } from './entities.ts';
import { type ClaimId, type FeatureId, keyOf, type WorkerId } from './ids.ts';
import { blockersOf, heldBy } from './select.ts';
import { type Contents, contentsOf, findFeature, type State } from './state.ts';
import type { Instant } from './time.ts';

/** What an operation shows to prove its right to write to a claimed feature: the claim of its token, or, where no
 *  token was given, a worker's name; `force` overrides both and stays in the record. */
export interface Right {
  claim?: ClaimId | undefined;
  worker?: WorkerId | undefined;
  force?: true | undefined;
}

/** @throws STALE_TOKEN for a token that is not the present claim's, NOT_HOLDER for another worker's claim. */
export function requireRight(feature: Feature, right: Right): void {
  if (right.force) return;
  if (right.claim !== undefined) {
    if (feature.claim?.id === right.claim) return;
    throw staleToken(feature);
  }
  if (feature.claim === null || feature.worker_id === right.worker) return;
  throw new GitStateError('NOT_HOLDER', `feature '${feature.id}' is claimed by '${feature.worker_id}'`, {
    hint: 'give its token with --token or GITSTATE_TOKEN, or its worker with --worker',
    details: holderDetails(feature),
  });
}

function staleToken(feature: Feature): GitStateError {
  const now = feature.worker_id ? `'${feature.worker_id}' holds it now` : `it is ${feature.status} now`;
  return new GitStateError('STALE_TOKEN', `this token no longer holds feature '${feature.id}': ${now}`, {
    hint: 'nothing was lost; see where it stands with `git state show`, or claim again with `git state claim`',
    details: holderDetails(feature),
  });
}

export function holderDetails(feature: Feature) {
  return { feature: feature.id, holder: feature.worker_id, expires_at: feature.claim?.expires_at ?? null };
}

/** @throws INVALID_TRANSITION that names the statuses from which the move is allowed. */
export function requireStatus(
  feature: Feature,
  allowed: readonly FeatureStatus[],
  move: string,
  hint?: string,
): void {
  if (allowed.includes(feature.status)) return;
  throw invalidTransition(
    `cannot ${move} feature '${feature.id}': it is ${feature.status}`,
    feature.status,
    allowed,
    hint,
  );
}

/** @param allowed the statuses from which the move would be allowed, none where it never is; the message names them. */
export function invalidTransition(message: string, from: string, allowed: readonly string[], hint?: string) {
  const where = allowed.length === 0 ? '' : `; allowed from ${allowed.join(' or ')}`;
  return new GitStateError('INVALID_TRANSITION', `${message}${where}`, {
    hint: hint ?? 'see where it stands with `git state show`',
    details: { from, allowed },
  });
}

/** @throws DEPENDENCIES_UNMET that names what is not completed yet. */
export function requireDependenciesMet(contents: Contents, feature: Feature): void {
  const blocked_by = blockersOf(contents, feature);
  if (blocked_by.length === 0) return;
  const names = blocked_by.map(({ id, status }) => `'${id}' (${status})`).join(', ');
  throw new GitStateError('DEPENDENCIES_UNMET', `feature '${feature.id}' waits for ${names}`, {
    hint: 'see what is free with `git state ready`',
    details: { blocked_by },
  });
}

/** @throws WORKER_BUSY where the worker holds another feature. */
export function requireWorkerFree(contents: Contents, worker: string, feature: string): void {
  const held = heldBy(contents, worker);
  if (!held || held.id === feature) return;
  throw new GitStateError('WORKER_BUSY', `worker '${worker}' holds feature '${held.id}'`, {
    hint: `finish it or give it back first: \`git state release ${held.id}\`; to go on with it: \`git state claim ${held.id}\``,
    details: { feature: held.id },
  });
}

/** @throws INVALID_INPUT where a dependency is unknown, is the feature itself, or closes a circle. */
export function requireSoundDependencies(state: State, sessionId: string, ids: Iterable<FeatureId>): void {
  const { features } = contentsOf(state, sessionId);
  const done = new Set<string>();
  for (const id of ids) {
    for (const dependency of features.get(keyOf(id))?.dependencies ?? []) {
      if (findFeature(state, sessionId, dependency)) continue;
      throw new GitStateError(
        'INVALID_INPUT',
        `feature '${id}' depends on '${dependency}', which does not exist`,
        {
          hint: `add '${dependency}' first, or load both with one plan`,
          details: { feature: id, dependency },
        },
      );
    }
    requireNoCycle(state, sessionId, id, done);
  }
}

function requireNoCycle(state: State, sessionId: string, start: FeatureId, done: Set<string>): void {
  const { features } = contentsOf(state, sessionId);
  const path: string[] = [];
  const onPath = new Set<string>();
  // An explicit stack: a chain of 100,000 dependencies must not exhaust the call stack.
  const stack: { id: FeatureId; leave: boolean }[] = [{ id: start, leave: false }];
  while (stack.length > 0) {
    const { id, leave } = stack.pop()!;
    const key = keyOf(id);
    if (leave) {
      onPath.delete(key);
      path.pop();
      done.add(key);
      continue;
    }
    if (onPath.has(key)) throw cycleError([...path.slice(path.indexOf(id)), id]);
    if (done.has(key)) continue;
    onPath.add(key);
    path.push(id);
    stack.push({ id, leave: true });
    for (const next of features.get(key)?.dependencies ?? []) stack.push({ id: next, leave: false });
  }
}

function cycleError(cycle: string[]): GitStateError {
  return new GitStateError('INVALID_INPUT', `dependencies form a circle: ${cycle.join(' -> ')}`, {
    hint: 'remove one of these dependencies',
    details: { cycle },
  });
}

/** @throws STEP_NOT_FOUND */
export function requireStep(feature: Feature, name: string): number {
  const index = feature.steps.findIndex((step) => step.name === name);
  if (index >= 0) return index;
  const steps = feature.steps.map((step) => step.name);
  throw new GitStateError('STEP_NOT_FOUND', `feature '${feature.id}' has no step '${name}'`, {
    hint: steps.length > 0 ? `its steps: ${steps.join(', ')}` : 'it has no steps',
    details: { feature: feature.id, steps },
  });
}

export function newSteps(names: readonly string[]): Step[] {
  return names.map((name) => ({
    name: name as Step['name'],
    status: 'pending',
    started_at: null,
    completed_at: null,
    checkpoint: null,
    error: null,
    failures: 0,
    data: {},
  }));
}

export function isStepFinished(step: Step): boolean {
  return step.status === 'completed' || step.status === 'skipped';
}

export function replaceStep(feature: Feature, index: number, change: Partial<Step>): Feature {
  return {
    ...feature,
    steps: feature.steps.map((step, at) => (at === index ? { ...step, ...change } : step)),
  };
}

/** Index of the first unfinished step; the number of steps where there is none. */
export function firstUnfinished(steps: readonly Step[]): number {
  const index = steps.findIndex((step) => !isStepFinished(step));
  return index < 0 ? steps.length : index;
}

/** The feature with its first unfinished step under way, if it has one. */
export function startNextStep(feature: Feature, at: Instant): Feature {
  const step = feature.steps[firstUnfinished(feature.steps)];
  return step?.status === 'active' ? feature : startNextStepAnew(feature, at);
}

/** The same, but a step under way starts over: somebody else has taken it up. */
export function startNextStepAnew(feature: Feature, at: Instant): Feature {
  const index = firstUnfinished(feature.steps);
  if (index === feature.steps.length) return feature;
  return replaceStep(feature, index, { status: 'active', started_at: at, error: null });
}

/** The feature with no step under way: nobody works on it any more. */
export function stopSteps(feature: Feature): Feature {
  if (!feature.steps.some((step) => step.status === 'active')) return feature;
  const steps = feature.steps.map((step) =>
    step.status === 'active' ? { ...step, status: 'pending' as const } : step,
  );
  return { ...feature, steps };
}

/** @throws INVALID_INPUT where two of the names differ by case alone, or not at all. */
export function requireDistinctSteps(names: readonly string[], owner: string): void {
  if (new Set(names.map(keyOf)).size === names.length) return;
  throw new GitStateError('INVALID_INPUT', `${owner} names a step twice: '${names.join(',')}'`, {
    hint: 'the names of steps differ by more than case',
  });
}

/** The feature without its claim; `by` stays on record, so that a repeated request of the same claim is known. */
export function endClaim(feature: Feature, by: string, at: Instant): Feature {
  if (feature.claim === null) return feature;
  return { ...feature, claim: null, worker_id: null, ended_claim: { id: feature.claim.id, by, at } };
}

/** The feature as it waits for its next claim: finished steps stay, the step under way starts over. */
export function backToPending(feature: Feature): Feature {
  const steps = feature.steps.map((step) =>
    isStepFinished(step) ? step : { ...step, status: 'pending' as const, error: null },
  );
  return { ...feature, status: 'pending', steps };
}
