import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkpointPath } from '../codec/paths.ts';
import { replaceFile } from '../git/files.ts';
import { pathHistory } from '../git/path-history.ts';
import { type History, readCommit } from './commits.ts';
import { isInHistory, type Seal, sealOf } from './epochs.ts';

/** Which commit last wrote each checkpoint's file: one walk of the history, limited to the folder of the checkpoints,
 *  and kept in the cache so that the next one begins where this one ended. */

/** Commits by path of the file. */
export type Writers = ReadonlyMap<string, string>;

interface Place extends History {
  /** Folder of the cache. */
  directory: string;
  branchRef: string;
}

interface Kept {
  tip: string;
  writers: [path: string, commit: string][];
}

/** Files as of `tip` below `sessions/<session>/checkpoints`, each with the commit that last wrote it. */
export async function writersOf(place: Place, tip: string, session: string): Promise<Writers> {
  const { repository } = place;
  const folder = `sessions/${session}/checkpoints`;
  const file = cacheFile(place, folder);
  const kept = read(place.directory, file);
  if (kept?.tip === tip) return new Map(kept.writers);
  const known = kept && (await isInHistory(place, kept.tip, tip)) ? kept : null;
  const walked = await pathHistory(repository, { tip, since: known?.tip, paths: [folder] });
  const writers = new Map(known?.writers);
  for (const { commit, files } of walked.reverse()) {
    for (const { path, after } of files) {
      if (after === null) writers.delete(path);
      else writers.set(path, commit);
    }
  }
  // The root of an epoch took over what others had written, and says who.
  const oldest = walked[0] && (await readCommit(place.reader, walked[0].commit));
  for (const [path, writer] of writtenBefore(await sealOf(place, oldest ?? null), session))
    if (writers.get(path) === oldest!.oid) writers.set(path, writer);
  // A look at an older point must not throw away what is known of a newer one; nor is a cut history to be believed.
  if ((known || !kept) && !repository.shallow())
    await write(place.directory, file, { tip, writers: [...writers] });
  return writers;
}

/** Who had written the checkpoints of a session that an epoch began with, by path of the file. */
export function writtenBefore(seal: Seal | null, session: string): Map<string, string> {
  const own = Object.entries(seal?.written ?? {}).filter(([key]) => key.startsWith(`${session}/`));
  return new Map(own.map(([key, oid]) => [checkpointPath(session, key.slice(session.length + 1)), oid]));
}

function cacheFile({ directory, branchRef }: Place, folder: string): string {
  const key = createHash('sha256').update(`${branchRef}\n${folder}`).digest('hex').slice(0, 16);
  return join(directory, `checkpoints-${key}`);
}

/** Never throws: a damaged cache is no cache. */
function read(directory: string, file: string): Kept | null {
  try {
    if (!lstatSync(file).isFile() || !lstatSync(directory).isDirectory()) return null;
    const text = readFileSync(file, 'utf8');
    const end = text.indexOf('\n');
    const body = text.slice(end + 1);
    return text.slice(0, end) === headerOf(body) ? (JSON.parse(body) as Kept) : null;
  } catch {
    return null;
  }
}

async function write(directory: string, file: string, kept: Kept): Promise<void> {
  try {
    mkdirSync(directory, { recursive: true });
    if (!lstatSync(directory).isDirectory()) return;
    const body = JSON.stringify(kept);
    await replaceFile(file, `${headerOf(body)}\n${body}`, { fsync: false, mode: 0o600 });
  } catch {
    // The next process walks again.
  }
}

function headerOf(body: string): string {
  return `gitstate-checkpoints 1 ${createHash('sha1').update(body).digest('hex')}`;
}
