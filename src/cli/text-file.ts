import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import writeFileAtomic from 'write-file-atomic';
import { GitStateError } from '../errors.ts';

/** Writes a file in one step: whoever reads it meets the old text or the new one. Its folder is made.
 *  @throws INVALID_INPUT, DISK_FULL */
export async function writeText(path: string, text: string): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFileAtomic(path, text);
  } catch (error) {
    throw cannotWrite(path, error);
  }
}

/** Says why a file that the user named could not be written. */
export function cannotWrite(path: string, error: unknown): GitStateError {
  const { code } = error as NodeJS.ErrnoException;
  const kind = code === 'ENOSPC' ? 'DISK_FULL' : 'INVALID_INPUT';
  return new GitStateError(kind, `cannot write '${path}': ${code}`, {
    hint: 'give --output a file in a folder that can be written to',
    cause: error,
  });
}
