import { rejectedRef } from '../codec/tag.ts';
import { GitStateError } from '../errors.ts';
import { isOid, type Oid, zeroOid } from '../git/ids.ts';
import { newObject } from '../git/objects.ts';
import { decodeTag, encodeTag } from '../git/tag.ts';
import type { Engine } from './engine.ts';
import { commitsSince } from './epochs.ts';
import { followCheckpoints } from './follow.ts';
import type { Held } from './mutex.ts';
import type { Publication } from './publish.ts';
import type { Remote } from './remote.ts';
import { beginOn, settleHere, updatesOf } from './remote-publisher.ts';
import { type Rejection, replay } from './replay.ts';
import { requireRelated } from './standing.ts';

/** Bringing both sides together: what others did comes here, what was done here is applied again on top of it. */

export interface SyncOptions {
  /** The remote's tip, where it is to be taken although it does not contain what was seen there; all zeros where it
   *  has no branch any more. */
  adopt?: Oid | undefined;
  /** Ids of rejected operations to try once more; `all` for every one. */
  retry?: readonly string[] | undefined;
}

export interface RejectedOperation extends Rejection {
  /** Holds the commit until it is retried or dropped. */
  ref: string;
}

export interface SyncResult {
  /** Commits of others that came here. */
  pulled: number;
  /** Commits of ours that the remote has now. */
  pushed: number;
  /** How many of them had to be applied again, with new commits. */
  replayed: number;
  rejected: RejectedOperation[];
}

const attemptsMax = 12;

/** Call it under the mutex.
 *  @throws REMOTE_DIVERGED, REMOTE_UNREACHABLE, REMOTE_REJECTED, CONTENTION */
export async function syncWith(
  engine: Engine,
  remote: Remote,
  held: Held,
  { adopt, retry = [] }: SyncOptions,
): Promise<SyncResult> {
  const before = await remote.standing();
  const keep = new Map<string, Oid | null>();
  if (adopt === undefined) await remote.fetch();
  else await adoptRemote(engine, remote, adopt, keep);
  for (let attempt = 1; attempt <= attemptsMax; attempt += 1) {
    const standing = await remote.standing();
    if (adopt === undefined) requireRelated(remote.name, standing);
    const { publication, rejected, replayed } = await beginOn(engine, standing, 'all');
    const retried = await retryRejected(engine, publication, retry);
    const refused = [...rejected, ...retried.rejected];
    const updates = await updatesOf(engine, standing, publication);
    const { objects, refs } = keepRejected(engine, refused);
    await engine.write([...publication.objects, ...objects]);
    if (updates.length > 0 && (await remote.push(updates)).kind !== 'landed') {
      await engine.env.sleep(Math.random() * 50 * attempt);
      await remote.fetch();
      continue;
    }
    const landed = new Map([...keep, ...retried.settled, ...refs]);
    await settleHere(engine, remote, { standing, publication: withRefs(publication, landed), held });
    await followCheckpoints(engine, remote, publication.tip.state, held);
    return {
      pulled: await countBetween(engine, standing.seen, before.local),
      pushed: await countBetween(engine, publication.tip.commit, standing.seen),
      replayed: replayed + retried.replayed,
      rejected: refused.map((one) => ({ ...one, ref: rejectedRef(one.id) })),
    };
  }
  throw new GitStateError('CONTENTION', `others kept moving the branch on '${remote.name}'`, {
    hint: 'nothing was lost; try again',
    details: { attempts: attemptsMax },
  });
}

async function adoptRemote(
  engine: Engine,
  remote: Remote,
  adopt: Oid,
  keep: Map<string, Oid | null>,
): Promise<void> {
  const { branchRef, repository, reader } = engine;
  if (!isOid(adopt, repository.objectFormat)) {
    throw new GitStateError('INVALID_INPUT', `'${adopt}' is no whole commit id`, {
      hint: `see where the branch is with \`git ls-remote ${remote.name} ${branchRef}\``,
    });
  }
  const there = (await remote.list([branchRef])).get(branchRef) ?? zeroOid(repository.objectFormat);
  if (there !== adopt) {
    throw new GitStateError(
      'REMOTE_DIVERGED',
      `the branch on '${remote.name}' is at ${there}, not at ${adopt}`,
      {
        hint: 'look at what it holds now before you take it',
        details: { local: await reader.resolve(branchRef), remote: there, remote_name: remote.name },
      },
    );
  }
  const local = await reader.resolve(branchRef);
  if (local !== null) keep.set(rejectedRef(local), local);
  await remote.adopt(adopt === zeroOid(repository.objectFormat) ? null : adopt);
}

/** Rejected operations that are kept here, by id. */
export async function listRejected(engine: Engine): Promise<Map<string, Oid>> {
  const prefix = rejectedRef('');
  const refs = await engine.refs.list(prefix);
  return new Map([...refs].map(([ref, oid]) => [ref.slice(prefix.length), oid]));
}

async function retryRejected(engine: Engine, publication: Publication, ids: readonly string[]) {
  const settled = new Map<string, Oid | null>();
  if (ids.length === 0) return { replayed: 0, rejected: [] as Rejection[], settled };
  const kept = await listRejected(engine);
  const wanted = ids.includes('all') ? [...kept.keys()] : ids;
  const commits: Oid[] = [];
  for (const id of wanted) commits.push(await commitOf(engine, id, kept.get(id)));
  const { replayed, rejected } = await replay(engine, publication, commits, new Set());
  const again = new Set(rejected.map(({ id }) => id));
  for (const id of wanted) if (!again.has(id)) settled.set(rejectedRef(id), null);
  return { replayed, rejected, settled };
}

async function commitOf({ reader }: Engine, id: string, oid: Oid | undefined): Promise<Oid> {
  const object = oid === undefined ? null : await reader.read(oid);
  if (object?.type === 'tag') return decodeTag(object.body).object;
  if (object?.type === 'commit') return object.oid;
  throw new GitStateError('COMMIT_NOT_FOUND', `no rejected operation '${id}' is kept here`, {
    hint: 'see what is with `git for-each-ref refs/gitstate/rejected`',
  });
}

/** A tag for each, which says why: `git for-each-ref --format='%(contents)' refs/gitstate/rejected`. */
function keepRejected({ repository, identity, env }: Engine, rejected: readonly Rejection[]) {
  const tagger = { ...identity, at: Math.floor(env.now() / 1000), timezone: '+0000' };
  const tags = rejected.map(({ id, commit, subject, code, message }) => {
    const text = `rejected: ${subject}\n\n${code}: ${message}\n`;
    const body = encodeTag({ object: commit, type: 'commit', tag: `rejected/${id}`, tagger, message: text });
    return { id, tag: newObject(repository.objectFormat, 'tag', body) };
  });
  return {
    objects: tags.map(({ tag }) => tag),
    refs: new Map<string, Oid | null>(tags.map(({ id, tag }) => [rejectedRef(id), tag.oid])),
  };
}

function withRefs(publication: Publication, more: ReadonlyMap<string, Oid | null>): Publication {
  return { ...publication, refs: new Map([...publication.refs, ...more]) };
}

async function countBetween(engine: Engine, tip: Oid | null, base: Oid | null): Promise<number> {
  if (tip === null || tip === base) return 0;
  if (base !== null) return (await commitsSince(engine, tip, base)).oids.length;
  const args = ['rev-list', '--count', '--first-parent', '--end-of-options', tip];
  return Number(await engine.repository.git.text(args));
}
