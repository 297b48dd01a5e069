import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FileChange } from '../../src/codec/tree.ts';
import type { NewObject } from '../../src/git/objects.ts';
import type { ObjectReader } from '../../src/git/reader.ts';
import { encodeTree } from '../../src/git/tree.ts';
import { changeTree, loadTree, type Tree } from '../../src/store/tree.ts';

const name = fc.constantFrom('a', 'a.json', 'a-', 'b', 'é', '😀');
const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'));
const change = fc.oneof(
  { weight: 4, arbitrary: fc.record({ path, text: fc.constantFrom('x', 'y', 'z') }) },
  { weight: 1, arbitrary: fc.record({ path, gone: fc.constant(true as const) }) },
);

/** Every tree in memory must be what the strict encoder makes of its entries. */
function requireStrict(tree: Tree): void {
  const rows = [...tree.entries].map(([name, { oid, folder }]) => {
    return { mode: folder ? '40000' : '100644', name, oid };
  });
  expect(tree.body!.bytes).toEqual(encodeTree(rows));
  for (const { tree: sub, oid } of tree.entries.values()) {
    if (!sub) continue;
    expect(sub.oid).toBe(oid);
    requireStrict(sub);
  }
}

/** Changes that fit a tree: a path is a file or a folder, never both at once. */
function fitting(files: ReadonlySet<string>, changes: readonly FileChange[]): FileChange[] {
  const all = new Set(files);
  return changes.filter(({ path }) => {
    const clashes = [...all].some((other) => other.startsWith(`${path}/`) || path.startsWith(`${other}/`));
    if (!clashes) all.add(path);
    return !clashes;
  });
}

/** Gives the objects that were made, as Git would. */
function readerOf(objects: readonly NewObject[]): ObjectReader {
  const found = new Map(objects.map((object) => [object.oid, object]));
  const none = async () => null;
  return {
    read: async (oid) => {
      const object = found.get(oid);
      return object ? { ...object, body: Buffer.from(object.body) } : null;
    },
    readEach: async () => {},
    info: none,
    resolve: none,
    close: () => {},
  };
}

describe('a tree that changes step by step', () => {
  it('is encoded as it would be from nothing, whether it was made or read', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(change, { minLength: 1, maxLength: 4 })), async (rounds) => {
        const files = new Set<string>();
        const objects: NewObject[] = [];
        let made: Tree | null = null;
        let read: Tree | null = null;
        for (const round of rounds) {
          const changes = fitting(files, round);
          for (const change of changes) 'gone' in change ? files.delete(change.path) : files.add(change.path);
          made = changeTree(made, changes, 'sha1', objects);
          requireStrict(made);
          expect(changeTree(read, changes, 'sha1', objects).oid).toBe(made.oid);
          read = await loadTree(readerOf(objects), made.oid, null, () => true, []);
          requireStrict(read);
        }
      }),
    );
  });
});
