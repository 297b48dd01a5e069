import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type NewObject, newObject } from '../../src/git/objects.ts';
import { PackPile } from '../../src/git/pack-pile.ts';
import { makeRepository, type TestRepository } from '../support/repo.ts';

const packDirectory = ({ path }: TestRepository) => join(path, '.git/objects/pack');
const packsOf = (repository: TestRepository) =>
  readdirSync(packDirectory(repository)).filter((name) => name.endsWith('.pack'));

function pileIn({ path }: TestRepository, mayJoin = () => true): PackPile {
  return new PackPile(
    { objectsDir: join(path, '.git/objects'), objectFormat: 'sha1', fsync: false },
    mayJoin,
  );
}

/** Objects of which each two groups share one. */
function groups(count: number): NewObject[][] {
  return Array.from({ length: count }, (_, at) =>
    [`of ${at}`, `of ${at}, too`, 'of all'].map((text) => newObject('sha1', 'blob', text)),
  );
}

function expectAll({ git }: TestRepository, all: NewObject[][]): void {
  for (const { oid, body } of all.flat()) {
    expect(git('cat-file', '-p', oid)).toBe(Buffer.from(body).toString());
  }
  expect(git('fsck', '--full', '--strict')).not.toMatch(/error|missing/);
}

test('packs are joined before they are many, and at the end to one', async () => {
  const repository = makeRepository();
  const pile = pileIn(repository);
  const all = groups(100);
  const counts: number[] = [];
  for (const group of all) {
    await pile.add(group);
    counts.push(packsOf(repository).length);
  }
  // Seven of one kind and seven of the next, the one of all before, and what is being joined.
  expect(Math.max(...counts)).toBeLessThan(25);
  await pile.close();
  // 64 became one that is not written again.
  expect(packsOf(repository)).toHaveLength(2);
  expectAll(repository, all);
});

test('nothing is joined while others may be at it', async () => {
  const repository = makeRepository();
  const pile = pileIn(repository, () => false);
  const all = groups(20);
  for (const group of all) await pile.add(group);
  await pile.close();
  expect(packsOf(repository)).toHaveLength(20);
  expectAll(repository, all);
});

test('a pack that is gone, or is to be kept, stays as it is', async () => {
  const repository = makeRepository();
  const pile = pileIn(repository);
  const all = groups(3);
  await pile.add(all[0]!);
  const [first] = packsOf(repository);
  writeFileSync(join(packDirectory(repository), first!.replace('.pack', '.keep')), 'mine\n');
  await pile.add(all[1]!);
  await pile.close();
  expect(packsOf(repository)).toContain(first);
  expect(packsOf(repository)).toHaveLength(2);
  expectAll(repository, all.slice(0, 2));

  // As `git gc` does with what it has joined.
  const other = pileIn(repository);
  await other.add(all[2]!);
  repository.git('repack', '-adq', '--keep-unreachable');
  await other.add(groups(4)[3]!);
  const before = packsOf(repository);
  await other.close();
  expect(packsOf(repository).sort()).toEqual(before.sort());
  rmSync(join(packDirectory(repository), first!.replace('.pack', '.keep')));
  expectAll(repository, all);
});
