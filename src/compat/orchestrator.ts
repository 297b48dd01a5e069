import type { Feature } from '../core/entities.ts';
import type { JsonObject } from '../core/json.ts';
import { builtInPresets } from '../core/presets.ts';
import { firstUnfinished, invalidTransition, requireStep } from '../core/rules.ts';
import { isAllComplete } from '../core/select.ts';
import { requireFeature } from '../core/state.ts';
import { GitStateError } from '../errors.ts';
import { orchestratorFeature } from '../formats/orchestrator-feature.ts';
import type { Store } from '../store/open.ts';
import { type Settings, unless, withStore } from './connection.ts';
import { exportDocument } from './documents.ts';

/** The operations of the orchestrator's state file, each of them as one that cannot be overtaken. Results are its own
 *  objects; errors are GitStateErrors. */

/** Steps of a feature, in order. */
export const STEPS: readonly string[] = builtInPresets().find(({ name }) => name === 'orchestrator')!.steps;
export const FEATURE_STATUSES = ['pending', 'in_progress', 'completed', 'failed'] as const;
export const WORKER_STATUSES = ['idle', 'busy'] as const;

let settings: Settings = {};

/** Sets where the store is and which session is meant, for all calls from now on. */
export function configure(options: Settings): void {
  settings = { ...options };
}

/** The whole document. @throws NOT_INITIALIZED, SESSION_NOT_FOUND, AMBIGUOUS_SESSION */
export function readState(): Promise<JsonObject> {
  return withStore(settings, async (store) => {
    const request = { format: 'orchestrator', session: settings.session };
    return (await exportDocument(store, request as { format: string })) as JsonObject;
  });
}

/** Id of the first feature that can be claimed: by priority, phase and id; null where there is none. */
export function findNextPendingFeature(): Promise<string | null> {
  return withStore(settings, (store) =>
    unless(['NOTHING_READY'], async () => (await store.next()).id as string, null),
  );
}

/** A worker takes a feature; its first step begins.
 *  @throws FEATURE_NOT_FOUND, ALREADY_CLAIMED, WORKER_BUSY, DEPENDENCIES_UNMET, INVALID_TRANSITION */
export function claimFeature(featureId: string, workerId: string): Promise<JsonObject> {
  return withStore(settings, async (store) => {
    const { session } = await store.claim({ feature: featureId, worker: workerId });
    return featureIn(store, session, featureId);
  });
}

/** A step is complete and the next one begins, or the one named; steps between them are skipped.
 *  @throws FEATURE_NOT_FOUND, STEP_NOT_FOUND, INVALID_TRANSITION, INVALID_INPUT */
export function updateStepProgress(
  featureId: string,
  step: string,
  next?: string | null,
): Promise<JsonObject> {
  return withStore(settings, async (store) => {
    const session = await sessionIn(store);
    const { feature, between } = await movesOf(store, { session, featureId, step, next: next ?? null });
    // The state file knows who works on a feature, so its callers need not say.
    const holder = settings.worker ?? feature.worker_id ?? undefined;
    const where = { session, feature: featureId, ...(holder === undefined ? {} : { worker: holder }) };
    await store.stepDone({ ...where, step });
    for (const passed of between) await store.stepSkip({ ...where, step: passed });
    return featureIn(store, session, featureId);
  });
}

/** What lies between `step` and `next`. Everything is checked before the first move. */
async function movesOf(
  store: Store,
  {
    session,
    featureId,
    step,
    next,
  }: { session: string; featureId: string; step: string; next: string | null },
): Promise<{ feature: Feature; between: string[] }> {
  const { state } = (await store.state())!;
  const feature = requireFeature(state, session, featureId);
  const index = requireStep(feature, step);
  if (next === null) return { feature, between: [] };
  const target = requireStep(feature, next);
  if (target <= index) {
    throw new GitStateError('INVALID_INPUT', `step '${next}' does not come after '${step}'`, {
      hint: `the order of steps: ${feature.steps.map(({ name }) => name).join(', ')}`,
    });
  }
  const status = feature.steps[target]!.status;
  if (target < firstUnfinished(feature.steps)) {
    throw invalidTransition(`step '${next}' of feature '${featureId}' is ${status} already`, status, [
      'pending',
    ]);
  }
  const between = feature.steps.slice(index + 1, target).filter((one) => one.status !== 'completed');
  return { feature, between: between.map(({ name }) => name) };
}

/** @throws FEATURE_NOT_FOUND, NOT_HOLDER, INVALID_TRANSITION */
export function markFeatureComplete(
  featureId: string,
  workerId: string,
  summary?: string,
): Promise<JsonObject> {
  return withStore(settings, async (store) => {
    const session = await sessionIn(store);
    const told = summary === undefined ? {} : { summary };
    await store.complete({ session, feature: featureId, worker: workerId, skipRemaining: true, ...told });
    return featureIn(store, session, featureId);
  });
}

/** The feature is failed at once. @throws FEATURE_NOT_FOUND, NOT_HOLDER, INVALID_TRANSITION */
export function markFeatureFailed(featureId: string, workerId: string, error: string): Promise<JsonObject> {
  return withStore(settings, async (store) => {
    const session = await sessionIn(store);
    await store.fail({ session, feature: featureId, worker: workerId, error, noRetry: true });
    return featureIn(store, session, featureId);
  });
}

/** Whether every feature is completed; also where there is none. */
export function checkAllComplete(): Promise<boolean> {
  return withStore(settings, async (store) => isAllComplete((await store.status()).progress));
}

/** The session that is meant: the one configured, else the only active one. */
async function sessionIn(store: Store): Promise<string> {
  return (await store.sessionShow()).id;
}

async function featureIn(store: Store, session: string, id: string): Promise<JsonObject> {
  const { state } = (await store.state())!;
  return orchestratorFeature(requireFeature(state, session, id));
}
