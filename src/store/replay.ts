import { apply } from '../core/apply.ts';
import { describe } from '../core/describe.ts';
import { keyOf } from '../core/ids.ts';
import type { Operation, OperationType } from '../core/operation.ts';
import { contentsOf, NotLoaded, type State } from '../core/state.ts';
import { instantOf } from '../core/time.ts';
import { GitStateError, isGitStateError } from '../errors.ts';
import type { Oid } from '../git/ids.ts';
import { operationOf, readCommit } from './commits.ts';
import type { Engine } from './engine.ts';
import { walk } from './history.ts';
import { readLease } from './lease.ts';
import { wantedRefs } from './moves.ts';
import type { Publication } from './publish.ts';
import { record } from './record.ts';

/** An operation of ours that no longer applies on top of what others did. */
export interface Rejection {
  /** Operation id; the commit's own where it was made by hand. */
  id: string;
  op: OperationType | null;
  session: string | null;
  feature: string | null;
  subject: string;
  /** Where it stood in our history. */
  commit: Oid;
  code: string;
  message: string;
}

export interface Replayed {
  /** How many were applied again, with new commits. */
  replayed: number;
  rejected: Rejection[];
}

/** They put a whole state in place, or decide by all of it: over commits that they did not see they would undo them. */
const neverReplayed: ReadonlySet<OperationType> = new Set([
  'state.restore',
  'state.undo',
  'state.repair',
  'store.import',
  'store.reset',
  'store.cleanup',
  'store.seal',
]);

/** Applies the operations of `commits` again on top of `publication`, one by one, with the same rules and ids. What
 *  the remote has already under the same id is passed over.
 *  @param known ids of the operations that the remote has and we had not seen. @throws NotLoaded */
export async function replay(
  engine: Engine,
  publication: Publication,
  commits: readonly Oid[],
  known: ReadonlySet<string>,
): Promise<Replayed> {
  const rejected: Rejection[] = [];
  let replayed = 0;
  for (const oid of commits) {
    const commit = (await readCommit(engine.reader, oid))!;
    const [subject = ''] = commit.message.split('\n');
    const label = { commit: oid, subject };
    let operation: Operation | null = null;
    try {
      operation = await operationOf(engine.reader, commit, engine.schema);
      if (operation === null) throw byHand(oid);
      if (known.has(operation.id)) continue;
      // Both began with one; the other's stands.
      if (operation.type === 'store.init' && publication.tip.state.store) continue;
      if (operation.type === 'store.migrate' && isMigrated(publication, operation.args.to)) continue;
      if (neverReplayed.has(operation.type)) throw unseen(operation);
      if (await replayOne(engine, publication, operation)) replayed += 1;
    } catch (error) {
      if (error instanceof NotLoaded || !isGitStateError(error)) throw error;
      const { feature = null } = (operation?.args ?? {}) as { feature?: string | null };
      rejected.push({
        id: operation?.id ?? oid,
        op: operation?.type ?? null,
        session: operation?.session ?? null,
        feature,
        ...label,
        code: error.code,
        message: error.message,
      });
    }
  }
  return { replayed, rejected };
}

/** Whether the other side has brought its files up as well. */
function isMigrated({ tip }: Publication, to: number): boolean {
  return (tip.state.store?.schema ?? 0) >= to;
}

async function replayOne(engine: Engine, publication: Publication, given: Operation): Promise<boolean> {
  const before = publication.tip;
  const at = instantOf(Math.max(Date.parse(given.at), before.at * 1000));
  const operation = { ...given, at };
  await requireUnrenewed(engine, before.state, operation);
  const stateAt = () => {
    throw unseen(given);
  };
  const { repository, identity, schema, tagPrefix } = engine;
  const after = apply(before.state, operation, { stateAt, schema: schema.version });
  if (after === before.state && operation.type !== 'note.add') return false;
  const recorder = { format: repository.objectFormat, identity, schema: schema.version };
  const { snapshot, author, objects } = record(recorder, before, operation, after);
  const stamp = { ...recorder, tagPrefix, commit: snapshot.commit, author };
  const wanted = wantedRefs(before.state, after, stamp);
  publication.objects.push(...objects, ...wanted.objects);
  for (const [ref, oid] of wanted.refs) publication.refs.set(ref, oid);
  publication.operations.push(operation);
  publication.tip = snapshot;
  return true;
}

/** A claim that was judged to be over when the server could not be asked may have been renewed there.
 *  @throws ALREADY_CLAIMED */
async function requireUnrenewed(
  { reader }: Engine,
  state: State,
  { session, args }: Operation,
): Promise<void> {
  const { takeover, over, released } = args as Partial<Record<'takeover' | 'over', Evidence>> & {
    released?: (Evidence & { feature: string })[];
  };
  const { feature: id = '' } = args as { feature?: string };
  const judged = [takeover, over].flatMap((one) => (one ? [{ feature: id, ...one }] : []));
  for (const { feature, claim, lease_end } of [...judged, ...(released ?? [])]) {
    const present = contentsOf(state, session!).features.get(keyOf(feature));
    const lease = present?.claim?.id === claim ? await readLease(reader, session!, present) : null;
    if (lease === null || lease.expires_at <= lease_end) continue;
    throw new GitStateError('ALREADY_CLAIMED', `the claim of feature '${feature}' was renewed meanwhile`, {
      details: { feature, holder: present!.worker_id, expires_at: lease.expires_at },
    });
  }
}

interface Evidence {
  claim: string;
  lease_end: string;
}

/** Ids of the operations between `tip` and `base`, `base` left out. */
export async function operationIds(engine: Engine, tip: Oid, base: Oid | null): Promise<Set<string>> {
  const ids = new Set<string>();
  for await (const commit of walk(engine, tip)) {
    if (commit.oid === base) break;
    const id = /^gitstate-id: (.*)$/m.exec(commit.message)?.[1];
    if (id !== undefined) ids.add(id);
  }
  return ids;
}

function byHand(oid: Oid): GitStateError {
  return new GitStateError('CONFLICT', `commit ${oid.slice(0, 12)} was made by hand and cannot be replayed`);
}

function unseen(operation: Operation): GitStateError {
  return new GitStateError(
    'CONFLICT',
    `'${describe(operation)}' was decided without knowing what others did meanwhile`,
    { hint: 'look at the present state, then do it anew if it is still wanted' },
  );
}
