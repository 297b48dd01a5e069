import { statSync } from 'node:fs';
import { join } from 'node:path';
import { blockersOf, claimedFeatures, contentsBySession } from '../../core/select.ts';
import type { State } from '../../core/state.ts';
import { failures, isGitStateError } from '../../errors.ts';
import { lockPath } from '../../git/refs.ts';
import {
  type Check,
  checkCache,
  checkCheckpoints,
  checkDamaged,
  checkLeases,
  checkMaintenance,
  checkSchema,
  checkWorktrees,
} from '../checks.ts';
import { judgeClaim, readLease } from '../lease.ts';
import { maintain } from '../maintenance.ts';
import { storeMigrate } from '../proposals/store.ts';
import { checkRemote } from '../remote-check.ts';
import type { Action } from '../repair/action.ts';
import { damageOf } from '../repair/branch.ts';
import { repairStore } from '../repair/repair.ts';
import type { Snapshot } from '../snapshot.ts';
import { type Context, submit } from './context.ts';

export interface Diagnosis {
  checks: Check[];
  /** Whether the stored state itself is damaged, which is worse than something that needs attention. */
  damaged: boolean;
  /** What was repaired, before the checks were made; empty where nothing had to be, or nobody asked for it. */
  repaired: Action[];
}

/** Looks at the store and its surroundings, and puts right what it may. */
export function doctorMethods(context: Context) {
  const { engine, transactor, warnings } = context;
  const { repository } = engine;

  function checkRepository(): Check {
    const kind = repository.bare
      ? 'bare'
      : repository.worktreeName
        ? `worktree '${repository.worktreeName}'`
        : 'main worktree';
    const cut = repository.shallow() ? ', shallow: the history ends before its root' : '';
    const { objectFormat, version, commonDir } = repository;
    return {
      name: 'repository',
      ok: true,
      detail: `${commonDir} (${kind}, ${objectFormat}, git ${version.join('.')})${cut}`,
    };
  }

  /** Reads the state from Git itself: what the cache knows says nothing of the objects. */
  async function checkBranch(): Promise<{ check: Check; snapshot: Snapshot | null; damaged: boolean }> {
    const name = 'state';
    const bad = (detail: string, damaged: boolean) => ({
      check: { name, ok: false, detail },
      snapshot: null,
      damaged,
    });
    try {
      const damage = await damageOf(engine);
      if (damage) return bad(`CORRUPT_STATE: ${damage.fault}: git state doctor --repair goes back`, true);
      const snapshot = await transactor.read('all');
      const { state, commit } = snapshot;
      if (commit === null) return bad(`no branch '${engine.branchRef}' yet: git state init`, false);
      return {
        check: { name, ok: true, detail: `${state.sessions.size} sessions at ${commit}` },
        snapshot,
        damaged: false,
      };
    } catch (error) {
      if (!isGitStateError(error)) throw error;
      return bad(`${error.code}: ${error.message}`, failures[error.code] === 'damaged');
    }
  }

  function checkLocks(): Check[] {
    const path = lockPath(repository, engine.branchRef);
    const stat = statSync(path, { throwIfNoEntry: false });
    const packed = join(repository.commonDir, 'packed-refs.lock');
    const others = [stat && path, statSync(packed, { throwIfNoEntry: false }) && packed].filter(Boolean);
    const holder = engine.mutex.holder();
    const who = holder?.identity
      ? `process ${holder.identity.pid} on '${holder.identity.host}'`
      : 'a file not written by gitstate';
    return [
      {
        name: 'git locks',
        ok: others.length === 0,
        detail:
          others.length === 0 ? 'none' : `held by some Git, or left by a killed one: ${others.join(', ')}`,
      },
      {
        name: 'writers',
        ok: holder === null || holder.liveness === 'alive',
        detail: holder === null ? 'nobody writes' : `${who} writes (${holder.liveness}): ${holder.path}`,
      },
    ];
  }

  async function checkClaims(state: State): Promise<Check> {
    const over: string[] = [];
    for (const { session, contents } of contentsBySession(state)) {
      for (const feature of claimedFeatures(contents)) {
        const lease = await readLease(engine.reader, session.id, feature);
        const judged = judgeClaim(feature, lease, {
          env: engine.env,
          nowMs: engine.env.now(),
          driftMs: engine.driftMs,
        });
        if (judged.state !== 'live')
          over.push(`${session.id}/${feature.id} of ${feature.worker_id} (${judged.state})`);
      }
    }
    return {
      name: 'claims',
      ok: over.length === 0,
      detail: over.length === 0 ? 'none is over' : `over, the next claim takes them: ${over.join(', ')}`,
    };
  }

  function checkDependencies(state: State): Check {
    const unknown = contentsBySession(state).flatMap(({ session, contents }) =>
      [...contents.features.values()].flatMap((feature) =>
        blockersOf(contents, feature)
          .filter(({ status }) => status === 'unknown')
          .map(({ id }) => `${session.id}/${feature.id} waits for '${id}'`),
      ),
    );
    return {
      name: 'dependencies',
      ok: unknown.length === 0,
      detail: unknown.length === 0 ? 'all exist' : `unknown: ${unknown.join(', ')}`,
    };
  }

  async function repair(): Promise<Action[]> {
    const actions = await repairStore(engine);
    const { state } = await transactor.read('all');
    if (state.store === null || state.store.schema >= engine.schema.version) return actions;
    const { commit } = await submit(context, storeMigrate, {});
    return [
      ...actions,
      { name: 'schema', detail: `brought every file to ${engine.schema.version} with ${commit}` },
    ];
  }

  return {
    /** What is right and what is not about the store and its surroundings. With `repair`, what can be put right is put
     *  right first: the state from what is left of it, what lies beside it from the state.
     *  @throws CORRUPT_STATE where nothing is left to repair from, SCHEMA_TOO_NEW */
    async doctor(options: { repair?: boolean; maintain?: boolean } = {}): Promise<Diagnosis> {
      if (options.maintain && !options.repair) {
        const done = await maintain(engine);
        return { checks: [checkMaintenance(engine)], damaged: false, repaired: done };
      }
      const repaired = options.repair ? await repair() : [];
      if (options.maintain) repaired.push(...(await maintain(engine)));
      const { check, snapshot, damaged } = await checkBranch();
      const branches = warnings();
      const checks = [
        checkRepository(),
        check,
        {
          name: 'checkouts',
          ok: branches.length === 0,
          detail: branches.join('; ') || 'the state branch is checked out nowhere',
        },
        ...checkLocks(),
        await checkCache(engine),
        ...(snapshot ? await checkState(snapshot) : []),
        await checkDamaged(engine),
        await checkRemote(engine, context.remote),
        checkMaintenance(engine),
      ];
      return { checks, damaged, repaired };
    },
  };

  async function checkState(snapshot: Snapshot): Promise<Check[]> {
    return [
      checkSchema(engine, snapshot),
      await checkClaims(snapshot.state),
      await checkLeases(engine, snapshot),
      checkDependencies(snapshot.state),
      await checkWorktrees(engine, snapshot),
      await checkCheckpoints(engine, snapshot),
    ];
  }
}
