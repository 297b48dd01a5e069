import { createHash } from 'node:crypto';
import type * as z from 'zod';
import { type JsonValue, jsonDepthMax, jsonFault, sortKeys } from '../core/json.ts';
import { GitStateError } from '../errors.ts';
import type { Proposal } from './proposal.ts';

/** What callers ask for is plain data; here it is checked, and told apart from other requests. */

/** @throws INVALID_INPUT that names the place. */
export function parseRequest<R>(proposal: Proposal<R>, input: unknown): R {
  const result = proposal.schema.safeParse(input);
  if (result.success) return result.data;
  throw invalidInput(result.error, proposal.name);
}

export function invalidInput(error: z.ZodError, name: string): GitStateError {
  const issue = error.issues[0]!;
  const where = issue.path.length > 0 ? `${issue.path.join('.')}: ` : '';
  return new GitStateError('INVALID_INPUT', `${where}${issue.message}`, {
    hint: `git state help ${name.replace('.', ' ')}`,
    details: { path: issue.path.map(String) },
  });
}

/** A digest of what was asked, equal for equal requests. The token is left out: it proves a right, it is no wish. */
export function hashRequest(name: string, request: unknown): string {
  const plain = JSON.parse(
    JSON.stringify(request, (key, value) => (key === 'token' ? undefined : value)),
  ) as JsonValue;
  // The request wraps what users give, which is held to the limit of depth by itself.
  const fault = jsonFault(plain, jsonDepthMax + 4);
  if (fault) throw new GitStateError('INVALID_INPUT', `the request ${fault}`);
  return createHash('sha256')
    .update(JSON.stringify([name, sortKeys(plain)]))
    .digest('hex');
}
