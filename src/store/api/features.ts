import { budgetOf } from '../../core/budgets.ts';
import { FeatureStatus } from '../../core/entities.ts';
import { matcherOf } from '../../core/match.ts';
import { featureByPrefix, workerByPrefix } from '../../core/prefix.ts';
import { firstReady, readyFeatures } from '../../core/select.ts';
import { contentsOf, featuresInOrder, requireFeature, requireSession } from '../../core/state.ts';
import { type FeatureView, featureView } from '../../core/views.ts';
import { GitStateError } from '../../errors.ts';
import type { Proposal } from '../proposal.ts';
import {
  featureAdd,
  featureArchive,
  featureComplete,
  featureFail,
  featureRelease,
  featureRemove,
  featureRetry,
  featureUpdate,
  planLoad,
} from '../proposals/feature.ts';
import { nothingReady } from '../proposals/nothing-ready.ts';
import { stepDone, stepFail, stepSkip, stepStart } from '../proposals/step.ts';
import {
  type CallOptions,
  type Context,
  featureAnswer,
  nowOf,
  type Reading,
  type ReadOptions,
  readSession,
  renewalsOf,
  scoped,
  subjectOf,
  submit,
  writtenOf,
} from './context.ts';

export interface FeatureFields {
  name?: string;
  /** `P0` (first) to `P9`. */
  priority?: string | null;
  phase?: number | null;
  dependencies?: string[];
  steps?: string[];
  data?: Record<string, unknown>;
}

export interface PlannedFeature extends FeatureFields {
  id: string;
}

export interface FeatureOptions extends CallOptions {
  feature?: string;
}

export interface MatchOptions extends ReadOptions {
  /** Conditions that all have to hold, such as `priority=P0,P1`, `id=api-*` or `label=backend`. */
  match?: string[];
}

export function featureMethods(context: Context) {
  /** A write to the feature that is meant. */
  async function write(proposal: Proposal<never>, options: FeatureOptions & Record<string, unknown>) {
    return featureAnswer(context, await submit(context, proposal, { ...scoped(context, options) }));
  }

  /** A write to a feature that is always named. */
  async function writeNamed(proposal: Proposal<never>, options: FeatureOptions & { feature: string }) {
    const { session, worker, token } = scoped(context, options);
    return submit(context, proposal, { ...options, session, worker, token });
  }

  async function viewOf(
    reading: Reading,
    features: ReturnType<typeof featuresInOrder>,
  ): Promise<FeatureView[]> {
    const { contents, session, present, isStopped } = reading;
    const renewals = present ? await renewalsOf(context, session.id, features) : undefined;
    return features.map((feature) => featureView(contents, feature, isStopped, renewals));
  }

  /** A move of a step; `stop` tells that money keeps the next one from starting. */
  const step = (proposal: unknown) => async (options: FeatureOptions & { step: string; error?: string }) => {
    const landed = await submit(context, proposal as Proposal<never>, { ...scoped(context, options) });
    const { session: sessionId, feature: id } = subjectOf(landed);
    const session = requireSession(landed.state, sessionId);
    const feature = requireFeature(landed.state, sessionId, id);
    return {
      ...(await featureAnswer(context, landed)),
      ...budgetOf(session, contentsOf(landed.state, sessionId), feature, nowOf(context)),
    };
  };

  return {
    /** Adds one feature. In a session of production its id may be left out: then it is made of number and time.
     *  @throws ALREADY_EXISTS, INVALID_INPUT, SESSION_NOT_ACTIVE, USAGE */
    async add(options: CallOptions & FeatureFields & { feature?: string }) {
      const { token: _token, force: _force, ...request } = options;
      const { session, worker } = scoped(context, options);
      return featureAnswer(context, await submit(context, featureAdd, { ...request, session, worker }));
    },

    /** Adds many features, all or none. */
    async planLoad(options: CallOptions & { features: PlannedFeature[] }) {
      const { session, worker } = scoped(context, options);
      const landed = await submit(context, planLoad, {
        session,
        worker,
        features: options.features,
        opId: options.opId,
      });
      return { added: options.features.length, ...writtenOf(landed) };
    },

    /** Sets fields by hand; `status` outside the normal moves, too. */
    update: (
      options: FeatureOptions &
        FeatureFields & {
          status?: string;
          prNumber?: number | null;
          branchName?: string | null;
          worktree?: string | null;
          metrics?: Record<string, unknown>;
          startedAt?: string | null;
          completedAt?: string | null;
          /** Entries of `data` to set; the others stay. */
          addData?: Record<string, unknown>;
          /** Fields of a document's format that are kept in `data`. */
          keep?: { format: string; fields: Record<string, unknown> };
        },
    ) => write(featureUpdate as Proposal<never>, { ...options }),

    /** Removes a feature; answers with what it was. @throws HAS_DEPENDENTS */
    async remove(options: FeatureOptions & { feature: string }) {
      const { session } = scoped(context, options);
      const reading = await readSession(context, { session }, { whole: true });
      const [view] = await viewOf(reading, [
        requireFeature(reading.state, reading.session.id, options.feature),
      ]);
      const landed = await writeNamed(featureRemove as Proposal<never>, {
        ...options,
        session: reading.session.id,
      });
      return { ...view!, ...writtenOf(landed) };
    },

    /** Features in natural order, of some statuses or of one worker. */
    async list(
      options: ReadOptions & { status?: string[]; worker?: string } = {},
    ): Promise<{ features: FeatureView[] }> {
      for (const status of options.status ?? []) {
        if (FeatureStatus.safeParse(status).success) continue;
        throw new GitStateError('INVALID_INPUT', `no status '${status}'`, {
          hint: `statuses: ${FeatureStatus.options.join(', ')}`,
        });
      }
      const reading = await readSession(context, options);
      const worker =
        options.worker === undefined ? undefined : workerByPrefix(reading.contents, options.worker);
      const wanted = featuresInOrder(reading.contents).filter(
        ({ status, worker_id }) =>
          (!options.status?.length || options.status.includes(status)) &&
          (worker === undefined || worker_id === worker),
      );
      return { features: await viewOf(reading, wanted) };
    },

    /** The feature named, else that of the surroundings. @throws USAGE where there is none */
    async show(options: ReadOptions & { feature?: string } = {}): Promise<FeatureView> {
      const named = scoped(context, { session: options.session, feature: options.feature }).feature;
      if (named === undefined) {
        throw new GitStateError('USAGE', 'no feature is named', {
          hint: 'name the feature, or set GITSTATE_FEATURE',
        });
      }
      const reading = await readSession(context, options);
      const feature = featureByPrefix(reading.state, reading.session.id, named);
      return (await viewOf(reading, [feature]))[0]!;
    },

    /** Every feature that can be claimed, in claim order. */
    async ready(options: MatchOptions = {}): Promise<{ features: FeatureView[] }> {
      const matches = matcherOf(options.match);
      const reading = await readSession(context, options);
      return { features: await viewOf(reading, readyFeatures(reading.contents, reading.isStopped, matches)) };
    },

    /** The first of `ready`. @throws NOTHING_READY */
    async next(options: MatchOptions = {}): Promise<FeatureView> {
      const matches = matcherOf(options.match);
      const reading = await readSession(context, options);
      const feature = firstReady(reading.contents, reading.isStopped, matches);
      if (!feature) throw nothingReady(reading.contents, reading.isStopped, { matches });
      return (await viewOf(reading, [feature]))[0]!;
    },

    /** Gives a claim back; finished steps stay. */
    release: (options: FeatureOptions = {}) => write(featureRelease as Proposal<never>, { ...options }),

    complete: (options: FeatureOptions & { summary?: string; skipRemaining?: boolean } = {}) =>
      write(featureComplete as Proposal<never>, { ...options }),

    /** An attempt failed: the feature waits for the next one, or is failed for good. */
    fail: (options: FeatureOptions & { error: string; noRetry?: boolean; maxRetries?: number }) =>
      write(featureFail as Proposal<never>, { ...options }),

    /** A failed or finished feature is pending again; finished steps stay, or start over at `from`. */
    async retry(options: FeatureOptions & { feature: string; from?: string; failedOnly?: boolean }) {
      const { session, worker } = scoped(context, options);
      const { feature, from, failedOnly, opId } = options;
      return featureAnswer(
        context,
        await submit(context, featureRetry, { session, worker, feature, from, failedOnly, opId }),
      );
    },

    /** Puts a feature away. */
    async archive(options: FeatureOptions & { feature: string }) {
      return featureAnswer(context, await writeNamed(featureArchive as Proposal<never>, options));
    },

    stepStart: step(stepStart),
    stepDone: step(stepDone),
    stepFail: step(stepFail),
    stepSkip: step(stepSkip),
  };
}
