import { statfs } from 'node:fs';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { GitStateError } from '../errors.ts';

/** Takes user names, passwords and tokens out of the URLs in `text`. */
export function redactUrls(text: string): string {
  return text.replace(/([a-z][a-z0-9+.-]*:\/\/)[^\s/@'"]+@/gi, '$1***@');
}

/** The line of Git's messages that says what went wrong, without its prefix. */
export function firstMessage(stderr: string): string {
  const lines = redactUrls(stderr)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const telling = lines.find((line) => /^(?:fatal|error):/.test(line));
  const line = telling ?? lines.find((line) => !/^(?:warning|hint):/.test(line)) ?? lines[0] ?? '';
  return line.replace(/^(?:fatal|error): /, '');
}

interface Ending {
  /** Name of the command, such as `fetch`. */
  command: string;
  status?: number | null;
  signal?: string | null;
  stderr?: string;
  details?: Record<string, unknown>;
  cause?: unknown;
}

/** GIT_FAILED for a Git process that did not end well. Details: `{command, status, signal, stderr}` and what is given. */
export function gitFailed({
  command,
  status = null,
  signal = null,
  stderr = '',
  details,
  cause,
}: Ending): GitStateError {
  const said = firstMessage(stderr);
  const ending = signal === null ? `exit status ${status ?? 'unknown'}` : `ended by ${signal}`;
  const reason = details?.timeout === true ? 'took too long' : said || ending;
  return new GitStateError('GIT_FAILED', `git ${command} failed: ${reason}`, {
    details: { command, status, signal, stderr: redactUrls(stderr).slice(0, 4096), ...details },
    cause,
  });
}

/** Whether the file system that holds `path` has no space or no inodes left; false where it cannot be asked. */
export async function isDiskFull(path: string): Promise<boolean> {
  try {
    const { blocks, bavail, files, ffree } = await promisify(statfs)(path);
    // A file system without a size of its own reports zeros, which say nothing.
    return (blocks > 0 && bavail === 0) || (files > 0 && ffree === 0);
  } catch {
    const parent = dirname(path);
    return parent === path ? false : isDiskFull(parent);
  }
}

const fullCodes = new Set(['ENOSPC', 'EDQUOT']);
const readOnlyCodes = new Set(['EROFS', 'EACCES', 'EPERM']);

/** Says why a write at `path` failed. A full disk hides behind other messages, so the file system is asked as well.
 *  @returns DISK_FULL, READ_ONLY, or GIT_FAILED with the cause. */
export async function storageFailure(error: unknown, path: string): Promise<GitStateError> {
  if (error instanceof GitStateError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  const details = { path, errno: code ?? null };
  if (fullCodes.has(code ?? '') || (await isDiskFull(path))) {
    return new GitStateError('DISK_FULL', `no space left for '${path}'`, {
      hint: 'free some space, then run the command again',
      details,
      cause: error,
    });
  }
  if (readOnlyCodes.has(code ?? '')) {
    return new GitStateError('READ_ONLY', `cannot write '${path}'`, {
      hint: 'check owner and permissions of the repository',
      details,
      cause: error,
    });
  }
  return new GitStateError('GIT_FAILED', `cannot write '${path}': ${message}`, { details, cause: error });
}
