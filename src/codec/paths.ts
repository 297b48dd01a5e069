import { createHash } from 'node:crypto';
import { idFault, keyOf } from '../core/ids.ts';
import { Instant } from '../core/time.ts';

/** Where each entity stands in the tree. */

/** Two hex digits that spread a session's entities over 256 folders, so that trees stay small. */
export function shardOf(id: string): string {
  return createHash('sha256').update(keyOf(id)).digest('hex').slice(0, 2);
}

const fileNameBytesMax = 200;

/** File name for an entity's id; a long one keeps its first 150 characters and gets a digest. */
export function fileNameOf(id: string): string {
  if (Buffer.byteLength(id) <= fileNameBytesMax) return id;
  return `${id.slice(0, 150)}~${createHash('sha256').update(id).digest('hex').slice(0, 16)}`;
}

export const readmePath = 'README.md';
export const storePath = 'gitstate.json';

export function presetPath(name: string): string {
  return `presets/${name}.json`;
}

export function sessionPath(session: string): string {
  return `sessions/${session}/session.json`;
}

export function featurePath(session: string, feature: string): string {
  return `sessions/${session}/features/${shardOf(feature)}/${feature}.json`;
}

export function workerPath(session: string, worker: string): string {
  return `sessions/${session}/workers/${worker}.json`;
}

export function checkpointPath(session: string, name: string): string {
  return `sessions/${session}/checkpoints/${shardOf(name)}/${fileNameOf(name)}.json`;
}

/** @param sheet `<feature>` or `<feature>~<part>`. */
export function costPath(session: string, day: string, sheet: string): string {
  const feature = sheet.split('~')[0]!;
  return `sessions/${session}/costs/${day}/${shardOf(feature)}/${sheet}.json`;
}

export function artifactPath(session: string, path: string): string {
  return `sessions/${session}/artifacts/${path}`;
}

export function payloadPath(operationId: string, part: number): string {
  return `payload/${operationId}/${part}.json`;
}

export type PlacedEntity =
  | { kind: 'readme' | 'store' }
  | { kind: 'payload' }
  | { kind: 'preset'; id: string }
  | { kind: 'session'; session: string }
  | { kind: 'feature' | 'worker' | 'checkpoint'; session: string; id: string }
  | { kind: 'cost'; session: string; day: string; id: string }
  | { kind: 'artifact'; session: string; path: string };

/** Reads a path of the tree; null where no entity can stand. */
export function placeOf(path: string): PlacedEntity | null {
  const [top, ...parts] = path.split('/');
  if (path === readmePath) return { kind: 'readme' };
  if (path === storePath) return { kind: 'store' };
  if (top === 'payload') return parts.length === 2 ? { kind: 'payload' } : null;
  if (top === 'presets') return parts.length === 1 ? named(parts[0], (id) => ({ kind: 'preset', id })) : null;
  const [session, folder, ...rest] = parts;
  if (top !== 'sessions' || session === undefined || idFault(session) !== null) return null;
  return placeInSession(session, folder, rest);
}

function placeInSession(session: string, folder: string | undefined, rest: string[]): PlacedEntity | null {
  const file = rest.at(-1);
  switch (`${folder} ${rest.length}`) {
    case 'session.json 0':
      return { kind: 'session', session };
    case 'workers 1':
      return named(file, (id) => ({ kind: 'worker', session, id }));
    case 'features 2':
      return named(file, (id) => ({ kind: 'feature', session, id }));
    case 'checkpoints 2':
      return named(file, (id) => ({ kind: 'checkpoint', session, id }));
    case 'costs 3':
      return costPlace(session, rest[0]!, file);
    default:
      return folder === 'artifacts' && isArtifactPath(rest)
        ? { kind: 'artifact', session, path: rest.join('/') }
        : null;
  }
}

function costPlace(session: string, day: string, file: string | undefined): PlacedEntity | null {
  const place = named(file, (id) => ({ kind: 'cost', session, day, id }));
  if (place?.kind !== 'cost' || !Instant.safeParse(`${day}T00:00:00Z`).success) return null;
  return idFault(place.id.replace(/~[1-9]\d{0,5}$/, '')) === null ? place : null;
}

/** `<feature>/<step>/<file>`, where the file may stand in folders. */
function isArtifactPath([feature = '', step = '', ...file]: string[]): boolean {
  if (idFault(feature) !== null || idFault(step) !== null || file.length === 0) return false;
  return file.join('/').length <= 255 && file.every((part) => /^[A-Za-z0-9][A-Za-z0-9 ._-]*$/.test(part));
}

function named(file: string | undefined, place: (id: string) => PlacedEntity): PlacedEntity | null {
  return file?.endsWith('.json') ? place(file.slice(0, -'.json'.length)) : null;
}
