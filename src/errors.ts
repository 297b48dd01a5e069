/** Exit status by kind of failure. Node exits 1 on a crash and Git dies with 128, so neither is reused. */
export const exitStatuses = {
  bug: 1,
  input: 2,
  missing: 3,
  refused: 4,
  idle: 5,
  later: 6,
  damaged: 7,
} as const;

type FailureKind = keyof typeof exitStatuses;

/** Every error code and its kind. A code is a promise to scripts: its meaning never changes. */
export const failures = {
  INTERNAL: 'bug',
  USAGE: 'input',
  INVALID_INPUT: 'input',
  GIT_NOT_FOUND: 'missing',
  NOT_A_REPOSITORY: 'missing',
  NOT_INITIALIZED: 'missing',
  SESSION_NOT_FOUND: 'missing',
  FEATURE_NOT_FOUND: 'missing',
  STEP_NOT_FOUND: 'missing',
  WORKER_NOT_FOUND: 'missing',
  ARTIFACT_NOT_FOUND: 'missing',
  COMMIT_NOT_FOUND: 'missing',
  CHECKPOINT_NOT_FOUND: 'missing',
  ALREADY_EXISTS: 'refused',
  ALREADY_CLAIMED: 'refused',
  WORKER_BUSY: 'refused',
  NOT_HOLDER: 'refused',
  STALE_TOKEN: 'refused',
  DEPENDENCIES_UNMET: 'refused',
  INVALID_TRANSITION: 'refused',
  STEPS_REMAIN: 'refused',
  BUDGET_EXCEEDED: 'refused',
  AMBIGUOUS_SESSION: 'refused',
  SESSION_NOT_ACTIVE: 'refused',
  HAS_DEPENDENTS: 'refused',
  CONFLICT: 'refused',
  BRANCH_EXISTS: 'refused',
  QUALITY_UNMET: 'refused',
  NOTHING_READY: 'idle',
  CONTENTION: 'later',
  LOCKED: 'later',
  REMOTE_UNREACHABLE: 'later',
  REMOTE_REJECTED: 'later',
  REMOTE_DIVERGED: 'later',
  OUTCOME_UNKNOWN: 'later',
  DISK_FULL: 'later',
  READ_ONLY: 'later',
  GIT_FAILED: 'later',
  CORRUPT_STATE: 'damaged',
  SCHEMA_TOO_NEW: 'damaged',
  VERIFY_FAILED: 'damaged',
} as const satisfies Record<string, FailureKind>;

export type ErrorCode = keyof typeof failures;

const retryableCodes: ReadonlySet<ErrorCode> = new Set([
  'CONTENTION',
  'LOCKED',
  'REMOTE_UNREACHABLE',
  'OUTCOME_UNKNOWN',
  'DISK_FULL',
]);

interface Particulars {
  /** The next command or change to try; never a destructive one. */
  hint?: string;
  /** What a program can act on; shapes by code in docs/reference.md. */
  details?: Record<string, unknown>;
  cause?: unknown;
}

/** The one error of the public API. The message starts lower-case and quotes its subject. */
export class GitStateError extends Error {
  override readonly name = 'GitStateError';
  readonly code: ErrorCode;
  readonly hint: string | null;
  readonly details: Record<string, unknown>;

  constructor(code: ErrorCode, message: string, { hint, details, cause }: Particulars = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.hint = hint ?? null;
    this.details = details ?? {};
  }

  /** The process exit status that the command line gives for this code. */
  get exitStatus(): number {
    return exitStatuses[failures[this.code]];
  }

  /** Whether the same command may succeed later without any change. */
  get retryable(): boolean {
    return retryableCodes.has(this.code);
  }

  toJSON() {
    const { code, message, hint, retryable, details } = this;
    return { code, message, hint, retryable, details };
  }
}

/** Whether `error` is ours, and of one of `codes` where any are named. */
export function isGitStateError(error: unknown, ...codes: ErrorCode[]): error is GitStateError {
  return error instanceof GitStateError && (codes.length === 0 || codes.includes(error.code));
}
