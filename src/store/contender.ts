import { lstatSync, readFileSync, unlinkSync } from 'node:fs';
import * as z from 'zod';
import { type Env, type Liveness, livenessOf, type ProcessIdentity } from '../env.ts';
import type { NotedChild } from './ref-lock.ts';

/** A process that holds the mutex or waits for it, as its file tells. */
export interface Contender {
  /** Null, as `identity`, where the file is not one of ours. */
  readonly id: string | null;
  readonly identity: ProcessIdentity | null;
  readonly children: readonly NotedChild[];
}

const pid = z.int().positive();
const started = z.string().nullable();
const FirstLine = z.object({
  id: z.string().regex(/^[a-z2-7]{20}$/),
  identity: z.object({ host: z.string(), boot: started, pidns: started, pid, started }),
});
const ChildLine = z.object({ pid, started, notedAt: z.number() });

const unreadable: Contender = { id: null, identity: null, children: [] };
const sizeMax = 1 << 20;

export function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

export function statOf(path: string) {
  return lstatSync(path, { throwIfNoEntry: false });
}

/** Removes a file that may be gone already. */
export function removeFile(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
}

function parseLine<T>(schema: z.ZodType<T>, line: string | undefined): T | null {
  try {
    return schema.parse(JSON.parse(line ?? ''));
  } catch {
    return null;
  }
}

/** Reads the lock, a ticket or an identity file: a line of JSON for the process, then one for each noted child.
 *  @returns null when there is no such file. */
export function readContender(path: string): Contender | null {
  const stat = statOf(path);
  if (stat === undefined) return null;
  if (!stat.isFile() || stat.size > sizeMax) return unreadable;
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    return codeOf(error) === 'ENOENT' ? null : unreadable;
  }
  const [first, ...rest] = text.split('\n');
  const owner = parseLine(FirstLine, first);
  if (owner === null) return unreadable;
  // A line cut short is of a child that was not started: its parent was killed, or the disk was full.
  const children = rest.map((line) => parseLine(ChildLine, line)).filter((child) => child !== null);
  return { ...owner, children };
}

/** Whether the process of a lock or ticket lives, as far as this process can prove. */
export function livenessOfContender({ identity }: Contender, env: Env): Liveness {
  return identity === null ? 'unknown' : livenessOf(identity, env.identity);
}
