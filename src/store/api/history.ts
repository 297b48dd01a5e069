import { featurePath } from '../../codec/paths.ts';
import { type Change, type DiffSummary, diffFollowing, diffStates, summarize } from '../../core/diff.ts';
import type { FeatureId } from '../../core/ids.ts';
import { findFeature, requireCheckpoint, requireFeature } from '../../core/state.ts';
import { GitStateError } from '../../errors.ts';
import { type BlamedField, blameFile } from '../blame.ts';
import { type CodeMove, moveCode, planCodeMove } from '../code-restore.ts';
import { readableSessionOf } from '../proposals/scope.ts';
import { stateRestore } from '../proposals/store.ts';
import type { Snapshot } from '../snapshot.ts';
import {
  type CallOptions,
  type Context,
  changesOf,
  namedSession,
  type ReadOptions,
  readSession,
  scoped,
  submit,
  type Written,
  writtenOf,
} from './context.ts';

export interface RestoreOptions extends CallOptions {
  /** Checkpoint, commit, date or age. */
  point: string;
  feature?: string;
  /** Also the code: branches, or worktrees, go to the heads that the checkpoint recorded. */
  code?: boolean;
  dryRun?: boolean;
}

export interface Restored extends Written {
  changes: Change[];
  /** With `code`: what moved, or would move. */
  code?: CodeMove[];
}

export function historyMethods(context: Context) {
  const { engine, transactor } = context;

  async function pointSnapshot(text: string | undefined, session: string | undefined): Promise<Snapshot> {
    const now = await transactor.read('all');
    if (text === undefined) return now;
    const { commit } = await engine.point(now, text, namedSession(context, now, session));
    return engine.past(commit);
  }

  /** The code heads of the checkpoint that is meant, as far as their branches stand elsewhere. */
  async function plannedCode({ point: text, feature }: RestoreOptions, named: string | undefined) {
    const now = await transactor.read('all');
    const session = named ?? readableSessionOf(now.state, undefined).id;
    const point = await engine.point(now, text, session);
    if (point.checkpoint === null) {
      throw new GitStateError(
        'INVALID_INPUT',
        `'${text}' is no checkpoint: only checkpoints record where code stood`,
        {
          hint: 'git state checkpoint list',
        },
      );
    }
    const checkpoint = requireCheckpoint(now.state, session, point.checkpoint);
    const only = feature ?? (checkpoint.automatic ? checkpoint.feature : null);
    const then = (await engine.past(point.commit)).state;
    const moves: CodeMove[] = [];
    for (const [id, head] of Object.entries(checkpoint.heads)) {
      if (only !== null && only !== id) continue;
      const owner = findFeature(now.state, session, id) ?? findFeature(then, session, id);
      const move = await planCodeMove(
        engine,
        session,
        owner ?? { id: id as FeatureId, worktree: null },
        head,
      );
      if (move) moves.push(move);
    }
    if (only !== null && !Object.hasOwn(checkpoint.heads, only))
      context.warn(`checkpoint '${checkpoint.name}' recorded no code of feature '${only}'`);
    return { session, moves };
  }

  return {
    /** Puts a session, or one feature, back to what it was at a point of the history, as a new commit; with `code`
     *  also the branches, or worktrees, whose heads the checkpoint recorded. */
    async restore(options: RestoreOptions): Promise<Restored> {
      const { session, worker } = scoped(context, { session: options.session, worker: options.worker });
      const request = { session, worker, point: options.point, feature: options.feature };
      const given = Object.fromEntries(Object.entries(request).filter(([, value]) => value !== undefined));
      // Whatever stands in the way of the code is said before the state changes.
      const planned = options.code ? await plannedCode(options, session) : null;
      if (options.dryRun) {
        const { before, after } = await transactor.preview(stateRestore, given);
        const changes = diffFollowing(before, after);
        return {
          commit: null,
          changed: false,
          durability: 'local',
          changes,
          ...(planned && { code: planned.moves }),
        };
      }
      const landed = await submit(context, stateRestore, { ...given, opId: options.opId });
      const answer = { ...writtenOf(landed), changes: await changesOf(context, landed) };
      if (!planned) return answer;
      const code: CodeMove[] = [];
      for (const move of planned.moves) code.push(await moveCode(engine, planned.session, move));
      return { ...answer, code };
    },

    /** Which operation gave each field of a feature the value that it has. */
    async blame(
      options: ReadOptions & { feature?: string },
    ): Promise<{ feature: string; fields: BlamedField[] }> {
      const { feature } = scoped(context, { session: options.session, feature: options.feature });
      if (feature === undefined) {
        throw new GitStateError('USAGE', 'no feature is named', {
          hint: 'name the feature, or set GITSTATE_FEATURE',
        });
      }
      const { state, session, snapshot } = await readSession(context, options);
      const { id } = requireFeature(state, session.id, feature);
      return { feature: id, fields: await blameFile(engine, snapshot.commit!, featurePath(session.id, id)) };
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
