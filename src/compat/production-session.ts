import type { Feature, Session } from '../core/entities.ts';
import { type FeatureId, keyOf, type SessionId } from '../core/ids.ts';
import { firstUnfinished, invalidTransition, requireStep } from '../core/rules.ts';
import { type Contents, contentsOf, emptyContents, findSession, requireFeature } from '../core/state.ts';
import type { Instant } from '../core/time.ts';
import { GitStateError, isGitStateError } from '../errors.ts';
import { sessionFrom } from '../formats/imported.ts';
import type { Store } from '../store/open.ts';
import { ensureStore } from './connection.ts';

/** What the manager of productions shares: its session, its episodes and the moves of their phases. */

/** The session as it stands; one without episodes where there is none yet. */
export async function productionSession(
  store: Store,
  id: string,
): Promise<{ session: Session; contents: Contents }> {
  const found = await store.state();
  const session = found && findSession(found.state, id);
  if (found && session) return { session, contents: contentsOf(found.state, id) };
  const at = store.now() as Instant;
  const fields = {
    id: id as SessionId,
    status: 'active',
    config: {},
    started_at: at,
    updated_at: at,
  } as const;
  return { session: sessionFrom('production', fields), contents: emptyContents };
}

/** Makes the store and the session with the first write. */
export async function ensureSession(store: Store, id: string): Promise<void> {
  await ensureStore(store);
  const found = await store.state();
  if (found && findSession(found.state, id)) return;
  try {
    await store.sessionStart({ session: id, preset: 'production' });
  } catch (error) {
    // Another manager was first.
    if (!isGitStateError(error, 'ALREADY_EXISTS')) throw error;
    const again = await store.state();
    if (!again || !findSession(again.state, id)) throw error;
  }
}

/** @throws FEATURE_NOT_FOUND */
export async function episodeIn(
  store: Store,
  session: string,
  id: string,
): Promise<{ contents: Contents; feature: Feature }> {
  const found = await store.state();
  if (!found || !findSession(found.state, session)) {
    throw new GitStateError('FEATURE_NOT_FOUND', `no episode '${id}': there is no session '${session}' yet`, {
      hint: 'create the episode with createEpisodeSession',
      details: { feature: id, session },
    });
  }
  return { contents: contentsOf(found.state, session), feature: requireFeature(found.state, session, id) };
}

/** Adds an episode as `ep_<number>_<day>_<time>`, with a number behind it where that is taken. @returns its id. */
export async function addEpisode(
  store: Store,
  session: string,
  { episodeNum, topic }: { episodeNum: number; topic: string },
): Promise<string> {
  if (!Number.isSafeInteger(episodeNum) || episodeNum < 0) {
    throw new GitStateError('INVALID_INPUT', `episodeNum: ${episodeNum} is no whole number from 0 on`);
  }
  const digits = store.now().replace(/[-:Z]/g, '').replace('T', '_');
  const stem = `ep_${String(episodeNum).padStart(3, '0')}_${digits}`;
  const { contents } = await productionSession(store, session);
  for (let count = 1; ; count += 1) {
    const feature = (count === 1 ? stem : `${stem}_${count}`) as FeatureId;
    if (contents.features.has(keyOf(feature))) continue;
    try {
      await store.add({ session, feature, name: topic, data: { episode_number: episodeNum } });
      return feature;
    } catch (error) {
      if (!isGitStateError(error, 'ALREADY_EXISTS')) throw error;
    }
  }
}

const phaseWords = ['pending', 'active', 'complete', 'failed', 'skipped'] as const;
type PhaseWord = (typeof phaseWords)[number];

function phaseWord(status: string): PhaseWord {
  const word = phaseWords.find((one) => one === status);
  if (word !== undefined) return word;
  throw new GitStateError('INVALID_INPUT', `'${status}' is no status of a phase`, {
    hint: `known words: ${phaseWords.join(', ')}`,
    details: { path: ['status'] },
  });
}

export interface PhaseUpdate {
  sessionId: string;
  phase: string;
  status?: string;
  /** The phase's total, not an addition to it. */
  cost?: number;
}

/** Moves a phase and sets its cost. */
export async function movePhase(store: Store, session: string, update: PhaseUpdate): Promise<void> {
  const { sessionId, phase, cost } = update;
  const word = update.status === undefined ? null : phaseWord(update.status);
  const { feature } = await episodeIn(store, session, sessionId);
  const index = requireStep(feature, phase);
  const where = { session, feature: sessionId, step: phase };
  const pay = () => (cost === undefined ? undefined : store.costSet({ ...where, amount: cost }));
  // The next phase does not begin where this one has used the money up, so its cost comes first.
  const moves = feature.status === 'pending' || feature.status === 'in_progress';
  const first = word === 'complete' && moves && firstUnfinished(feature.steps) === index;
  if (first) await pay();
  if (word !== null) await movers[word](store, where, feature.steps[index]!.status);
  if (!first) await pay();
}

type Mover = (
  store: Store,
  where: { session: string; feature: string; step: string },
  now: Feature['steps'][number]['status'],
) => Promise<unknown>;

const movers: Record<PhaseWord, Mover> = {
  active: (store, where) => store.stepStart(where),
  complete: (store, where) => store.stepDone(where),
  skipped: (store, where) => store.stepSkip(where),
  failed: async (store, where, now) => {
    if (now === 'pending') await store.stepStart(where);
    return store.stepFail(where);
  },
  pending: async (_store, { step }, now) => {
    if (now === 'pending') return;
    const message = `phase '${step}' is ${now}: it cannot be pending again`;
    throw invalidTransition(
      message,
      now,
      ['pending'],
      'a failed episode starts over: git state retry ID --from STEP',
    );
  },
};

/** The phase fails, and with it the episode, in whichever phase it is. */
export async function failPhase(
  store: Store,
  session: string,
  { sessionId, phase, error }: { sessionId: string; phase: string; error: string },
): Promise<void> {
  const { feature } = await episodeIn(store, session, sessionId);
  const { status } = feature.steps[requireStep(feature, phase)]!;
  const where = { session, feature: sessionId };
  if (status !== 'active') await store.stepStart({ ...where, step: phase });
  await store.fail({ ...where, error, noRetry: true });
}

/** The episode of an id, or the newest active one whose id begins so. */
export async function matchEpisode(store: Store, session: string, prefix: string): Promise<Feature> {
  const { contents } = await productionSession(store, session);
  const exact = [...contents.features.values()].find(({ id }) => id === prefix);
  if (exact) return exact;
  const open = [...contents.features.values()]
    .filter(({ id, status }) => id.startsWith(prefix) && status !== 'completed' && status !== 'archived')
    .sort((a, b) =>
      a.created_at < b.created_at ? -1 : a.created_at > b.created_at ? 1 : a.id < b.id ? -1 : 1,
    );
  const newest = prefix === '' ? undefined : open.at(-1);
  return newest ?? (await episodeIn(store, session, prefix)).feature;
}

/** Takes an episode up where it stands: a failed one is tried again, and its next phase begins. */
export async function resume(store: Store, session: string, feature: Feature): Promise<void> {
  const where = { session, feature: feature.id };
  if (feature.status === 'failed') await store.retry({ ...where, failedOnly: true });
  const { feature: now } = await episodeIn(store, session, feature.id);
  const step = now.steps[firstUnfinished(now.steps)] ?? now.steps.at(-1);
  const finished = now.status === 'completed' || now.status === 'archived';
  const open = step !== undefined && (step.status === 'pending' || step.status === 'failed');
  if (finished || open) await store.stepStart({ ...where, step: step!.name });
}
