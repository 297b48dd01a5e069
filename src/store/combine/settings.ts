import type { Engine } from '../engine.ts';
import type { Durability } from '../proposal.ts';

/** All that matters to what becomes of a request, beside the request: one process decides for another only where all of
 *  it is the same. */
export function settingsOf(engine: Engine, durability: Durability): string {
  const { env, branchRef, schema, tagPrefix, worktreeRoot, driftMs, renewsOnBranch, durable, remoteName } =
    engine;
  const { host, boot, pidns } = env.identity;
  return JSON.stringify([
    [host, boot, pidns, env.userName],
    [branchRef, remoteName ?? null, durability, durable, schema.version],
    [tagPrefix, worktreeRoot, driftMs, renewsOnBranch],
  ]);
}
