import { randomBytes } from 'node:crypto';
import { chmodSync, closeSync, fchmodSync, fsync, mkdirSync, openSync, statSync, writeSync } from 'node:fs';
import { platform } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const flush = promisify(fsync);

/** What tells the temporary files of this process from those of others. */
const ownPart = randomBytes(8).toString('hex');
let filesNamed = 0;

/** A name for a temporary file in `directory` that nobody else uses. Git's own clean-up knows the prefixes. */
export function temporaryPath(directory: string, prefix: 'tmp_obj' | 'tmp_pack' | 'tmp_idx'): string {
  filesNamed += 1;
  return join(directory, `${prefix}_${ownPart}${filesNamed.toString(36)}`);
}

/** Mode for files and directories beside `directory`: a repository that a group shares stays shared. */
export interface SharedMode {
  file: number;
  directory: number | null;
}

export function sharedModeOf(directory: string): SharedMode {
  const mode = statSync(directory).mode & 0o7777;
  const shared = (mode & 0o020) !== 0;
  return { file: shared && (mode & 0o004) === 0 ? 0o440 : 0o444, directory: shared ? mode : null };
}

/** Makes a directory unless it exists; its parent has to. */
export function makeDirectory(path: string, shared: SharedMode): void {
  try {
    mkdirSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return;
    throw error;
  }
  if (shared.directory !== null) chmodSync(path, shared.directory);
}

/** Opens a new read-only file for writing. */
export function openNew(path: string, shared: SharedMode): number {
  const fd = openSync(path, 'wx', shared.file);
  if (shared.directory !== null) fchmodSync(fd, shared.file);
  return fd;
}

/** Writes all of `bytes`, however many calls that takes. */
export function writeAll(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.byteLength; ) at += writeSync(fd, bytes, at);
}

/** Flushes an open file to the disk. */
export function flushFile(fd: number): Promise<void> {
  return flush(fd);
}

/** Flushes a file or directory by its path. A directory is skipped where the system cannot flush one. */
export async function flushPath(path: string): Promise<void> {
  const isWindows = platform() === 'win32';
  if (isWindows && statSync(path).isDirectory()) return;
  const fd = openSync(path, isWindows ? 'r+' : 'r');
  try {
    await flush(fd);
  } catch (error) {
    const unsupported = ['EINVAL', 'ENOTSUP'].includes((error as NodeJS.ErrnoException).code ?? '');
    if (!unsupported || !statSync(path).isDirectory()) throw error;
  } finally {
    closeSync(fd);
  }
}

/** Flushes the directories between `path` and `root`, both included. */
export async function flushUpTo(path: string, root: string): Promise<void> {
  const paths = [path];
  while (paths.at(-1) !== root && paths.at(-1) !== dirname(paths.at(-1)!)) paths.push(dirname(paths.at(-1)!));
  await Promise.all(paths.map(flushPath));
}

/** Replaces a file in one step; unless `fsync` is false it is flushed before. */
export async function replaceFile(
  path: string,
  data: string | Buffer,
  options: { fsync?: boolean; mode?: number } = {},
): Promise<void> {
  const { default: writeFileAtomic } = await import('write-file-atomic');
  await writeFileAtomic(path, data, options);
}
