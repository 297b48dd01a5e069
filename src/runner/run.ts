import type { Env } from '../env.ts';
import type { ClaimAnswer } from '../store/api/claims.ts';
import type { FormerClaim } from '../store/api/runner.ts';
import type { Store } from '../store/open.ts';
import type { Changes } from './changes.ts';
import type { Names } from './names.ts';

/** One thing that happened, as the command line prints it. `at` is ISO 8601, UTC. */
export type WorkEvent = {
  event: string;
  at: string;
  worker?: string;
  feature?: string;
  step?: string;
  message?: string;
  [key: string]: unknown;
};

export type KeepWorktrees = 'always' | 'failed' | 'never';

export interface Failure {
  feature: string;
  error: string;
  /** Absolute path of the output of its last command; null where none was started. */
  log: string | null;
}

/** What the workers of one run share. */
export interface Run {
  readonly store: Store;
  readonly env: Env;
  readonly session: string;
  readonly command: readonly string[];
  readonly perStep: boolean;
  readonly base: string | undefined;
  readonly lease: string | undefined;
  readonly retries: number | undefined;
  /** Pause after a first failure. */
  readonly backoff: string;
  /** Conditions on the features that are taken. */
  readonly match: string[] | undefined;
  /** Limit of one attempt; null for none. */
  readonly timeoutMs: number | null;
  /** Shell commands around the work in a worktree. */
  readonly setup: string | null;
  readonly teardown: string | null;
  /** Branch, by its full name, into which finished work is merged; null where it is not. */
  readonly mergeInto: string | null;
  readonly keepWorktrees: KeepWorktrees;
  /** How long a process group has between SIGTERM and SIGKILL. */
  readonly graceMs: number;
  /** Folder of this session's logs. */
  readonly logs: string;
  readonly names: Names;
  readonly changes: Changes;
  /** No new claims from now on. */
  readonly closed: AbortSignal;
  /** End what runs, give the claims back. */
  readonly kill: AbortSignal;
  readonly completed: string[];
  readonly failed: Failure[];
  /** Features that this run cannot work on, and why. */
  readonly skipped: Map<string, string>;
  /** How often the worktree of a feature could not be made. */
  readonly claimFailures: Map<string, number>;
  /** Features that this run works on now. */
  readonly running: Set<string>;
  /** The work of one for all: what dead runners left running is being ended. */
  orphansEnding: Promise<boolean> | null;
  emit(event: string, fields?: Omit<Partial<WorkEvent>, 'event' | 'at'>): void;
  /** Ends the run for a reason that no later claim could escape. */
  close(why: { budget: string } | { error: unknown }): void;
}

/** A feature in the hands of one worker. */
export interface Claim {
  readonly feature: ClaimAnswer['feature'];
  readonly id: string;
  readonly worker: string;
  readonly token: string;
  /** Absolute path. */
  readonly worktree: string;
  readonly branch: string;
  readonly attempt: number;
  readonly expiresAt: string;
  readonly formerClaim: FormerClaim | null;
}

/** How every write to a claimed feature says which one it means, and proves its right. */
export function proofOf({ session }: Run, { id, worker, token }: Claim) {
  return { session, feature: id, worker, token };
}
