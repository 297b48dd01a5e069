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

/** What a log is of: a command once for the feature, or for one of its steps, or what comes before and after. */
export type LogOf = { step: string | null } | 'setup' | 'teardown';

/** Opens the log of a part of one attempt. An attempt that is resumed goes on in the same file. */
export async function openLog(run: Run, claim: Claim, of: LogOf): Promise<Log> {
  for (let tries = 1; ; tries += 1) {
    const path = join(folderOf(run, claim), `${claim.attempt}${suffixOf(of)}.log`);
    try {
      return { path, file: await open(path, 'a') };
    } catch (error) {
      // Another runner that tidies up may have removed the folder while it was empty.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || tries === 3) throw error;
    }
  }
}

/** No step can be taken for a setup: theirs is behind a hyphen. */
function suffixOf(of: LogOf): string {
  if (typeof of === 'string') return `.${of}`;
  return of.step === null ? '' : `-${of.step}`;
}

/** The end of a log as plain text. */
export async function endOfLog(path: string): Promise<string> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const wanted = Math.min(size, 2 * errorBytesMax);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(wanted), 0, wanted, size - wanted);
    return endOfText(plainText(buffer.subarray(0, bytesRead)).trim(), errorBytesMax);
  } finally {
    await file.close();
  }
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
