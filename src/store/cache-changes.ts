import type { Snapshot } from './snapshot.ts';
import { differenceOfStates, type StateDifference, withStateDifference } from './state-difference.ts';
import type { Entry, Tree } from './tree.ts';

/** What a snapshot has that an older one has not, small beside both. */

type TreeDifference = [
  oid: string,
  changed: [name: string, oid: string, folder: boolean, tree: TreeDifference | null][],
  gone: string[],
];

export interface Difference {
  commit: string;
  at: number;
  state: StateDifference;
  tree: TreeDifference;
}

/** @returns null where there would be more than `most` rows. */
export function differenceOf(before: Snapshot, after: Snapshot, most: number): Difference | null {
  const state = differenceOfStates(before.state, after.state, most);
  const { commit, at, tree } = after;
  return state && { commit: commit!, at, state, tree: treeDifference(before.tree, tree!) };
}

function treeDifference(before: Tree | null, after: Tree): TreeDifference {
  if (before?.oid === after.oid && before.isFlat) return [after.oid, [], []];
  const old = before?.entries ?? new Map<string, Entry>();
  const changed: TreeDifference[1] = [];
  for (const [name, entry] of after.entries) {
    const was = old.get(name);
    if (was === entry) continue;
    const { oid, folder, tree } = entry;
    const below = tree && treeDifference(was?.tree ?? null, tree);
    // Folders in it may have been loaded meanwhile although nothing is new.
    const same = was?.oid === oid && was.folder === folder && (was.tree === null) === (tree === null);
    if (!same || (below && below[1].length > 0)) changed.push([name, oid, folder, below]);
  }
  const gone = [...old.keys()].filter((name) => !after.entries.has(name));
  return [after.oid, changed, gone];
}

export function withDifference(before: Snapshot, { commit, at, state, tree }: Difference): Snapshot {
  return {
    commit,
    at,
    tree: withTreeDifference(before.tree, tree),
    state: withStateDifference(before.state, state),
  };
}

function withTreeDifference(before: Tree | null, [oid, changed, gone]: TreeDifference): Tree {
  const entries = new Map(before?.entries);
  for (const name of gone) entries.delete(name);
  for (const [name, child, folder, tree] of changed) {
    const below = tree && withTreeDifference(entries.get(name)?.tree ?? null, tree);
    entries.set(name, { oid: child, folder, tree: below });
  }
  return { oid, entries };
}
