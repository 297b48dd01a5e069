import type * as z from 'zod';
import type { Feature } from '../core/entities.ts';
import type { SessionId, WorkerId } from '../core/ids.ts';
import type { Operation, OperationOf, OperationType } from '../core/operation.ts';
import type { State } from '../core/state.ts';
import type { Instant } from '../core/time.ts';
import type { Env } from '../env.ts';
import type { Identity } from '../git/identity.ts';
import type { PresentEpoch } from './epochs.ts';
import type { PastOperation } from './history.ts';
import type { HeldLease, Lease } from './lease.ts';
import type { Point } from './point.ts';
import type { Writers } from './writers.ts';

/** What a decision can see. Facts that are not loaded yet interrupt it, and it is taken again; see `Facts`. */
export interface View {
  readonly state: State;
  /** The commit that `state` belongs to; null before the first. */
  readonly tip: string | null;
  /** Time of the operation: now, but never before the parent's. */
  readonly at: Instant;
  readonly nowMs: number;
  readonly operationId: string;
  readonly env: Env;
  readonly identity: Identity;
  /** Name for a worker that gives none. */
  readonly derivedWorker: string;
  readonly driftMs: number;
  /** Whether renewals stand on the branch, too, because a server takes no refs for them. */
  readonly renewsOnBranch: boolean;
  /** Folder for worktrees, relative to the main worktree. */
  readonly worktreeRoot: string;
  /** The schema that is written. */
  readonly schema: number;
  lease(session: string, feature: Feature): HeldLease | null;
  /** What a ref holds; null if there is none. */
  ref(name: string): string | null;
  /** The commit that a user's words name. @throws CHECKPOINT_NOT_FOUND, COMMIT_NOT_FOUND, INVALID_INPUT */
  point(text: string, session: string | null): Point;
  stateAt(commit: string): State;
  /** The operation of a commit. @throws COMMIT_NOT_FOUND where the history has no such commit. */
  operationAt(commit: string): PastOperation;
  /** The epoch that `tip` belongs to. */
  epoch(): PresentEpoch;
  /** The newest commit of a session; null where there is none. */
  newestOf(session: string): string | null;
  /** Files of a session's checkpoints as of `commit`, with the commits that last wrote them. */
  writers(commit: string, session: string): Writers;
  /** Random part of a token for a claim by this operation. */
  readonly tokenSecretPart: string;
}

/** The lease of a claim, from one end to a later one. */
export interface Renewal {
  session: SessionId;
  feature: Feature;
  from: HeldLease | null;
  to: Lease;
}

/** An operation as decided; id, time and actor are added by the transaction. */
export type Draft<T extends OperationType = OperationType> = {
  [K in T]: {
    type: K;
    session: OperationOf<K>['session'];
    args: OperationOf<K>['args'];
    /** Who acts, where it is a worker. */
    actor?: WorkerId | undefined;
    /** A lease that moves along with it. */
    renewal?: Renewal;
  };
}[T];

/** Nothing is to be written to the branch. A renewal moves a lease all the same. */
export interface Unchanged {
  unchanged: true;
  session: SessionId | null;
  feature?: string;
  renewal?: Renewal;
}

export type Decision = Draft | Unchanged;

/** A mutation as its caller asked for it: plain data, from which the operation is decided on the newest state. */
export interface Proposal<R> {
  readonly name: string;
  readonly schema: z.ZodType<R>;
  /** It looks into the history, so it waits until what came before it is published. */
  readonly alone: boolean;
  decide(request: R, view: View): Decision;
}

export function proposal<S extends z.ZodType>(
  name: string,
  schema: S,
  decide: (request: z.infer<S>, view: View) => Decision,
  { alone = false } = {},
): Proposal<z.infer<S>> {
  return { name, schema: schema as z.ZodType<z.infer<S>>, alone, decide };
}

/** In whose name an operation is decided. */
export interface Party {
  readonly identity: Identity;
  /** Name for a worker that gives none. */
  readonly derivedWorker: string;
  /** With the asking process as its identity. */
  readonly env: Env;
}

/** How durable an answer is: on this machine, on the remote, or here until the next `sync`. */
export type Durability = 'local' | 'remote' | 'offline';

/** What became of a proposal. */
export interface Landed {
  /** The commit of the operation; null where nothing had to change. */
  commit: string | null;
  operation: Operation | null;
  decision: Decision;
  /** The state right before; null for an operation that is only repeated. */
  before: State | null;
  /** The state right after. */
  state: State;
  /** The commit to which `state` belongs; null before the first. */
  at: string | null;
  /** Whether the operation was in the history already, under the same id. */
  repeated: boolean;
  durability: Durability;
}
