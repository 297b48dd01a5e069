import { z } from 'zod';
import { Operation } from '../../core/operation.ts';
import { type ErrorCode, failures } from '../../errors.ts';
import type { StateDifference } from '../state-difference.ts';

/** What processes say to each other while one of them commits for all: an ask, and its answer. */

/** Rises with every change after which an older gitstate would decide or answer otherwise. */
export const version = 1;

const text = z.string();
const Oid = text.regex(/^[0-9a-f]{40,64}$/);

/** Where an operation may stand already: nowhere, or on top of a commit. */
const Repeat = z.union([z.literal('never'), z.object({ since: Oid })]);

/** Requests of one process, which all stand on the same knowledge. */
export const Ask = z.object({
  version: z.literal(version),
  /** All settings that matter to what becomes of a request; who has others decides by itself. */
  settings: text,
  /** The commit whose state the asker knows. */
  since: Oid,
  by: z.object({
    identity: z.object({ name: text, email: text }),
    derivedWorker: text,
    process: z.object({
      host: text,
      boot: text.nullable(),
      pidns: text.nullable(),
      pid: z.int().positive(),
      started: text.nullable(),
    }),
  }),
  requests: z
    .array(z.object({ proposal: text, request: z.unknown(), hash: text, id: text, repeat: Repeat }))
    .min(1),
});
export type Ask = z.infer<typeof Ask>;

const Code = text.refine((code): code is ErrorCode => Object.hasOwn(failures, code));

const Outcome = z.union([
  z.object({
    commit: Oid.nullable(),
    /** The commit at which the state stands right after it. */
    at: Oid,
    /** From the state after the outcome before, the first from the asker's own, to that one; null: read it from Git.
     *  It is as trusted as the cache is, which the same gitstate wrote. */
    delta: z.custom<StateDifference>().nullable(),
    operation: z.custom<Operation | null>(
      (value) => value === null || Operation.safeParse(value as never).success,
    ),
    /** As decided; what the operation says, too, is left out. */
    decision: z.record(text, z.unknown()),
    repeated: z.boolean(),
  }),
  z.object({
    error: z.object({
      code: Code,
      message: text,
      hint: text.nullable(),
      details: z.record(text, z.unknown()),
    }),
  }),
]);
export type Outcome = z.infer<typeof Outcome>;

/** What became of the requests of an ask. */
export const Answer = z.object({
  version: z.literal(version),
  /** Whether anything was done about it; else it may be asked elsewhere as if it never had been here. */
  taken: z.boolean(),
  /** In the order of the requests; null for one that is left to its asker. */
  outcomes: z.array(Outcome.nullable()),
});
export type Answer = z.infer<typeof Answer>;

/** The document of that shape in a text; null for anything else, such as one of another version. */
export function parseAs<T>(schema: z.ZodType<T>, source: string): T | null {
  try {
    return schema.parse(JSON.parse(source));
  } catch {
    return null;
  }
}
