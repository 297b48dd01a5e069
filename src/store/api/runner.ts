import { matcherOf } from '../../core/match.ts';
import { claimedFeatures, type Progress, progressOf } from '../../core/select.ts';
import { livenessOf, type ProcessIdentity } from '../../env.ts';
import { authorIdentity } from '../../git/identity.ts';
import { type Merged, mergeBranch } from '../../git/merge.ts';
import { listWorktrees, removeWorktree, worktreeStatus } from '../../git/worktrees.ts';
import { readNote } from '../claim-file.ts';
import { mergeBase, worktreePath } from '../code.ts';
import { operationOf, readCommit } from '../commits.ts';
import { type Lease, readLease, readLeaseCommit } from '../lease.ts';
import { featureComplete } from '../proposals/feature.ts';
import { type RejectedOperation, syncWith } from '../sync.ts';
import { type Context, readSession } from './context.ts';

/** A claim of a runner that is over, or is to be ended, with the processes that worked under it. */
export interface FormerClaim {
  feature: string;
  worker: string;
  /** Why it is over; null where it is not yet. */
  reason: 'expired' | 'dead' | 'forced' | null;
  claim: string;
  /** The runner; null where a person made the claim. */
  runner: ProcessIdentity | null;
  /** Leader of the process group that worked under the claim; null where none was noted. */
  child: ProcessIdentity | null;
}

export interface MergeOptions {
  session: string;
  feature: string;
  worker: string;
  token: string;
  skipRemaining?: boolean | undefined;
  into: string;
  /** Short name of the feature's branch. */
  branch: string;
  /** Message of a merge commit. */
  message: string;
}

/** What a runner of commands needs to know beside the commands of everybody else. */
export function runnerMethods(context: Context) {
  const { engine, publisher } = context;

  return {
    /** Pushes what waits. What no longer applies on top of what others did is set aside.
     *  @throws REMOTE_UNREACHABLE, REMOTE_REJECTED, REMOTE_DIVERGED */
    async flush(): Promise<RejectedOperation[]> {
      if (!publisher || (await publisher.remote.standing()).unpushed.length === 0) return [];
      const { remote } = publisher;
      const flushing = context.transactor.exclusively(publisher.deadlineMs, (held) =>
        syncWith(engine, remote, held, {}),
      );
      return (await flushing).rejected;
    },

    /** The claim that the claim made by `commit` took over; null where it took over none. */
    async predecessor(commit: string): Promise<FormerClaim | null> {
      const made = await readCommit(engine.reader, commit);
      const operation = made && (await operationOf(engine.reader, made, engine.schema));
      if (operation?.type !== 'feature.claim' || !operation.args.takeover) return null;
      const { worker, claim, lease: oid, reason } = operation.args.takeover;
      const lease = oid === null ? null : await readLeaseCommit(engine.reader, oid);
      return { feature: operation.args.feature, worker, reason, claim, ...processesOf(lease) };
    },

    /** Claims whose runner is provably gone while what it started still runs. */
    async orphans({ session: id }: { session: string }): Promise<FormerClaim[]> {
      const { session, contents } = await readSession(context, { session: id });
      const found: FormerClaim[] = [];
      for (const feature of claimedFeatures(contents)) {
        const claim = feature.claim!;
        if (!claim.runner) continue;
        const { runner, child } = processesOf(await readLease(engine.reader, session.id, feature));
        if (!runner || !child || livenessOf(runner, engine.env.identity) !== 'dead') continue;
        if (livenessOf(child, engine.env.identity) !== 'alive') continue;
        const { id: name, worker_id } = feature;
        found.push({ feature: name, worker: worker_id!, reason: null, claim: claim.id, runner, child });
      }
      return found;
    },

    /** Counts of the features for which all conditions of `match` hold. */
    async progress({
      session,
      match,
    }: {
      session?: string;
      match?: string[] | undefined;
    }): Promise<Progress> {
      const reading = await readSession(context, session === undefined ? {} : { session });
      return progressOf(reading.contents, reading.isStopped, matcherOf(match));
    },

    /** The branch into which finished work is merged, by its full name: `base`, else that of the caller's HEAD.
     *  @throws USAGE, COMMIT_NOT_FOUND, BRANCH_EXISTS where it is checked out. */
    mergeBase: (base: string | undefined) => mergeBase(engine, base),

    /** Merges the branch of a claimed feature, under its token, if completing the feature would be accepted now.
     *  @param into full name of a branch that is checked out nowhere.
     *  @throws what `complete` refuses, BRANCH_EXISTS, COMMIT_NOT_FOUND, GIT_FAILED, CONTENTION. */
    async merge({ into, branch, message, ...completion }: MergeOptions): Promise<Merged> {
      const given = Object.entries(completion).filter(([, value]) => value !== undefined);
      // Others may have taken the feature over where the state is shared; what is merged cannot be taken back.
      await context.transactor.refresh();
      await context.transactor.preview(featureComplete, Object.fromEntries(given));
      const { repository, identity, env, durable } = engine;
      return mergeBranch(repository, {
        target: into,
        source: `refs/heads/${branch}`,
        message,
        author: authorIdentity(repository.config, env.variables),
        committer: identity,
        fsync: durable,
      });
    },

    /** Worktrees that a runner was to remove and did not live to: those of completed features. Absolute paths. */
    async leftWorktrees({
      session: id,
    }: {
      session: string;
    }): Promise<{ feature: string; worktree: string }[]> {
      const { contents } = await readSession(context, { session: id });
      const found: { feature: string; worktree: string }[] = [];
      for (const { id: feature, status, worktree: place } of contents.features.values()) {
        if (status !== 'completed' || place === null) continue;
        const worktree = worktreePath(engine.repository, place);
        if (readNote(worktree, 'passing') !== null) found.push({ feature, worktree });
      }
      return found;
    },

    /** Removes a worktree that holds nothing uncommitted; its branch stays.
     *  @returns why it was kept; null where it is gone. */
    async removeWorktree(path: string): Promise<string | null> {
      const found = (await listWorktrees(engine.repository)).find((one) => one.path === path);
      if (!found || found.prunable) return null;
      if (found.locked) return 'it is locked';
      const { dirty, unpushed, branch } = await worktreeStatus(engine.repository, path);
      if (dirty) return 'it has uncommitted changes';
      if (branch === null && unpushed) return 'it has commits that are on no branch';
      await removeWorktree(engine.repository, path);
      return null;
    },
  };
}

function processesOf(lease: Lease | null): Pick<FormerClaim, 'runner' | 'child'> {
  if (lease === null || lease.pid === null) return { runner: null, child: null };
  const { host, boot, pidns, pid, started, child } = lease;
  const machine = { host, boot, pidns };
  return { runner: { ...machine, pid, started }, child: child && { ...machine, ...child } };
}
