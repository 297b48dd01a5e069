import { systemEnv } from './env.ts';
import { openStoreIn, type Store, type StoreOptions } from './store/open.ts';

export type { Change, DiffSummary } from './core/diff.ts';
export type { CheckpointView, FeatureView, SessionView } from './core/views.ts';
export { type ErrorCode, exitStatuses, failures, GitStateError, isGitStateError } from './errors.ts';
export type { ClaimAnswer, ClaimOptions } from './store/api/claims.ts';
export type { CallOptions, ReadOptions, Written } from './store/api/context.ts';
export type { FeatureFields, PlannedFeature } from './store/api/features.ts';
export type { Restored, RestoreOptions } from './store/api/history.ts';
export type { LogEntry, LogOptions } from './store/api/log.ts';
export type { Obstacle, UndoOptions } from './store/api/undo.ts';
export type { VerifyOptions } from './store/api/verify.ts';
export type { WatchOptions } from './store/api/watch.ts';
export type { BlamedField } from './store/blame.ts';
export type { Check } from './store/checks.ts';
export type { CodeMove } from './store/code-restore.ts';
export type { Store, StoreOptions } from './store/open.ts';
export type { Durability } from './store/proposal.ts';
export type { Problem, ProblemKind } from './store/verify/problem.ts';
export type { Verification } from './store/verify/verify.ts';

/** Opens the state store of a Git repository: an object with a method per command, each resolving to what that
 *  command prints with `--json`. Call `close()` when done.
 *  @throws GitStateError GIT_NOT_FOUND, NOT_A_REPOSITORY */
export function openStore(options: StoreOptions = {}): Promise<Store> {
  return openStoreIn(options, { env: systemEnv(), cwd: process.cwd() });
}
