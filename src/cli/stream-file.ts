import { randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { isGitStateError } from '../errors.ts';
import { cannotWrite } from './text-file.ts';

/** Writes a stream to a file beside `path` and renames it, so that nobody meets half of it. @returns bytes written.
 *  @throws INVALID_INPUT where no file can be written there */
export async function writeStream(path: string, bytes: Readable): Promise<number> {
  const fresh = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}`);
  const file = createWriteStream(fresh, { flags: 'wx' });
  try {
    await pipeline(bytes, file);
    await rename(fresh, path);
  } catch (error) {
    await rm(fresh, { force: true });
    if (isGitStateError(error)) throw error;
    throw cannotWrite(path, error);
  }
  return file.bytesWritten;
}
