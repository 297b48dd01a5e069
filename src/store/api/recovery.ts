import { stopsOn } from '../../core/budgets.ts';
import type { Preset } from '../../core/entities.ts';
import type { Operation } from '../../core/operation.ts';
import { builtInPresets } from '../../core/presets.ts';
import { claimedFeatures, nextStep } from '../../core/select.ts';
import { contentsOf, requireFeature, requireSession, type State } from '../../core/state.ts';
import { sessionView } from '../../core/views.ts';
import { codeStatesOf } from '../code-state.ts';
import type { Proposal } from '../proposal.ts';
import {
  cleanupFeatures,
  cleanupSessions,
  presetPut,
  sessionRecover,
  storeReset,
} from '../proposals/recovery.ts';
import {
  type CallOptions,
  type Context,
  nowOf,
  renewalsOf,
  scoped,
  submit,
  type Written,
  writtenOf,
} from './context.ts';

export interface CleanupOptions extends CallOptions {
  /** Such as `7d`. */
  olderThan?: string;
  dryRun?: boolean;
}

/** What a dry run says of its writing. */
const unwritten: Written = { commit: null, changed: false, durability: 'local' };

interface Recovery {
  /** The state in which the claims are looked up. */
  before: State;
  after: State;
  operation: Operation;
  written: Written;
}

export function recoveryMethods(context: Context) {
  const { transactor } = context;

  async function clean<R>(
    proposal: Proposal<R>,
    request: Record<string, unknown>,
    { dryRun, opId }: CleanupOptions,
  ) {
    const given = Object.fromEntries(Object.entries(request).filter(([, value]) => value !== undefined));
    if (dryRun) {
      const { operation } = await transactor.preview(proposal, given);
      return { operation, written: unwritten };
    }
    const landed = await submit(context, proposal, { ...given, opId });
    return { operation: landed.operation, written: writtenOf(landed) };
  }

  /** The answer of `recover`: the session as it is afterwards, and what became of its claims. */
  async function recovered({ before, after, operation, written }: Recovery) {
    const sessionId = operation.session!;
    const session = requireSession(after, sessionId);
    const contents = contentsOf(after, sessionId);
    const { released } = operation.args as {
      released: { feature: string; worker: string; reason: string }[];
    };
    const gone = new Set(released.map(({ feature }) => feature));
    const kept = claimedFeatures(contentsOf(before, sessionId)).filter(({ id }) => !gone.has(id));
    const renewals = await renewalsOf(context, sessionId, kept);
    const ended = released.map(({ feature }) => requireFeature(before, sessionId, feature));
    const worktrees = await codeStatesOf(context.engine.repository, [...ended, ...kept]);
    return {
      ...sessionView(session, contents, stopsOn(session, contents, nowOf(context))),
      session: sessionId,
      released: released.map(({ feature, worker, reason }, index) => ({
        ...{ feature, worker, reason },
        step: nextStep(ended[index]!),
        worktree: worktrees[index] ?? null,
      })),
      kept: kept.map((feature, index) => ({
        feature: feature.id as string,
        worker: feature.worker_id as string,
        expires_at: renewals.get(feature.id) ?? feature.claim!.expires_at,
        step: nextStep(feature),
        worktree: worktrees[ended.length + index] ?? null,
      })),
      ...written,
    };
  }

  return {
    /** Makes a session active again and releases its claims that are over. Each is told with the first unfinished step
     *  and with what its worktree holds; `kept` are the claims that are live. */
    async recover(options: CallOptions & { dryRun?: boolean } = {}) {
      const { session: id, worker } = scoped(context, { session: options.session, worker: options.worker });
      const given = Object.fromEntries(
        Object.entries({ session: id, worker }).filter(([, value]) => value !== undefined),
      );
      if (options.dryRun) {
        const { before, after, operation } = await transactor.preview(sessionRecover, given);
        return recovered({ before, after, operation: operation!, written: unwritten });
      }
      const landed = await submit(context, sessionRecover, { ...given, opId: options.opId });
      const { operation, state } = landed;
      return recovered({ before: state, after: state, operation: operation!, written: writtenOf(landed) });
    },

    /** Drops sessions that are not active and were last updated so long ago; history keeps them. */
    async cleanup(options: CleanupOptions = {}) {
      await transactor.read('all');
      const { operation, written } = await clean(cleanupSessions, { olderThan: options.olderThan }, options);
      return { removed: ((operation?.args ?? {}) as { sessions?: string[] }).sessions ?? [], ...written };
    },

    /** Archives features that failed, or are in progress without a live claim, and were last updated so long ago. */
    async cleanupFeatures(options: CleanupOptions = {}) {
      const { session } = scoped(context, { session: options.session });
      const { operation, written } = await clean(
        cleanupFeatures,
        { session, olderThan: options.olderThan },
        options,
      );
      return { archived: ((operation?.args ?? {}) as { features?: string[] }).features ?? [], ...written };
    },

    /** Empties the store, as one more commit. @throws USAGE without `confirm` */
    async reset(options: { confirm?: boolean; opId?: string } = {}) {
      return writtenOf(await submit(context, storeReset, { ...options }));
    },

    /** Keeps a preset of the users' own in the store; what it leaves out is as in `none`. */
    async presetPut(options: { preset: Record<string, unknown>; opId?: string }) {
      const landed = await submit(context, presetPut, { ...options });
      return { ...(landed.operation!.args as { preset: Preset }).preset, ...writtenOf(landed) };
    },

    /** The built-in presets, then those kept in the store. */
    async presetList(): Promise<{ presets: (Preset & { built_in: boolean })[] }> {
      const { state } = await transactor.read();
      const own = [...state.presets.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
      return {
        presets: [
          ...builtInPresets().map((preset) => ({ ...preset, built_in: true })),
          ...own.map((preset) => ({ ...preset, built_in: false })),
        ],
      };
    },
  };
}
