import type { Env } from '../env.ts';
import type { Store } from '../store/open.ts';
import type { KeepWorktrees, WorkEvent } from './run.ts';

export interface WorkOptions {
  store: Store;
  env: Env;
  session?: string;
  /** Workers side by side; the session's `config.workers_count` by default, else 1. */
  workers?: number;
  /** Runs the command once per step instead of once per feature. */
  perStep?: boolean;
  /** Where new branches start; the caller's HEAD by default. */
  base?: string;
  /** Whose worktrees stay when a feature ends; those of failed features by default. */
  keepWorktrees?: KeepWorktrees;
  /** Length of the lease, such as `15m`. */
  lease?: string;
  /** Attempts after the first, where fewer than the session allows. */
  retries?: number;
  /** Pause after a first failure, such as `30s`; twice that after the next one, and so on. `5s` by default. */
  backoff?: string;
  /** Conditions that all have to hold for a feature to be taken, such as `priority=P0,P1`. */
  match?: string[];
  /** Limit of one attempt, such as `30m`: then its command is ended, and it has failed. */
  timeout?: string;
  /** Shell command run in a worktree before the first attempt in it. */
  setup?: string;
  /** Shell command run in the worktree after each attempt. */
  teardown?: string;
  /** Merges the branch of a completed feature into the base, which must be a branch that is checked out nowhere. */
  onComplete?: 'merge';
  /** Program and arguments. */
  command: string[];
  /** How long a command has between SIGTERM and SIGKILL, in milliseconds; 5000 by default. */
  graceMs?: number;
  /** No new claims; what runs goes on to its end. */
  stop: AbortSignal;
  /** Ends what runs and gives the claims back. */
  kill: AbortSignal;
  onEvent(event: WorkEvent): void;
}
