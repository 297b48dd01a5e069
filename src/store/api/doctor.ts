import { statSync } from 'node:fs';
import { join } from 'node:path';
import { blockersOf, claimedFeatures, contentsBySession } from '../../core/select.ts';
import type { State } from '../../core/state.ts';
import { isGitStateError } from '../../errors.ts';
import { lockPath } from '../../git/refs.ts';
import { judgeClaim, readLease } from '../lease.ts';
import type { Context } from './context.ts';

/** One thing that was looked at. */
export interface Check {
  name: string;
  ok: boolean;
  detail: string;
}

export interface Diagnosis {
  checks: Check[];
  /** Whether the stored state itself is damaged, which is worse than something that needs attention. */
  damaged: boolean;
}

/** Looks at repository, branch, locks, worktrees and claims; changes nothing. */
export function doctorMethods(context: Context, warnings: () => string[]) {
  const { engine, transactor } = context;
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

  async function checkBranch(): Promise<{ check: Check; state: State | null }> {
    const name = 'state';
    try {
      const { state, commit } = await transactor.read('all');
      if (commit === null) {
        return {
          check: { name, ok: false, detail: `no branch '${engine.branchRef}' yet: git state init` },
          state: null,
        };
      }
      return { check: { name, ok: true, detail: `${state.sessions.size} sessions at ${commit}` }, state };
    } catch (error) {
      if (!isGitStateError(error)) throw error;
      return { check: { name, ok: false, detail: `${error.code}: ${error.message}` }, state: null };
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

  return {
    /** What is right and what is not about the store and its surroundings. */
    async doctor(): Promise<Diagnosis> {
      const { check, state } = await checkBranch();
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
        ...(state ? [await checkClaims(state), checkDependencies(state)] : []),
      ];
      return {
        checks,
        damaged: !check.ok && /^(CORRUPT_STATE|SCHEMA_TOO_NEW|VERIFY_FAILED)/.test(check.detail),
      };
    },
  };
}
