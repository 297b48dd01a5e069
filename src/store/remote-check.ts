import { isGitStateError } from '../errors.ts';
import type { Check } from './checks.ts';
import type { Engine } from './engine.ts';
import type { Remote } from './remote.ts';
import { listRejected } from './sync.ts';

/** Whether the remote that decides answers, and what of ours it has not. */
export async function checkRemote(engine: Engine, remote: Remote | null): Promise<Check> {
  const name = 'remote';
  const kept = (await listRejected(engine)).size;
  const rejected =
    kept === 0 ? [] : [`${kept} rejected operations are kept: git state sync --retry all, or --drop ID`];
  if (remote === null)
    return { name, ok: kept === 0, detail: rejected[0] ?? 'none decides: this repository does' };
  const found = [...rejected];
  try {
    const { branchRef } = engine;
    const there = (await remote.list([branchRef])).get(branchRef) ?? null;
    const { seen, unpushed } = await remote.standing();
    if (there === null && seen !== null) found.push(`the branch is gone on '${remote.name}'`);
    if (unpushed.length > 0) found.push(`${unpushed.length} commits wait for a push: git state sync`);
  } catch (error) {
    if (!isGitStateError(error)) throw error;
    found.push(`${error.code}: ${error.message}`);
  }
  const leases = remote.takesOwnRefs ? 'leases in refs/gitstate' : 'leases on the branch';
  return {
    name,
    ok: found.length === 0,
    detail: found.length === 0 ? `'${remote.name}' answers; ${leases}` : found.join('; '),
  };
}
