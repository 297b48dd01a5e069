import { GitStateError } from '../errors.ts';
import type { Checkpoint } from './entities.ts';
import { Table } from './table.ts';

/** A checkpoint as it comes back: a file that is put in place again names the commit that had written it.
 *  @param written commits by `<session>/<name>`. @throws COMMIT_NOT_FOUND where none is known. */
export function returnedCheckpoint(
  session: string,
  checkpoint: Checkpoint,
  written: Readonly<Record<string, string>>,
): Checkpoint {
  return returned(session, checkpoint, new Map(Object.entries(written)));
}

/** All checkpoints of a session that comes back. */
export function returnedCheckpoints(
  session: string,
  checkpoints: Table<Checkpoint>,
  written: Readonly<Record<string, string>>,
): Table<Checkpoint> {
  const known = new Map(Object.entries(written));
  const entries = [...checkpoints.entries()].map(([key, checkpoint]): [string, Checkpoint] => [
    key,
    returned(session, checkpoint, known),
  ]);
  return Table.of(entries);
}

function returned(session: string, checkpoint: Checkpoint, known: ReadonlyMap<string, string>): Checkpoint {
  if (checkpoint.commit !== null) return checkpoint;
  const commit = known.get(`${session}/${checkpoint.name}`);
  if (commit !== undefined) return { ...checkpoint, commit: commit as Checkpoint['commit'] };
  throw new GitStateError(
    'COMMIT_NOT_FOUND',
    `no commit is known that wrote checkpoint '${checkpoint.name}'`,
  );
}
