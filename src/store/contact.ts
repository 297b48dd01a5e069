import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Instant, instantOf } from '../core/time.ts';
import type { Env } from '../env.ts';

interface Place {
  /** Our own folder in the common Git directory. */
  directory: string;
  env: Env;
}

/** When `remote` was last heard; null: never. For people to read: nothing depends on it. */
export function contactedAt({ directory }: Pick<Place, 'directory'>, remote: string): Instant | null {
  try {
    return instantOf(Number(readFileSync(contactFile(directory, remote), 'utf8')));
  } catch {
    return null;
  }
}

export function noteContact({ directory, env }: Place, remote: string): void {
  try {
    const file = contactFile(directory, remote);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, String(env.now()));
  } catch {
    // It is only shown.
  }
}

function contactFile(directory: string, remote: string): string {
  return join(directory, 'remotes', encodeURIComponent(remote));
}
