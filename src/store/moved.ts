import { GitStateError } from '../errors.ts';
import type { BranchHome } from './branch-home.ts';
import { isInHistory } from './epochs.ts';
import { isOwnMove, lastOwnCommit, reflogTail, tailBytes } from './reflog.ts';
import { tracesOf } from './traces.ts';

/** A branch that is not there although there was a store on it; null where there never was one. */
export async function goneFault(engine: BranchHome): Promise<GitStateError | null> {
  const [trace] = await tracesOf(engine);
  if (!trace) return null;
  const { branchRef } = engine;
  const what = trace.commit === null ? '' : ` (commit ${trace.commit.slice(0, 12)})`;
  return new GitStateError(
    'CORRUPT_STATE',
    `the state branch '${branchRef}' is gone; '${trace.source}' still tells of it${what}`,
    {
      hint: 'git state doctor --repair',
      details: { ref: branchRef, fault: 'is gone', commit: trace.commit, source: trace.source },
    },
  );
}

/** What to say where there is no branch: that there never was a store, or that it is gone. */
export async function noStore(engine: BranchHome): Promise<GitStateError> {
  const fault = await goneFault(engine);
  if (fault) return fault;
  return new GitStateError('NOT_INITIALIZED', 'this repository has no state branch yet', {
    hint: 'git state init',
  });
}

/** A branch whose history no longer holds what gitstate had put there; null where it does, or nothing is known. */
export async function movedFault(engine: BranchHome, tip: string): Promise<GitStateError | null> {
  const { repository, branchRef } = engine;
  if (isOwnMove(reflogTail(repository, branchRef, tailBytes.short), tip)) return null;
  const entries = reflogTail(repository, branchRef);
  const own = lastOwnCommit(entries);
  // Others may have moved it on while we looked.
  if (own === null || own === tip || (await engine.tip(tip)) !== tip) return null;
  if ((await engine.reader.info(own)) === null || (await isInHistory(engine, own, tip))) return null;
  const how = entries.at(-1)!.message;
  const message = `the state branch was moved by hand to ${tip.slice(0, 12)}, which does not hold commit ${own.slice(0, 12)}`;
  return new GitStateError('CORRUPT_STATE', message, {
    hint: 'git state doctor --repair',
    details: { ref: branchRef, fault: 'was moved by hand', commit: own, tip, how },
  });
}
