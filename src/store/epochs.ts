import { epochRef, epochRefs } from '../codec/tag.ts';
import type { StoreSeal } from '../core/operations/store-seal.ts';
import type { Oid } from '../git/ids.ts';
import { isAncestor, type PathCommit, pathHistory } from '../git/path-history.ts';
import type { RefStore } from '../git/refs.ts';
import { decodeTree } from '../git/tree.ts';
import { type History, type HistoryCommit, operationOf, readCommit } from './commits.ts';

/** The history of a store is a row of epochs. Each but the first begins with a root that names the last commit of the
 *  one before, which has the same files and may not be here. */

/** What the root of an epoch says of the epoch before it. */
export type Seal = StoreSeal['args'];

/** What `commit` sealed; null for one that begins no epoch. */
export async function sealOf(history: History, commit: HistoryCommit | null): Promise<Seal | null> {
  const begins = commit?.parents.length === 0 && /^gitstate-op: store\.seal$/m.test(commit.message);
  const operation = begins ? await operationOf(history.reader, commit, history.schema) : null;
  return operation?.type === 'store.seal' ? operation.args : null;
}

/** The commit with which the epoch of `tip` begins; null where the history is cut off before it, as in a shallow
 *  clone. It costs Git a walk of the epoch. */
export async function rootOf({ repository, reader }: History, tip: Oid): Promise<HistoryCommit | null> {
  const args = ['rev-list', '--first-parent', '--max-parents=0', '--end-of-options', tip];
  const { stdout } = await repository.git.run(args, { okStatuses: [0, 128] });
  const root = await readCommit(reader, stdout.toString().trim().split('\n').at(-1) || tip);
  return root !== null && root.parents.length === 0 ? root : null;
}

export interface Epoch {
  root: HistoryCommit;
  /** What the root says of the epoch before. */
  seal: Seal;
  /** Whether that one is here. */
  here: boolean;
}

/** The epochs of `tip` that were begun by a seal, newest first, as far as they are here. */
export async function* epochsOf(history: History, tip: Oid): AsyncGenerator<Epoch> {
  for (let next = tip; ; ) {
    const root = await rootOf(history, next);
    const seal = await sealOf(history, root);
    if (root === null || seal === null) return;
    const here = (await history.reader.info(seal.tip)) !== null;
    yield { root, seal, here };
    if (!here) return;
    next = seal.tip;
  }
}

/** Whether `oid` is `tip` or stands in its history, in whatever epoch of those that are kept here. */
export async function isInHistory(history: History, oid: Oid, tip: Oid): Promise<boolean> {
  const { repository } = history;
  if (await isAncestor(repository, oid, tip)) return true;
  const args = ['for-each-ref', '--format=%(objectname)', `--contains=${oid}`, epochRefs];
  const { stdout } = await repository.git.run(args, { okStatuses: [0, 1, 128, 129] });
  const holders = new Set(stdout.toString().split('\n').slice(0, -1));
  if (holders.size === 0) return false;
  for await (const { seal } of epochsOf(history, tip)) if (holders.has(seal.tip)) return true;
  return false;
}

/** The epoch that the newest commit belongs to. */
export interface PresentEpoch {
  /** Its number, which no other epoch of this repository has. */
  epoch: number;
  /** How many commits it has by now. */
  commits: number;
  /** Whether it was begun by a seal. */
  sealed: boolean;
  /** The tree of its newest commit. */
  tree: string;
}

/** The epoch that `tip` belongs to. Its number is one that nothing is kept under yet: stores on other branches have
 *  epochs of their own. */
export async function presentEpoch(history: History, refs: RefStore, tip: Oid): Promise<PresentEpoch> {
  const { repository, reader } = history;
  const seal = await sealOf(history, await rootOf(history, tip));
  const kept = [...(await refs.list(epochRefs)).keys()].map(
    (ref) => Number(ref.slice(epochRefs.length)) || 0,
  );
  const count = await repository.git.text(['rev-list', '--count', '--first-parent', '--end-of-options', tip]);
  return {
    epoch: Math.max(seal?.epoch ?? 0, ...kept) + 1,
    commits: Number(count),
    sealed: seal !== null,
    tree: (await readCommit(reader, tip))!.tree,
  };
}

/** Commits of one history that another has not. */
export interface Since {
  /** Oldest first. */
  oids: Oid[];
  /** What the oldest stands on, be it by a seal; null where the two have nothing in common. */
  parent: Oid | null;
}

/** The commits of `tip` that `base` has not, through the epochs of both. */
export async function commitsSince(history: History, tip: Oid, base: Oid): Promise<Since> {
  const { repository, reader } = history;
  const excluded = [base];
  const oids: Oid[] = [];
  for (let next = tip; ; ) {
    if (excluded.includes(next)) return { oids, parent: next };
    const not = excluded.map((oid) => `^${oid}`);
    const args = ['rev-list', '--first-parent', '--reverse', '--end-of-options', next, ...not];
    const listed = (await repository.git.text(args)).split('\n').filter(Boolean);
    const first = listed[0] === undefined ? null : await readCommit(reader, listed[0]);
    const [parent] = first?.parents ?? [];
    if (first !== null && parent === undefined && excluded.length === 1) {
      // Lines of different epochs have no commit in common that Git could find.
      for await (const { root, seal, here } of epochsOf(history, base))
        if (here && (await keepsFiles(history, root, seal))) excluded.push(seal.tip);
      if (excluded.length > 1) continue;
    }
    oids.unshift(...listed);
    if (first === null || parent !== undefined) return { oids, parent: parent ?? null };
    const seal = await sealOf(history, first);
    if (seal === null || (await reader.info(seal.tip)) === null) return { oids, parent: null };
    next = seal.tip;
  }
}

/** As `pathHistory`, through the epochs that are here: a file is none of the root's making that took it over. */
export async function pathHistoryThrough(
  history: History,
  range: Parameters<typeof pathHistory>[1],
): Promise<PathCommit[]> {
  const found: PathCommit[] = [];
  for (let { tip } = range; ; ) {
    const part = await pathHistory(history.repository, { ...range, tip });
    const last = part.at(-1);
    const seal =
      last === undefined ? null : await sealOf(history, await readCommit(history.reader, last.commit));
    const goesOn = seal !== null && (await history.reader.info(seal.tip)) !== null;
    found.push(...(goesOn ? part.slice(0, -1) : part));
    if (!goesOn) return found;
    tip = seal.tip;
  }
}

/** Whether a root holds the very files of the commit that it sealed: a payload belongs to its own commit alone. */
export async function keepsFiles(
  { reader }: History,
  root: HistoryCommit,
  { tip, tree }: Seal,
): Promise<boolean> {
  const sealed = await readCommit(reader, tip);
  if (sealed?.tree !== tree) return false;
  const [before, after] = await Promise.all([tree, root.tree].map((oid) => filesOf(reader, oid)));
  return before !== null && before === after;
}

async function filesOf(reader: History['reader'], oid: Oid): Promise<string | null> {
  const object = await reader.read(oid);
  if (object?.type !== 'tree') return null;
  const entries = decodeTree(oid.length === 64 ? 'sha256' : 'sha1', object.body);
  return JSON.stringify(entries.filter(({ name }) => name !== 'payload'));
}

/** The command that brings an epoch. */
export function wayToEpoch({ epoch }: Pick<Seal, 'epoch'>): string {
  return `git fetch REMOTE ${epochRef(epoch)}:${epochRef(epoch)}`;
}
