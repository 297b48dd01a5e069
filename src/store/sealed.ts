import { storePath } from '../codec/paths.ts';
import type { Oid } from '../git/ids.ts';
import { isAncestor } from '../git/path-history.ts';
import type { History } from './commits.ts';
import { epochsOf, keepsFiles, type Seal } from './epochs.ts';

/** The seals by which the line of `tip` goes on from what was seen, newest first; null where it does not: each root keeps the files of the
 *  commit that it names, one of these contains `seen`, and it is the same store. Anything else is another line, whoever
 *  made it.
 *  @param bring fetches an epoch that is not here; false where it cannot be had. */
export async function followedSeals(
  history: History,
  { seen, tip }: { seen: Oid; tip: Oid },
  bring: (epoch: number) => Promise<boolean>,
): Promise<Seal[] | null> {
  if ((await storeOf(history, seen)) !== (await storeOf(history, tip))) return null;
  const seals: Seal[] = [];
  for (let next = tip; ; ) {
    const { value: epoch } = await epochsOf(history, next).next();
    if (!epoch) return null;
    const { root, seal, here } = epoch;
    if (!here && !(await bring(seal.epoch))) return null;
    if (!(await keepsFiles(history, root, seal))) return null;
    seals.push(seal);
    if (await isAncestor(history.repository, seen, seal.tip)) return seals;
    next = seal.tip;
  }
}

/** The id of the store whose state stands at a commit. */
async function storeOf({ reader }: History, commit: Oid): Promise<unknown> {
  const object = await reader.read(`${commit}:${storePath}`);
  if (object?.type !== 'blob') return null;
  try {
    return (JSON.parse(object.body.toString('utf8')) as { store?: unknown }).store;
  } catch {
    return null;
  }
}
