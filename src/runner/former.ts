import { livenessOf } from '../env.ts';
import type { FormerClaim } from '../store/api/runner.ts';
import { parseToken } from '../store/token.ts';
import { endGroup, groupsWith } from './process-group.ts';
import type { Run } from './run.ts';

/** Ends what still runs under a claim that is over.
 *  @returns whether there was nothing to end, or it is gone, or it could not be ended. */
export async function endProcessesOf(run: Run, former: FormerClaim): Promise<'none' | 'ended' | 'survives'> {
  const groups = groupsOf(run, former);
  if (groups.length === 0) return 'none';
  const { feature, worker } = former;
  run.emit('orphan_ending', { feature, from: worker, pids: groups, message: `left over by ${worker}` });
  const gone = await Promise.all(groups.map((group) => endGroup(group, run)));
  if (gone.every(Boolean)) return 'ended';
  run.emit('orphan_survives', { feature, from: worker, pids: groups, message: 'it could not be ended' });
  return 'survives';
}

/** Ends what dead runners left running, so that their features can be taken over at once.
 *  @returns whether anything was ended. */
export function endOrphans(run: Run): Promise<boolean> {
  run.orphansEnding ??= findAndEnd(run).finally(() => {
    run.orphansEnding = null;
  });
  return run.orphansEnding;
}

async function findAndEnd(run: Run): Promise<boolean> {
  let ended = false;
  for (const orphan of await run.store.runner.orphans({ session: run.session })) {
    if (run.closed.aborted) return ended;
    if ((await endProcessesOf(run, orphan)) === 'ended') ended = true;
  }
  return ended;
}

/** The noted group: known by its leader, or, after that has ended, by the token in what is left of it. A runner that was
 *  killed before it could note one leaves only the token to go by. */
function groupsOf({ env }: Run, { runner, child, claim }: FormerClaim): number[] {
  if (child && livenessOf(child, env.identity) === 'alive') return [child.pid];
  if (!runner || livenessOf(runner, env.identity) === 'unknown') return [];
  const marked = groupsWith('GITSTATE_TOKEN', (token) => isTokenOf(token, claim));
  return child ? marked.filter((group) => group === child.pid) : marked;
}

function isTokenOf(text: string, claim: string): boolean {
  try {
    return parseToken(text) === claim;
  } catch {
    return false;
  }
}
