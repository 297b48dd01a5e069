import { isGitStateError } from '../../errors.ts';
import type { NewObject } from '../../git/objects.ts';
import { readmeObject } from '../api/readme.ts';
import type { Engine } from '../engine.ts';
import { emptySnapshot } from '../snapshot.ts';
import { commitsOf, lineOf } from '../verify/line.ts';
import { Replay, snapshotAt } from '../verify/replay.ts';

/** Makes files and folders of the state again that are missing or damaged: the operations that made them still stand in
 *  the commits, and lead to the very same objects. Nothing is lost by that.
 *  @returns the ids of what was made again. */
export async function healObjects(engine: Engine, tip: string): Promise<string[]> {
  const { reader, repository, schema } = engine;
  const history = { reader, repository };
  const healed: string[] = [];
  const readme = readmeObject(repository.objectFormat);
  await heal(engine, [readme], healed, { unless: await isUnused(engine, tip, readme.oid) });
  const { oids, start } = await lineOf(history, tip, null);
  if (start.kind === 'broken' || oids.length === 0) return healed;
  const begin = start.kind === 'root' ? emptySnapshot : await snapshotAt(history, oids[0]!, schema);
  const replay = new Replay(history, schema, begin);
  try {
    for await (const commit of commitsOf(history, start.kind === 'root' ? oids : oids.slice(1))) {
      const { objects } = await replay.step(commit);
      await heal(engine, objects, healed);
    }
  } catch (error) {
    // A commit that cannot be read tells nothing, nor does what comes after it.
    if (!isGitStateError(error, 'CORRUPT_STATE', 'COMMIT_NOT_FOUND')) throw error;
  }
  return healed;
}

async function heal(
  engine: Engine,
  objects: readonly NewObject[],
  healed: string[],
  { unless = false } = {},
): Promise<void> {
  if (unless) return;
  const whole = await Promise.all(objects.map(({ oid }) => isWhole(engine, oid)));
  const torn = objects.filter(({ type }, index) => !whole[index] && type !== 'commit');
  if (torn.length === 0) return;
  await engine.write(torn);
  healed.push(...torn.map(({ oid }) => oid));
}

async function isWhole({ reader }: Engine, oid: string): Promise<boolean> {
  try {
    return (await reader.read(oid)) !== null;
  } catch (error) {
    if (!isGitStateError(error, 'CORRUPT_STATE')) throw error;
    return false;
  }
}

/** Whether the README of the branch is another one, so that ours is not missed. */
async function isUnused({ repository }: Engine, tip: string, oid: string): Promise<boolean> {
  const args = ['ls-tree', tip, 'README.md'];
  const { stdout } = await repository.git.run(args, { okStatuses: [0, 128] });
  return !stdout.toString().includes(oid);
}
