import { neverStopped, stopsOn } from '../../core/budgets.ts';
import type { Feature } from '../../core/entities.ts';
import { claimedFeatures, progressOf, recordedHead } from '../../core/select.ts';
import { contentsOf, requireFeature, requireSession } from '../../core/state.ts';
import { lengthOfTime, millisecondsOf, parseDuration } from '../../core/time.ts';
import { type FeatureView, featureView } from '../../core/views.ts';
import { GitStateError, isGitStateError } from '../../errors.ts';
import { isDiskFull, storageFailure } from '../../git/failure.ts';
import { writeClaimFile } from '../claim-file.ts';
import { placeWorktree, worktreePath } from '../code.ts';
import { judgeClaim, readLease, readLeaseCommit } from '../lease.ts';
import type { Landed } from '../proposal.ts';
import { featureClaim } from '../proposals/claim.ts';
import { featureRelease } from '../proposals/feature.ts';
import { heartbeat } from '../proposals/renewal.ts';
import { isDerivedFrom } from '../proposals/scope.ts';
import { claimWarning } from '../sharing.ts';
import { claimIdOf, parseToken, randomPartOf, readSecret } from '../token.ts';
import {
  type CallOptions,
  type Context,
  nowOf,
  readSession,
  renewalsAfter,
  scoped,
  subjectOf,
  submit,
  type Written,
  writtenOf,
} from './context.ts';

export interface ClaimOptions extends CallOptions {
  feature?: string;
  /** Length of the lease, such as `15m`. */
  lease?: string;
  /** Makes a worktree for the feature, on a branch of its own. */
  worktree?: boolean;
  /** Where a new branch starts; the caller's HEAD by default. */
  base?: string;
  /** Waits until something is ready: for ever, or for a duration such as `10m`. */
  wait?: boolean | string;
  /** Only these features where none is named. */
  only?: string[];
  /** None of these features where none is named. */
  except?: string[];
  /** Conditions on the feature where none is named, such as `priority=P0,P1`, `id=api-*` or `label=backend`. */
  match?: string[];
  /** How long a feature that failed once is left alone, such as `30s`; twice that after the next failure, and so on. */
  backoff?: string;
  /** The claim is over when this process is; for runners. */
  runner?: boolean;
}

export interface ClaimAnswer extends Written {
  session: string;
  feature: FeatureView;
  worker: string;
  /** Proof of the claim; null where it is repeated in another clone. */
  token: string | null;
  expires_at: string;
  /** Absolute path. */
  worktree: string | null;
  branch: string | null;
}

const pollMs = 200;
/** Where a server decides, looking again is an exchange with it. */
const remotePollMs = 5000;

export function claimMethods(context: Context) {
  const { engine, transactor, defaults } = context;

  /** The token that belongs to a landed claim. */
  function tokenOf(landed: Landed, given: string | undefined): string | null {
    const { session, feature } = subjectOf(landed);
    const { claim, claim_count } = requireFeature(landed.state, session, feature);
    if (landed.operation === null) return given ?? null;
    const random = randomPartOf(readSecret(engine.directory), landed.operation.id);
    return claimIdOf(random) === claim?.id ? `${claim_count}-${random}` : null;
  }

  async function answer(
    landed: Landed,
    given: string | undefined,
    path: string | null,
  ): Promise<ClaimAnswer> {
    const { session, feature: id } = subjectOf(landed);
    const entity = requireFeature(landed.state, session, id);
    const renewals = await renewalsAfter(context, landed, session, entity);
    const contents = contentsOf(landed.state, session);
    const isStopped = stopsOn(requireSession(landed.state, session), contents, nowOf(context));
    const feature = featureView(contents, entity, isStopped, renewals);
    return {
      session,
      feature,
      worker: entity.worker_id!,
      token: tokenOf(landed, given),
      expires_at: feature.claim!.expires_at,
      worktree: path,
      branch: entity.branch,
      ...writtenOf(landed),
    };
  }

  /** The worktree comes after the claim, so that only its holder makes it; where that fails the claim is given back. */
  async function withWorktree(
    landed: Landed,
    token: string | null,
    base: string | undefined,
  ): Promise<string> {
    const { session, feature: id } = subjectOf(landed);
    const feature = requireFeature(landed.state, session, id);
    const { branch, worktree, worker_id } = feature;
    const head = recordedHead(contentsOf(landed.state, session), feature);
    const recorded = head?.branch === branch ? head?.oid : undefined;
    try {
      const { path, warning } = await placeWorktree(engine.repository, {
        branch: branch!,
        worktree: worktree!,
        base,
        recorded,
      });
      if (warning !== null) context.warn(warning);
      if (token !== null) await writeClaimFile(path, { session, feature: id, worker: worker_id!, token });
      return path;
    } catch (error) {
      await submit(context, featureRelease, { session, feature: id, token: token ?? undefined });
      if (!(error instanceof Error && 'code' in error)) throw error;
      const failure = await placingFailure(error, worktree!);
      failure.details.feature = id;
      throw failure;
    }
  }

  let warned = context.remote !== null || context.offline;
  async function warnOnce(): Promise<void> {
    if (warned) return;
    const warning = await claimWarning(engine);
    if (warning !== null) context.warn(warning);
    warned = true;
  }

  /** Git's own words hide a full disk, be it that of the repository or that of the worktrees. */
  async function placingFailure(error: unknown, worktree: string): Promise<GitStateError> {
    const { repository } = engine;
    for (const path of [worktreePath(repository, worktree), repository.commonDir]) {
      if (!isGitStateError(error, 'GIT_FAILED')) break;
      // What was half made is gone again, and with it the lack of space.
      const said = /No space left|quota exceeded/i.test(String(error.details.stderr));
      if (said || (await isDiskFull(path)))
        return storageFailure(Object.assign(new Error(error.message), { code: 'ENOSPC' }), path);
    }
    return storageFailure(error, repository.commonDir);
  }

  /** The clocks of two hosts decided; whoever sees how far apart they are can tell that one of them is wrong. */
  async function warnOfForeignTakeover({ operation }: Landed): Promise<void> {
    if (operation?.type !== 'feature.claim') return;
    const { feature, takeover } = operation.args;
    if (!takeover?.lease || takeover.reason !== 'expired') return;
    const host = (await readLeaseCommit(engine.reader, takeover.lease))?.host;
    if (host === undefined || host === engine.env.identity.host) return;
    const overMs = millisecondsOf(takeover.now) - millisecondsOf(takeover.lease_end);
    context.warn(
      `took '${feature}' over from '${takeover.worker}' on host '${host}': by the clock here its lease was over for ${lengthOfTime(overMs)}`,
    );
  }

  async function claimNow({ wait: _wait, base, ...options }: ClaimOptions): Promise<ClaimAnswer> {
    const { session, worker, token } = scoped(context, {
      ...options,
      feature: options.feature ?? defaults.feature,
    });
    const request = { ...options, feature: options.feature ?? defaults.feature, session, worker, token };
    await warnOnce();
    const landed = await submit(context, featureClaim, request);
    await warnOfForeignTakeover(landed);
    const made = tokenOf(landed, token);
    const path = options.worktree ? await withWorktree(landed, made, base) : null;
    return answer(landed, token, path);
  }

  /** Whether a claim that was refused may succeed later without anybody's help: somebody works on what is asked for, or
   *  on what that waits for. */
  async function maySucceedLater({ code, details }: GitStateError, session?: string): Promise<boolean> {
    if (code === 'NOTHING_READY') return (details.in_progress as unknown[]).length > 0;
    const { contents } = await readSession(context, { session });
    return progressOf(contents, neverStopped).in_progress > 0;
  }

  return {
    /** Takes a feature: the one named, else the next that is ready, else one whose claim is over.
     *  @throws NOTHING_READY, ALREADY_CLAIMED, WORKER_BUSY, DEPENDENCIES_UNMET, BRANCH_EXISTS and more. */
    async claim(options: ClaimOptions = {}): Promise<ClaimAnswer> {
      const limitMs = waitLimit(options.wait);
      const until = engine.env.now() + limitMs;
      for (;;) {
        try {
          return await claimNow(options);
        } catch (error) {
          const waits =
            limitMs > 0 && isGitStateError(error, 'NOTHING_READY', 'ALREADY_CLAIMED', 'DEPENDENCIES_UNMET');
          if (!waits || engine.env.now() >= until) throw error;
          if (!(await maySucceedLater(error, options.session))) throw error;
          await engine.env.sleep(
            Math.min(context.remote ? remotePollMs : pollMs, Math.max(1, until - engine.env.now())),
          );
        }
      }
    },

    /** Renews the lease of a claim; makes no commit. @throws STALE_TOKEN, NOT_HOLDER, INVALID_TRANSITION */
    async heartbeat(
      options: CallOptions & {
        feature?: string;
        lease?: string;
        child?: { pid: number; started: string | null } | null;
      } = {},
    ) {
      const landed = await submit(context, heartbeat, { ...scoped(context, options) });
      const renewal = (
        landed.decision as { renewal: { feature: { id: string }; to: { expires_at: string } } }
      ).renewal;
      const { commit: _commit, ...written } = writtenOf(landed);
      return { feature: renewal.feature.id, expires_at: renewal.to.expires_at, ...written };
    },

    /** Whether a claim is still mine: the answer says so, and whether its lease is over. */
    async claimCheck(options: CallOptions & { feature?: string } = {}) {
      await transactor.refresh();
      const { session: id, worker, token, feature: named } = scoped(context, options);
      const { session, contents, state } = await readSession(context, { session: id }, { whole: true });
      const claimId = token === undefined ? null : parseToken(token);
      const isMine = ({ claim, worker_id }: Feature) => {
        if (claim === null) return false;
        if (claimId !== null) return claim.id === claimId;
        return worker === undefined ? isDerivedFrom(context.derivedWorker, worker_id) : worker_id === worker;
      };
      const feature =
        named === undefined
          ? claimedFeatures(contents).find(isMine)
          : requireFeature(state, session.id, named);
      if (!feature) throw nothingToCheck(claimId !== null);
      const mine = isMine(feature);
      const lease = await readLease(engine.reader, session.id, feature);
      const { env, driftMs } = engine;
      const judged = feature.claim && judgeClaim(feature, lease, { env, nowMs: env.now(), driftMs });
      return {
        feature: feature.id,
        holder: feature.worker_id,
        held: mine,
        expired: judged?.state === 'expired',
        expires_at: judged?.end ?? null,
      };
    },
  };
}

/** A token that holds nothing is stale, whichever feature it was for. */
function nothingToCheck(byToken: boolean): GitStateError {
  return byToken
    ? new GitStateError('STALE_TOKEN', 'this token holds no feature any more', {
        hint: 'nothing was lost; claim again with `git state claim`',
        details: { feature: null, holder: null, expires_at: null },
      })
    : new GitStateError('USAGE', 'no feature is named, and none is claimed by you', {
        hint: 'name the feature',
      });
}

function waitLimit(wait: boolean | string | undefined): number {
  if (wait === undefined || wait === false) return 0;
  if (wait === true) return Number.MAX_SAFE_INTEGER / 2;
  const limit = parseDuration(wait);
  if (limit !== null) return limit;
  throw new GitStateError('INVALID_INPUT', `'${wait}' is no duration`, {
    hint: "durations look like '90s', '15m' or '24h'",
  });
}
