import { type GitStateError, isGitStateError } from '../errors.ts';
import type { Run } from './run.ts';

const triesMax = 8;
/** A server may be away for some minutes, and what a command took hours for must not be lost to that. */
const remoteTriesMax = 48;

/** What makes a repeated call the same operation as before, where it is not known whether that landed. */
interface Repetition {
  opId?: string;
}

/** Repeats `action` while it fails for a reason that passes: for about a quarter of a minute, or ten minutes where a
 *  server does not answer. Steps that no longer fit what others did meanwhile are set aside first.
 *  @throws the last failure. */
export async function persist<T>(
  run: Pick<Run, 'env' | 'store' | 'emit'>,
  action: (again: Repetition) => Promise<T>,
  passes: (error: GitStateError) => boolean = isPassing,
): Promise<T> {
  let again: Repetition = {};
  for (let tries = 1; ; tries += 1) {
    try {
      return await action(again);
    } catch (error) {
      if (!isGitStateError(error) || tries >= mostTries(error)) throw error;
      const stranded = isStranded(error);
      if (!stranded && !passes(error)) throw error;
      if (stranded) await reconcile(run);
      const { op_id } = error.details as { op_id?: string };
      if (op_id !== undefined) again = { opId: op_id };
      await run.env.sleep(Math.min(4000 * (1 + tries / 12), 100 * 2 ** tries) * (0.5 + Math.random() / 2));
    }
  }
}

/** Git's own failures are tried again, too: most come from somebody else at work in the repository. */
export function isPassing(error: GitStateError): boolean {
  return error.retryable || error.code === 'GIT_FAILED';
}

/** Whether what waited for its push can no longer be put on top of what others did. */
export function isStranded(error: unknown): boolean {
  return isGitStateError(error, 'REMOTE_DIVERGED') && Array.isArray(error.details.rejected);
}

/** Pushes what waits, and sets aside what no longer applies; then a refusal says what the state is now. */
export async function reconcile({ store, emit }: Pick<Run, 'store' | 'emit'>): Promise<void> {
  for (const { subject, message, ref } of await store.runner.flush()) {
    emit('rejected', { message: `${subject}: ${message}; kept as ${ref}` });
  }
}

function mostTries(error: GitStateError): number {
  return isGitStateError(error, 'REMOTE_UNREACHABLE', 'OUTCOME_UNKNOWN') ? remoteTriesMax : triesMax;
}
