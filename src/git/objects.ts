import { createHash } from 'node:crypto';
import { GitStateError } from '../errors.ts';
import type { ObjectFormat, Oid } from './ids.ts';

export type { ObjectFormat, Oid } from './ids.ts';

export const objectTypes = ['commit', 'tree', 'blob', 'tag'] as const;
export type ObjectType = (typeof objectTypes)[number];

/** An object to be stored: `body` is what follows the header, and `oid` the hash of both. */
export interface NewObject {
  readonly oid: Oid;
  readonly type: ObjectType;
  readonly body: Uint8Array;
}

/** An object as it is stored. */
export interface StoredObject {
  oid: Oid;
  type: ObjectType;
  body: Buffer;
}

/** What stands before the body, in the hash and in a loose object. */
export function objectHeader(type: ObjectType, size: number): string {
  return `${type} ${size}\0`;
}

/** The name of an object. */
export function hashObject(format: ObjectFormat, type: ObjectType, body: Uint8Array): Oid {
  return createHash(format).update(objectHeader(type, body.byteLength)).update(body).digest('hex');
}

/** An object with its name. */
export function newObject(format: ObjectFormat, type: ObjectType, body: Uint8Array | string): NewObject {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  return { oid: hashObject(format, type, bytes), type, body: bytes };
}

/** The error for bytes that are no object of `type`. */
export function malformed(type: ObjectType, what: string): GitStateError {
  return new GitStateError('CORRUPT_STATE', `malformed ${type}: ${what}`);
}
