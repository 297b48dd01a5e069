import { lstatSync, mkdirSync, rmSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import type { Claim, Run } from './run.ts';
import { endOfText, plainText } from './text.ts';

const summaryBytesMax = 16 * 1024;

export interface Log {
  path: string;
  file: FileHandle;
}

function folderOf({ logs }: Run, { id }: Claim): string {
  const folder = join(logs, id);
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** Opens the log of one attempt, or of one step of it. An attempt that is resumed goes on in the same file. */
export async function openLog(run: Run, claim: Claim, step: string | null): Promise<Log> {
  const name = step === null ? `${claim.attempt}.log` : `${claim.attempt}-${step}.log`;
  const path = join(folderOf(run, claim), name);
  return { path, file: await open(path, 'a') };
}

/** Where the commands of one attempt may leave a summary. It lies outside the worktree, and a resumed attempt finds what
 *  its earlier steps left. */
export function summaryFileOf(run: Run, claim: Claim): string {
  return join(folderOf(run, claim), `${claim.attempt}.summary`);
}

/** What the commands left there, trimmed and at most 16 KiB; undefined where that is nothing. */
export async function readSummary(path: string): Promise<string | undefined> {
  try {
    // Anything but a plain file might block for ever.
    if (!lstatSync(path).isFile()) return undefined;
    const file = await open(path, 'r');
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(summaryBytesMax), 0, summaryBytesMax, 0);
      return plainText(buffer.subarray(0, bytesRead)).trim() || undefined;
    } finally {
      await file.close();
    }
  } catch {
    return undefined;
  }
}

export function dropSummary(path: string): void {
  rmSync(path, { recursive: true, force: true });
}

const errorBytesMax = 2000;

/** Remembers the end of what a command writes to its error output. */
export class ErrorTail {
  #bytes: Buffer = Buffer.alloc(0);

  add(chunk: Buffer): void {
    // Twice what is wanted: colours and the like are taken out later.
    this.#bytes = Buffer.concat([this.#bytes, chunk]).subarray(-2 * errorBytesMax);
  }

  /** The last 2000 bytes as plain text. */
  text(): string {
    return endOfText(plainText(this.#bytes).trim(), errorBytesMax);
  }
}
