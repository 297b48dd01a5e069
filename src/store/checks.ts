import { claimedFeatures, contentsBySession } from '../core/select.ts';
import { repackFault } from '../git/maintenance.ts';
import { listWorktrees } from '../git/worktrees.ts';
import { checkpointFaults } from './checkpoint-refs.ts';
import { worktreePath } from './code.ts';
import type { Engine } from './engine.ts';
import { isAutomatic, pileSince } from './maintenance.ts';
import { leaseWork, writersIn } from './repair/refs.ts';
import type { Snapshot } from './snapshot.ts';

/** One thing that was looked at. */
export interface Check {
  name: string;
  ok: boolean;
  detail: string;
}

/** A check that is fine where nothing was found, and else says what. */
export function checkOf(name: string, found: readonly string[], fine: string): Check {
  return { name, ok: found.length === 0, detail: found.length === 0 ? fine : found.join('; ') };
}

const repairHint = 'git state doctor --repair mends it';

export async function checkCache(engine: Engine): Promise<Check> {
  const damaged = await engine.cacheIsDamaged;
  const detail = damaged ? `'${engine.cacheDirectory}' is damaged and not used: ${repairHint}` : 'in order';
  return { name: 'cache', ok: !damaged, detail };
}

export function checkSchema({ schema }: Engine, { state }: Snapshot): Check {
  const stored = state.store?.schema ?? schema.version;
  const older = stored < schema.version;
  const detail = older ? `${stored}: the next write brings it to ${schema.version}` : String(stored);
  return { name: 'schema', ok: true, detail };
}

export async function checkLeases(engine: Engine, snapshot: Snapshot): Promise<Check> {
  const { moves } = await leaseWork(engine, snapshot);
  // Where renewals are commits, a claim of another clone has no lease ref here.
  const telling = engine.renewsOnBranch ? moves.filter(({ newOid }) => newOid === null) : moves;
  const found = telling.map(({ ref, newOid }) =>
    newOid === null ? `'${ref}' is of no claim` : `'${ref}' is missing`,
  );
  return checkOf('leases', found.length > 0 ? [...found, repairHint] : [], 'each claim has its own');
}

export async function checkCheckpoints(engine: Engine, snapshot: Snapshot): Promise<Check> {
  const history = { reader: engine.reader, repository: engine.repository, tagPrefix: engine.tagPrefix };
  const faults = await checkpointFaults(history, engine.refs, snapshot, writersIn(engine, snapshot));
  // A clone that has not written yet has only the tags that it fetched.
  const own = faults.filter(({ holds }) => engine.branchSeen || holds !== null);
  const found = own.map(
    ({ ref, holds }) => `'${ref}' ${holds === null ? 'is missing' : 'is not what its file says'}`,
  );
  return checkOf(
    'checkpoints',
    found.length > 0 ? [...found, repairHint] : [],
    'every tag is as its file says',
  );
}

/** Worktrees of claimed features that Git no longer finds. */
export async function checkWorktrees({ repository }: Engine, { state }: Snapshot): Promise<Check> {
  const claimed = contentsBySession(state).flatMap(({ contents }) => claimedFeatures(contents));
  const named = claimed.filter(({ worktree }) => worktree !== null);
  if (named.length === 0) return checkOf('worktrees', [], 'none in use');
  const known = new Map((await listWorktrees(repository)).map((one) => [one.path, one]));
  const gone = named.filter(({ worktree }) => {
    const found = known.get(worktreePath(repository, worktree!));
    return !found || found.prunable;
  });
  const found = gone.map(({ id, worktree }) => `that of '${id}' is gone: ${worktree}`);
  return checkOf('worktrees', found, `${named.length} in use`);
}

/** Whether loose objects and packs have piled up. */
export function checkMaintenance(engine: Engine): Check {
  const { pile, due } = pileSince(engine);
  const { repository } = engine;
  const what = `about ${pile.loose} loose objects, ${pile.packs} packs`;
  const fault = repackFault(repository);
  const automatic = isAutomatic(repository);
  const way = automatic
    ? 'the next write starts it in the background'
    : 'it is turned off; `git state doctor --maintain` does it now';
  const detail = due
    ? `due: ${what}: ${way}`
    : `${what}${fault === null ? '' : `; packs are left alone: ${fault}`}`;
  return { name: 'maintenance', ok: automatic || !due, detail };
}

/** What earlier repairs put aside is told, so that it is not forgotten; it disturbs nothing. */
export async function checkDamaged(engine: Engine): Promise<Check> {
  const kept = [...(await engine.refs.list('refs/gitstate/damaged/')).keys()];
  const detail =
    kept.length === 0
      ? 'nothing was put aside'
      : `put aside by repairs: ${kept.join(', ')} (remove them when you like)`;
  return { name: 'damaged', ok: true, detail };
}
