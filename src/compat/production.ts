import { openingOf, tallyFor, totalCost, totalOf } from '../core/costs.ts';
import type { Feature } from '../core/entities.ts';
import { keyOf } from '../core/ids.ts';
import type { JsonObject } from '../core/json.ts';
import { metricsOf } from '../core/metrics.ts';
import { requireStep } from '../core/rules.ts';
import { type Contents, featuresInOrder } from '../core/state.ts';
import { stepIn } from '../core/tally.ts';
import { GitStateError } from '../errors.ts';
import { checkpointContents, newestCheckpoint } from '../formats/directory.ts';
import { episodeMapOf, productionEpisode } from '../formats/production-episode.ts';
import type { Store } from '../store/open.ts';
import { type Settings, withStore } from './connection.ts';
import {
  addEpisode,
  ensureSession,
  episodeIn,
  failPhase,
  matchEpisode,
  movePhase,
  type PhaseUpdate,
  productionSession,
  resume,
} from './production-session.ts';

export type { PhaseUpdate } from './production-session.ts';

/** Means an episode by its id, which these documents call `session_id`. */
interface OfEpisode {
  sessionId: string;
}

/** The manager of productions. An episode is a feature, its phases are the steps; all of them stand in one session,
 *  `production` unless another is named, which the first write makes. Results are the objects of production's
 *  documents; errors are GitStateErrors. */
export class ProductionStateManager {
  readonly #settings: Settings;
  readonly #session: string;

  constructor(options: Settings = {}) {
    this.#settings = { ...options };
    this.#session = options.session ?? 'production';
  }

  #with<T>(work: (store: Store) => Promise<T>): Promise<T> {
    return withStore({ ...this.#settings, session: this.#session }, work);
  }

  /** Runs a write on an episode. @returns the episode after it. */
  #change(id: string, work: (store: Store) => Promise<unknown>): Promise<JsonObject> {
    return this.#with(async (store) => {
      await episodeIn(store, this.#session, id);
      await work(store);
      return this.#episode(store, id);
    });
  }

  async #episode(store: Store, id: string): Promise<JsonObject> {
    const { contents, feature } = await episodeIn(store, this.#session, id);
    return productionEpisode(contents, feature);
  }

  #read<T>(id: string, answer: (contents: Contents, feature: Feature) => T): Promise<T> {
    return this.#with(async (store) => {
      const { contents, feature } = await episodeIn(store, this.#session, id);
      return answer(contents, feature);
    });
  }

  /** @returns the new episode's id. */
  createEpisodeSession(episode: { episodeNum: number; topic: string }): Promise<string> {
    return this.#with(async (store) => {
      await ensureSession(store, this.#session);
      return addEpisode(store, this.#session, episode);
    });
  }

  /** Moves a phase (`pending`, `active`, `complete`, `failed`, `skipped`) and sets what it cost in all.
   *  @throws FEATURE_NOT_FOUND, STEP_NOT_FOUND, INVALID_INPUT, INVALID_TRANSITION, BUDGET_EXCEEDED */
  updatePhase(update: PhaseUpdate): Promise<JsonObject> {
    return this.#change(update.sessionId, (store) => movePhase(store, this.#session, update));
  }

  /** Keeps `data` as the phase's checkpoint, in place of an earlier one. */
  saveCheckpoint(checkpoint: OfEpisode & { phase: string; data: unknown }): Promise<JsonObject> {
    const { sessionId, phase, data } = checkpoint;
    const name = `${sessionId}.${phase}`;
    return this.#checkpoint(sessionId, { name, step: phase, data, replace: true });
  }

  /** Marks a phase as the point to come back to that its completion marks by itself. */
  checkpointPhase(sessionId: string, phase: string): Promise<JsonObject> {
    const name = `${sessionId}.${phase}_complete`;
    return this.#checkpoint(sessionId, { name, step: phase, replace: true, automatic: true });
  }

  /** @throws ALREADY_EXISTS */
  createCheckpoint(checkpoint: OfEpisode & { checkpointName: string; data?: unknown }): Promise<JsonObject> {
    const { sessionId, checkpointName, data } = checkpoint;
    return this.#checkpoint(sessionId, { name: `${sessionId}.${checkpointName}`, data });
  }

  #checkpoint(
    id: string,
    options: { name: string; step?: string; data?: unknown; replace?: boolean; automatic?: boolean },
  ): Promise<JsonObject> {
    return this.#with(async (store) => {
      await episodeIn(store, this.#session, id);
      await store.checkpointCreate({ session: this.#session, feature: id, ...options });
      return this.#checkpointNamed(store, id, options.name);
    });
  }

  async #checkpointNamed(store: Store, id: string, name: string): Promise<JsonObject> {
    const { contents, feature } = await episodeIn(store, this.#session, id);
    const { can_resume } = await store.checkpointShow({ session: this.#session, name });
    return { ...checkpointContents(feature, contents.checkpoints.get(keyOf(name))!, true), can_resume };
  }

  /** The newest checkpoint of a phase. @throws CHECKPOINT_NOT_FOUND, STEP_NOT_FOUND */
  loadCheckpoint(sessionId: string, phase: string): Promise<JsonObject> {
    return this.#with(async (store) => {
      const { contents, feature } = await episodeIn(store, this.#session, sessionId);
      requireStep(feature, phase);
      const newest = newestCheckpoint(contents, feature.id, phase);
      if (newest) return this.#checkpointNamed(store, sessionId, newest.name);
      throw new GitStateError('CHECKPOINT_NOT_FOUND', `no checkpoint of phase '${phase}' of '${sessionId}'`, {
        hint: 'see what there is with `git state checkpoint list`',
        details: { feature: sessionId, step: phase },
      });
    });
  }

  /** Puts an episode back to what it was at one of its checkpoints; costs stay. @throws CHECKPOINT_NOT_FOUND */
  restoreCheckpoint(checkpoint: OfEpisode & { checkpointName: string }): Promise<JsonObject> {
    const { sessionId, checkpointName } = checkpoint;
    const point = `checkpoint:${sessionId}.${checkpointName}`;
    return this.#change(sessionId, (store) =>
      store.restore({ session: this.#session, feature: sessionId, point }),
    );
  }

  /** Completes an episode; phases that are still open are skipped. @throws INVALID_TRANSITION */
  completeEpisode(sessionId: string): Promise<JsonObject> {
    return this.#change(sessionId, (store) =>
      store.complete({ session: this.#session, feature: sessionId, skipRemaining: true }),
    );
  }

  /** Episodes that are neither complete nor archived, by id. */
  getActiveEpisodes(): Promise<Record<string, JsonObject>> {
    return this.#with(async (store) => {
      const { contents } = await productionSession(store, this.#session);
      const active = featuresInOrder(contents).filter((one) => episodeMapOf(one) === 'active_episodes');
      return Object.fromEntries(active.map((one) => [one.id, productionEpisode(contents, one)]));
    });
  }

  /** @throws FEATURE_NOT_FOUND */
  getEpisodeState(sessionId: string): Promise<JsonObject> {
    return this.#read(sessionId, productionEpisode);
  }

  /** @throws FEATURE_NOT_FOUND, STEP_NOT_FOUND */
  getPhaseStatus(sessionId: string, phase: string): Promise<string> {
    return this.#read(sessionId, (_contents, feature) => {
      const { status } = feature.steps[requireStep(feature, phase)]!;
      return status === 'completed' ? 'complete' : status;
    });
  }

  async getGlobalMetrics() {
    const { avg_cost, avg_production_time, success_rate } = await this.exportMetrics();
    return { avg_cost_per_episode: avg_cost, avg_production_time, success_rate };
  }

  /** Takes an episode up again where it stands; a prefix means the newest open episode that it fits. */
  resumeEpisode(sessionId: string): Promise<JsonObject> {
    return this.#with(async (store) => {
      const feature = await matchEpisode(store, this.#session, sessionId);
      await resume(store, this.#session, feature);
      return this.#episode(store, feature.id);
    });
  }

  /** A failed episode waits for work again; finished phases stay. @throws INVALID_TRANSITION for any other */
  recoverFailedSession(sessionId: string): Promise<JsonObject> {
    return this.#change(sessionId, (store) =>
      store.retry({ session: this.#session, feature: sessionId, failedOnly: true }),
    );
  }

  initiateRecovery(sessionId: string): Promise<JsonObject> {
    return this.recoverFailedSession(sessionId);
  }

  /** Archives episodes that failed, or that nobody works on, and were last updated so long ago. @returns their ids. */
  cleanupOrphanedSessions({ olderThanHours = 24 }: { olderThanHours?: number } = {}): Promise<string[]> {
    return this.#with(async (store) => {
      const { contents } = await productionSession(store, this.#session);
      if (contents.features.size === 0) return [];
      const olderThan = `${Math.round(olderThanHours * 3600)}s`;
      return (await store.cleanupFeatures({ session: this.#session, olderThan })).archived;
    });
  }

  /** Adds to what a phase cost. @returns the sums after it, and what the budgets say of them. */
  addCost(entry: OfEpisode & { phase: string; operation?: string; cost: number }) {
    const { sessionId, phase, operation, cost } = entry;
    return this.#with(async (store) => {
      await episodeIn(store, this.#session, sessionId);
      const spent = { step: phase, amount: cost, ...(operation === undefined ? {} : { operation }) };
      const answer = await store.costAdd({ session: this.#session, feature: sessionId, ...spent });
      const { step_total, total, warnings, stop } = answer;
      return { phase_cost: step_total ?? 0, total_cost: total, warnings, stop };
    });
  }

  getPhaseCost(sessionId: string, phase: string): Promise<number> {
    return this.#read(sessionId, (contents, feature) =>
      stepIn(tallyFor(contents, feature.id), feature.steps[requireStep(feature, phase)]!.name),
    );
  }

  getEpisodeCost(sessionId: string): Promise<number> {
    return this.#read(sessionId, (contents, feature) => totalOf(contents, feature.id));
  }

  /** All money ever spent. */
  getTotalSpending(): Promise<number> {
    return this.#with(async (store) => {
      const { session, contents } = await productionSession(store, this.#session);
      return totalCost(session, contents);
    });
  }

  /** The phase has failed, and with it the episode. */
  markPhaseFailed(failure: OfEpisode & { phase: string; error: string }): Promise<JsonObject> {
    return this.#change(failure.sessionId, (store) => failPhase(store, this.#session, failure));
  }

  /** Whether an episode has failed and has an attempt left. */
  canRecover(sessionId: string): Promise<boolean> {
    return this.#with(async (store) => {
      const { feature } = await episodeIn(store, this.#session, sessionId);
      const { session } = await productionSession(store, this.#session);
      return feature.status === 'failed' && feature.retry_count <= session.max_retries;
    });
  }

  archiveFailedEpisode(sessionId: string): Promise<JsonObject> {
    return this.#change(sessionId, (store) => store.archive({ session: this.#session, feature: sessionId }));
  }

  /** Times in minutes. */
  async getProductionMetrics() {
    const { total_tasks, success_rate, avg_production_time, avg_cost, by_step } = await this.exportMetrics();
    const opening = await this.#with(async (store) =>
      openingOf((await productionSession(store, this.#session)).session),
    );
    const phases = Object.entries(by_step).map(
      ([name, step]) => [name, { avg_time: step.avg_time, success_rate: step.success_rate }] as const,
    );
    return {
      total_episodes: total_tasks + opening.total_episodes,
      success_rate,
      avg_production_time,
      avg_cost,
      phase_performance: Object.fromEntries(phases),
    };
  }

  /** `avg_<name>` for each name of a score, and where they are heading. */
  async getQualityMetrics() {
    return (await this.exportMetrics()).quality;
  }

  /** Everything that is measured, as `git state metrics --json` has it. */
  exportMetrics() {
    return this.#with(async (store) => {
      const { session, contents } = await productionSession(store, this.#session);
      return { session: session.id as string, ...metricsOf(session, contents) };
    });
  }

  /** Empties the whole store, as one more commit: history keeps what was there. @throws USAGE without `confirm` */
  reset(options: { confirm?: boolean } = {}): Promise<void> {
    return this.#with(async (store) => {
      await store.reset(options);
    });
  }
}
