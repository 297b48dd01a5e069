import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { GitStateError } from '../errors.ts';
import { productionDirectory } from '../formats/directory.ts';
import type { Store } from '../store/open.ts';
import { writeStream } from './stream-file.ts';
import { writeText } from './text-file.ts';

interface DirectoryRequest {
  directory: string;
  session?: string;
  /** One episode alone. */
  feature?: string;
  /** Checkpoint, commit, date or age. */
  at?: string;
}

/** Writes the session directories of production, each file in one step; other files that are there stay.
 *  @returns the paths below `directory`.
 *  @throws SESSION_NOT_FOUND, FEATURE_NOT_FOUND, AMBIGUOUS_SESSION, NOT_INITIALIZED, INVALID_INPUT, DISK_FULL */
export async function writeSessionDirectory(store: Store, request: DirectoryRequest): Promise<string[]> {
  const { directory, feature, ...where } = request;
  const { id: session } = await store.sessionShow(where);
  const episode = feature === undefined ? undefined : (await store.show({ ...where, session, feature })).id;
  const point = { ...(where.at === undefined ? {} : { at: where.at }) };
  const { state } = (await store.state(point))!;
  const { checkpoints } = await store.checkpointList({ ...point, session });
  const resumable = new Set(checkpoints.filter(({ can_resume }) => can_resume).map(({ name }) => name));
  const files = productionDirectory({
    state,
    session,
    ...(episode === undefined ? {} : { feature: episode }),
    headsFound: ({ name }) => resumable.has(name),
  });
  for (const file of files) {
    const path = join(directory, file.path);
    await makeFolder(dirname(path));
    if ('text' in file) await writeText(path, file.text);
    else await writeStream(path, store.blob(file.oid));
  }
  return files.map(({ path }) => path);
}

async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true });
  } catch (error) {
    throw new GitStateError(
      'INVALID_INPUT',
      `cannot make '${path}': ${(error as NodeJS.ErrnoException).code}`,
      { hint: 'give --dir a folder that can be written to', cause: error },
    );
  }
}
