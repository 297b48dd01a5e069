import { type Change, type DiffSummary, diffFollowing, diffStates, summarize } from '../../core/diff.ts';
import { stateRestore } from '../proposals/store.ts';
import type { Snapshot } from '../snapshot.ts';
import {
  type CallOptions,
  type Context,
  changesOf,
  namedSession,
  scoped,
  submit,
  writtenOf,
} from './context.ts';

export function historyMethods(context: Context) {
  const { engine, transactor } = context;

  async function pointSnapshot(text: string | undefined, session: string | undefined): Promise<Snapshot> {
    const now = await transactor.read('all');
    if (text === undefined) return now;
    const { commit } = await engine.point(now, text, namedSession(context, now, session));
    return engine.past(commit);
  }

  return {
    /** Puts a session, or one feature, back to what it was at a point of the history, as a new commit. */
    async restore(options: CallOptions & { point: string; feature?: string; dryRun?: boolean }) {
      const { session, worker } = scoped(context, { session: options.session, worker: options.worker });
      const request = { session, worker, point: options.point, feature: options.feature };
      const given = Object.fromEntries(Object.entries(request).filter(([, value]) => value !== undefined));
      if (options.dryRun) {
        const { before, after } = await transactor.preview(stateRestore, given);
        return {
          commit: null,
          changed: false,
          durability: 'local' as const,
          changes: diffFollowing(before, after),
        };
      }
      const landed = await submit(context, stateRestore, { ...request, opId: options.opId });
      return { ...writtenOf(landed), changes: await changesOf(context, landed) };
    },

    /** Compares two points by meaning; the second is the tip by default. */
    async diff(options: { from: string; to?: string; session?: string }): Promise<{
      from: string;
      to: string;
      changes: Change[];
      summary: DiffSummary;
    }> {
      const from = await pointSnapshot(options.from, options.session);
      const to = await pointSnapshot(options.to, options.session);
      const { session } = options;
      const changes = diffStates(from.state, to.state, session);
      return {
        from: from.commit!,
        to: to.commit!,
        changes,
        summary: summarize(from.state, to.state, changes, session),
      };
    },
  };
}
