import * as z from 'zod';
import { ClaimId, OperationId, SessionId, WorkerId } from '../ids.ts';
import { Text } from '../json.ts';
import { Instant } from '../time.ts';

const common = {
  /** Who did it: a worker's name, or the name of the user's Git identity. */
  actor: Text,
  /** When, by the clock of the process that decided it; never earlier than its parent. */
  at: Instant,
  id: OperationId,
  /** SHA-256 of what the caller asked, so that a repetition under the same id can be told from a mix-up. */
  request: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .nullable(),
};

/** A type of operation. Its schema is made when it is first asked for: there are many types, and a command meets one or
 *  two of them. */
export class Declared<T extends string, S> {
  readonly type: T;
  readonly #make: () => S;
  #schema: S | undefined;

  constructor(type: T, make: () => S) {
    this.type = type;
    this.#make = make;
  }

  get schema(): S {
    this.#schema ??= this.#make();
    return this.#schema;
  }
}

/** The operations of a declared type. */
export type OperationIn<D extends { schema: z.ZodType }> = z.infer<D['schema']>;

/** An operation whose session is what `scope` says. Its arguments are JSON and travel in the commit message. */
export function operationScope<T extends string, S extends z.ZodType, A extends z.ZodRawShape>(
  type: T,
  scope: () => S,
  args: () => A,
) {
  return new Declared(type, () =>
    z.strictObject({ type: z.literal(type), session: scope(), ...common, args: z.strictObject(args()) }),
  );
}

/** An operation within one session. */
export function sessionOperation<T extends string, A extends z.ZodRawShape>(type: T, args: () => A) {
  return operationScope(type, () => SessionId, args);
}

/** An operation on the store as a whole. */
export function storeOperation<T extends string, A extends z.ZodRawShape>(type: T, args: () => A) {
  return operationScope(type, () => z.null(), args);
}

/** What proves the right to write to a claimed feature; see `requireRight`. */
export const right = {
  worker: WorkerId.optional(),
  claim: ClaimId.optional(),
  force: z.literal(true).optional(),
};
