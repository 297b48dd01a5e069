import type { Env } from '../env.ts';
import { type GitStateError, isGitStateError } from '../errors.ts';

const triesMax = 8;

/** Repeats `action` while it fails for a reason that passes, for about a quarter of a minute.
 *  @throws the last failure. */
export async function persist<T>(
  env: Env,
  action: () => Promise<T>,
  passes: (error: GitStateError) => boolean = isPassing,
): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await action();
    } catch (error) {
      if (tries === triesMax || !isGitStateError(error) || !passes(error)) throw error;
      await env.sleep(Math.min(4000, 100 * 2 ** tries) * (0.5 + Math.random() / 2));
    }
  }
}

/** Git's own failures are tried again, too: most come from somebody else at work in the repository. */
export function isPassing(error: GitStateError): boolean {
  return error.retryable || error.code === 'GIT_FAILED';
}
