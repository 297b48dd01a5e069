import { createHash } from 'node:crypto';
import { keyOf } from '../core/ids.ts';

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
  const parts = path.split('/');
  const [top, session, folder, ...rest] = parts;
  if (path === readmePath) return { kind: 'readme' };
  if (path === storePath) return { kind: 'store' };
  if (top === 'payload' && parts.length === 3) return { kind: 'payload' };
  if (top === 'presets' && parts.length === 2) return named(session, (id) => ({ kind: 'preset', id }));
  if (top !== 'sessions' || session === undefined || folder === undefined) return null;
  if (folder === 'session.json' && rest.length === 0) return { kind: 'session', session };
  if (folder === 'workers' && rest.length === 1)
    return named(rest[0], (id) => ({ kind: 'worker', session, id }));
  if (folder === 'features' && rest.length === 2)
    return named(rest[1], (id) => ({ kind: 'feature', session, id }));
  if (folder === 'checkpoints' && rest.length === 2) {
    return named(rest[1], (id) => ({ kind: 'checkpoint', session, id }));
  }
  if (folder === 'costs' && rest.length === 3)
    return named(rest[2], (id) => ({ kind: 'cost', session, day: rest[0]!, id }));
  if (folder === 'artifacts' && rest.length >= 3) return { kind: 'artifact', session, path: rest.join('/') };
  return null;
}

function named(file: string | undefined, place: (id: string) => PlacedEntity): PlacedEntity | null {
  return file?.endsWith('.json') ? place(file.slice(0, -'.json'.length)) : null;
}
