import { stopsOn } from '../../core/budgets.ts';
import type { Session } from '../../core/entities.ts';
import { contentsBySession } from '../../core/select.ts';
import {
  type Contents,
  contentsOf,
  NotLoaded,
  requireSession,
  requireStore,
  type State,
} from '../../core/state.ts';
import { type SessionView, sessionView } from '../../core/views.ts';
import type { Landed, Proposal } from '../proposal.ts';
import {
  sessionArchive,
  sessionComplete,
  sessionFail,
  sessionStart,
  sessionUpdate,
} from '../proposals/session.ts';
import { storeInit } from '../proposals/store.ts';
import { lookForStore } from '../sharing.ts';
import {
  type CallOptions,
  type Context,
  nowOf,
  pastSnapshot,
  type ReadOptions,
  readSession,
  scoped,
  submit,
  type Written,
  writtenOf,
} from './context.ts';
import { readmeObject } from './readme.ts';

export interface SessionOptions extends CallOptions {
  name?: string;
  config?: Record<string, unknown>;
  maxRetries?: number;
  /** Default length of a lease, such as `15m`. */
  lease?: string;
  autoCheckpoints?: boolean;
  /** Least scores of a completed feature; null lifts one. */
  qualityMin?: Record<string, number | null>;
  /** Limits per step; null lifts one. */
  budgetStep?: Record<string, number | null>;
  budgetFeature?: number | null;
  budgetDay?: number | null;
}

export function sessionMethods(context: Context) {
  const { engine } = context;

  async function answer(landed: Landed): Promise<SessionView & Written> {
    const id = (landed.operation?.session ?? (landed.decision as { session: string | null }).session)!;
    const state = await withContents(landed, id);
    return { ...viewOf(requireSession(state, id), contentsOf(state, id)), ...writtenOf(landed) };
  }

  function viewOf(session: Session, contents: Contents): SessionView {
    return sessionView(session, contents, stopsOn(session, contents, nowOf(context)));
  }

  /** The state after an operation that may not have needed the session's contents, with them. */
  async function withContents({ state, commit }: Landed, id: string): Promise<State> {
    try {
      contentsOf(state, id);
      return state;
    } catch (error) {
      if (!(error instanceof NotLoaded)) throw error;
      return commit === null
        ? (await context.transactor.read('all')).state
        : (await engine.past(commit)).state;
    }
  }

  const end =
    (proposal: Proposal<never>) =>
    async (options: CallOptions = {}) =>
      answer(
        await submit(
          context,
          proposal,
          only(scoped(context, options), ['session', 'worker', 'force', 'opId']),
        ),
      );

  return {
    /** Creates the state branch; on a store that is there already nothing changes. */
    async init(options: { preset?: string; opId?: string } = {}) {
      if (context.remote === null && !context.offline && (await engine.tip()) === null) {
        const warning = await context.transactor.exclusively(0, (held) => lookForStore(engine, held));
        if (warning !== null) context.warn(warning);
      }
      const readme = readmeObject(engine.repository.objectFormat);
      await engine.write([readme]);
      const landed = await submit(context, storeInit, { ...options, readme: readme.oid });
      return { branch: engine.branchRef.slice('refs/heads/'.length), ...writtenOf(landed) };
    },

    /** Starts a session; its id is made from the date unless one is given. */
    async sessionStart(
      options: SessionOptions & {
        preset?: string;
        /** A preset, as `presetPut` takes it, that need not be in the store; goes before `preset`. */
        rules?: Record<string, unknown>;
        steps?: string[];
        /** Least scores of a feature that is completed; null lifts one of the preset's. */
      } = {},
    ) {
      return answer(await submit(context, sessionStart, { ...options }));
    },

    /** Active sessions in the order of their start; with `all`, the others too. */
    async sessionList(options: { all?: boolean; at?: string } = {}): Promise<{ sessions: SessionView[] }> {
      const past = await pastSnapshot(context, options);
      const { state } = past ?? (await context.transactor.read('all'));
      requireStore(state);
      const rows = contentsBySession(state).map(({ session, contents }) => viewOf(session, contents));
      return { sessions: options.all ? rows : rows.filter(({ status }) => status === 'active') };
    },

    async sessionShow(options: ReadOptions = {}): Promise<SessionView> {
      const { session, contents, isStopped } = await readSession(context, options);
      return sessionView(session, contents, isStopped);
    },

    async sessionUpdate(options: SessionOptions & { status?: string }) {
      const { session, worker } = scoped(context, options);
      return answer(await submit(context, sessionUpdate, { ...options, session, worker }));
    },

    sessionComplete: end(sessionComplete as Proposal<never>),
    sessionFail: end(sessionFail as Proposal<never>),
    sessionArchive: end(sessionArchive as Proposal<never>),
  };
}

/** The entries of `options` that a request knows. */
export function only<T extends object, K extends keyof T & string>(
  options: T,
  keys: readonly K[],
): Pick<T, K> {
  return Object.fromEntries(keys.map((key) => [key, options[key]])) as Pick<T, K>;
}
