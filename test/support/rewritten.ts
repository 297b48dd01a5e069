import { splitDigest } from '../../src/codec/digest.ts';
import { type Commit, decodeCommit, encodeCommit } from '../../src/git/commit.ts';
import { type NewObject, newObject } from '../../src/git/objects.ts';
import type { ObjectReader } from '../../src/git/reader.ts';
import { decodeTree, encodeTree } from '../../src/git/tree.ts';
import { ObjectWriter } from '../../src/git/writer.ts';
import { digested } from '../../src/store/record.ts';
import type { TestRepository } from './repo.ts';

/** Histories written anew as valid Git objects, with something changed in the middle: Git itself has nothing to say
 *  against them. */

export interface RawCommit extends Required<Commit> {
  oid: string;
  body: Buffer;
}

/** The commits of the branch, oldest first. */
export async function commitsIn(reader: ObjectReader, repository: TestRepository): Promise<RawCommit[]> {
  const oids = repository.git('rev-list', '--reverse', '--first-parent', 'gitstate').split('\n');
  return Promise.all(
    oids.map(async (oid) => {
      const { body } = (await reader.read(oid))!;
      return { oid, body, ...decodeCommit(body) };
    }),
  );
}

/** The commit with other things in it and the digest that belongs to them. */
export function forged(commit: Commit, change: Partial<Commit>): NewObject {
  const { message } = splitDigest(change.message ?? commit.message);
  return newObject('sha1', 'commit', encodeCommit(digested({ ...commit, ...change, message })));
}

/** Hangs the commits behind a new one: trees and messages stay, parents and digests are made anew. */
export function rehung(commits: readonly RawCommit[], onto: string): NewObject[] {
  let parent = onto;
  return commits.map((commit) => {
    const object = forged(commit, { parents: [parent] });
    parent = object.oid;
    return object;
  });
}

/** The tree `root` with other bytes at `path`. */
export async function treeWith(
  reader: ObjectReader,
  root: string,
  path: string,
  bytes: Buffer,
): Promise<NewObject[]> {
  const blob = newObject('sha1', 'blob', bytes);
  const put = async (tree: string, parts: readonly string[]): Promise<NewObject[]> => {
    const entries = decodeTree('sha1', (await reader.read(tree))!.body);
    const entry = entries.find(({ name }) => name === parts[0])!;
    const below = parts.length === 1 ? [blob] : await put(entry.oid, parts.slice(1));
    const changed = entries.map((one) => (one === entry ? { ...one, oid: below.at(-1)!.oid } : one));
    return [...below, newObject('sha1', 'tree', encodeTree(changed))];
  };
  return put(root, path.split('/'));
}

/** Reads new objects, and from `reader` what is not among them. */
export function readerWith(reader: ObjectReader, objects: readonly NewObject[]): ObjectReader {
  const own = new Map(objects.map((object) => [object.oid, object]));
  const read: ObjectReader['read'] = async (name) => {
    const object = own.get(name);
    return object ? { ...object, body: Buffer.from(object.body) } : reader.read(name);
  };
  return {
    read,
    readEach: async (oids, take) => {
      for (const [index, oid] of oids.entries()) take(await read(oid), index);
    },
    info: async (name) => {
      const object = own.get(name);
      return object ? { oid: name, type: object.type, size: object.body.byteLength } : reader.info(name);
    },
    resolve: (ref) => reader.resolve(ref),
    close: () => {},
  };
}

/** Stores objects and puts the branch on `tip`, as somebody would who can write to the repository. */
export async function publishByHand(
  repository: TestRepository,
  objects: readonly NewObject[],
  tip: string,
): Promise<void> {
  const objectsDir = `${repository.path}/.git/objects`;
  await new ObjectWriter({ objectsDir, objectFormat: 'sha1', fsync: false }).write(objects);
  repository.git('update-ref', '-m', 'gitstate', 'refs/heads/gitstate', tip);
}
