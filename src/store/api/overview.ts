import { metricsOf } from '../../core/metrics.ts';
import { blockedFeatures, claimedFeatures, progressOf, workersOf } from '../../core/select.ts';
import type { Contents } from '../../core/state.ts';
import { costsView } from '../../core/views.ts';
import { listWorktrees, pruneWorktrees, removeWorktree, worktreeStatus } from '../../git/worktrees.ts';
import { worktreePath } from '../code.ts';
import { type Context, type Reading, type ReadOptions, readSession, renewalsOf } from './context.ts';

export interface WorktreeRow {
  feature: string;
  /** Absolute path. */
  path: string;
  branch: string | null;
  head: string | null;
  dirty: boolean;
  unpushed: boolean;
  removable: boolean;
}

export function overviewMethods(context: Context) {
  const { engine } = context;

  async function workers(reading: Reading) {
    const renewals = reading.present
      ? await renewalsOf(context, reading.session.id, claimedFeatures(reading.contents))
      : new Map<string, string>();
    return workersOf(reading.contents).map((row) => ({
      ...row,
      expires_at: row.current_feature === null ? null : (renewals.get(row.current_feature) ?? row.expires_at),
    }));
  }

  async function worktrees(contents: Contents): Promise<WorktreeRow[]> {
    const known = new Map((await listWorktrees(engine.repository)).map((one) => [one.path, one]));
    const rows: WorktreeRow[] = [];
    for (const feature of contents.features.values()) {
      if (feature.worktree === null) continue;
      const path = worktreePath(engine.repository, feature.worktree);
      const found = known.get(path);
      if (!found || found.prunable) continue;
      const { dirty, unpushed, branch, head } = await worktreeStatus(engine.repository, path);
      const finished = feature.status === 'completed' || feature.status === 'archived';
      const removable = finished && !dirty && !unpushed && !found.locked;
      rows.push({ feature: feature.id, path, branch, head, dirty, unpushed, removable });
    }
    return rows;
  }

  return {
    /** Where everything stands: progress, workers, what waits for what, metrics, costs. */
    async status(options: ReadOptions = {}) {
      const reading = await readSession(context, options);
      const { session, contents } = reading;
      return {
        session: session.id,
        name: session.name,
        status: session.status,
        progress: progressOf(contents, reading.isStopped),
        workers: await workers(reading),
        blocked: blockedFeatures(contents),
        metrics: metricsOf(session, contents),
        costs: costsView(session, contents, reading.at),
      };
    },

    /** Every worker that ever claimed something, idle ones too. */
    async workerList(options: ReadOptions = {}) {
      return { workers: await workers(await readSession(context, options)) };
    },

    /** Worktrees of features, with what would be lost if one were removed. */
    async worktreeList(options: { session?: string } = {}) {
      return { worktrees: await worktrees((await readSession(context, options)).contents) };
    },

    /** Removes the worktrees of finished features that hold no uncommitted work, and no unpushed work unless
     *  `unpushed` is given. Branches stay. */
    async worktreePrune(options: { session?: string; dryRun?: boolean; unpushed?: boolean } = {}) {
      const { contents } = await readSession(context, options, { whole: true });
      const rows = await worktrees(contents);
      const finished = new Set(
        [...contents.features.values()]
          .filter(({ status }) => status === 'completed' || status === 'archived')
          .map(({ id }) => id as string),
      );
      const removed = rows.filter(
        (row) => row.removable || (options.unpushed === true && finished.has(row.feature) && !row.dirty),
      );
      if (!options.dryRun) {
        for (const { path } of removed) await removeWorktree(engine.repository, path);
        await pruneWorktrees(engine.repository);
      }
      return { worktrees: removed };
    },
  };
}
