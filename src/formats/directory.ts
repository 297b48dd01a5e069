import type { Checkpoint, Feature } from '../core/entities.ts';
import { compareNatural, keyOf } from '../core/ids.ts';
import type { JsonObject } from '../core/json.ts';
import { type Contents, contentsOf, featuresInOrder, requireSession, type State } from '../core/state.ts';
import { GitStateError } from '../errors.ts';
import { checkpointContents, newestCheckpoint } from './production-checkpoint.ts';
import { productionEpisode } from './production-episode.ts';

export { checkpointContents, newestCheckpoint } from './production-checkpoint.ts';

/** The session directories of production: for each episode its `session.json`, and for each phase the files that it
 *  produced and its `checkpoint.json`. */

/** A file of the directory: text, or a blob that exists already. Paths are relative and use `/`. */
export type DirectoryFile = { path: string; text: string } | { path: string; oid: string };

export interface DirectoryRequest {
  state: State;
  session: string;
  /** One episode alone. */
  feature?: string;
  /** Says whether the code heads of a checkpoint can still be found; they can unless told otherwise. */
  headsFound?: (checkpoint: Checkpoint) => boolean;
}

/** @throws SESSION_NOT_FOUND, INVALID_INPUT where two files would stand at one path. */
export function productionDirectory(request: DirectoryRequest): DirectoryFile[] {
  requireSession(request.state, request.session);
  const contents = contentsOf(request.state, request.session);
  const episodes = featuresInOrder(contents).filter(
    ({ id }) => request.feature === undefined || id === request.feature,
  );
  const artifacts = artifactsByFeature(contents);
  const files = episodes.flatMap((feature) => [
    { path: `${feature.id}/session.json`, text: jsonText(productionEpisode(contents, feature)) },
    ...phaseFiles(contents, feature, artifacts.get(keyOf(feature.id)) ?? [], request),
  ]);
  requireDistinctPaths(files);
  return files;
}

function artifactsByFeature({ artifacts }: Contents): Map<string, { path: string; oid: string }[]> {
  const groups = new Map<string, { path: string; oid: string }[]>();
  for (const { path, oid } of artifacts.values()) {
    const feature = keyOf(path.slice(0, path.indexOf('/')));
    const group = groups.get(feature) ?? [];
    group.push({ path, oid });
    groups.set(feature, group);
  }
  return groups;
}

function phaseFiles(
  contents: Contents,
  feature: Feature,
  artifacts: { path: string; oid: string }[],
  { headsFound = () => true }: DirectoryRequest,
): DirectoryFile[] {
  const files = new Map<string, DirectoryFile>(
    artifacts
      .sort((a, b) => compareNatural(a.path, b.path))
      .map((artifact) => [keyOf(artifact.path), artifact]),
  );
  for (const { name } of feature.steps) {
    const path = `${feature.id}/${name}/checkpoint.json`;
    const checkpoint = newestCheckpoint(contents, feature.id, name);
    // A file that somebody kept under this name is better than a checkpoint that holds no data.
    if (!checkpoint || (checkpoint.data === null && files.has(keyOf(path)))) continue;
    const text = jsonText(checkpointContents(feature, checkpoint, headsFound(checkpoint)));
    files.set(keyOf(path), { path, text });
  }
  return [...files.values()];
}

function jsonText(value: JsonObject): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

/** A phase may be named like a file beside it, and names that differ by case alone are one on many disks. */
function requireDistinctPaths(files: readonly DirectoryFile[]): void {
  const paths = new Set(files.map(({ path }) => keyOf(path)));
  const clash = files.find(({ path }) => {
    const parts = keyOf(path).split('/');
    return parts.some((_, count) => count > 0 && paths.has(parts.slice(0, count).join('/')));
  });
  if (paths.size === files.length && !clash) return;
  throw new GitStateError(
    'INVALID_INPUT',
    `two files would stand at one path${clash ? `: '${clash.path}'` : ''}`,
    {
      hint: 'export the document alone: git state export --format production --output FILE',
      details: { path: clash?.path ?? null },
    },
  );
}
