import { createHash, createHmac, randomBytes } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ClaimId } from '../core/ids.ts';
import { GitStateError } from '../errors.ts';

/** A token is `N-<random>`: N counts the claims ever made on the feature, the random part proves the right. It follows
 *  from the operation's id and a secret of this clone, so that a repeated claim gets its token back. */

export interface Token {
  text: string;
  claim: ClaimId;
}

/** The secret of this clone, made on first use and readable by its owner alone. */
export function readSecret(directory: string): Buffer {
  const path = join(directory, 'secret');
  try {
    return readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  mkdirSync(directory, { recursive: true });
  const temporary = `${path}.${randomBytes(6).toString('hex')}`;
  writeFileSync(temporary, randomBytes(32), { mode: 0o600 });
  try {
    linkSync(temporary, path);
  } catch (error) {
    // Another process was first: its secret counts.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(temporary, { force: true });
  }
  return readFileSync(path);
}

/** The random part of the token that belongs to a claim made by operation `operationId`. */
export function randomPartOf(secret: Buffer, operationId: string): string {
  return createHmac('sha256', secret).update(`claim ${operationId}`).digest('hex').slice(0, 40);
}

export function claimIdOf(randomPart: string): ClaimId {
  return createHash('sha256').update(randomPart).digest('hex') as ClaimId;
}

/** The claim that a token names. @throws INVALID_INPUT for anything that is no token. */
export function parseToken(token: string): ClaimId {
  const match = /^\d{1,12}-([A-Za-z0-9]{16,128})$/.exec(token);
  if (match) return claimIdOf(match[1]!);
  throw new GitStateError('INVALID_INPUT', 'this is no token: one looks like 3-5f2a...', {
    hint: 'give the token that `git state claim` printed',
  });
}
