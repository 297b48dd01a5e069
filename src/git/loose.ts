import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { inflateSync } from 'node:zlib';
import { isFullRefName, isOid, type Oid } from './ids.ts';
import { objectTypes, type StoredObject } from './objects.ts';
import { refPath } from './refs.ts';
import type { Repository } from './repository.ts';

/** From so many on, a Git process is quicker. */
const looksMax = 24;

/** Looks for objects and refs in files of their own. A command that needs two or three need not start Git for them. What
 *  cannot be told for sure from such a file is left to Git. */
export class LooseFiles {
  readonly #repository: Repository;
  readonly #sizeMax: number;
  #looks = 0;

  /** @param sizeMax of an object, in bytes; what is larger is left to Git. */
  constructor(repository: Repository, { sizeMax }: { sizeMax: number }) {
    this.#repository = repository;
    this.#sizeMax = sizeMax;
  }

  /** @param name of an object, or a full name of a ref.
   *  @returns null where there is no such ref; undefined where only Git can tell. */
  read(name: string): StoredObject | null | undefined {
    this.#looks += 1;
    if (this.#looks > looksMax) return undefined;
    if (isOid(name)) return this.#object(name);
    if (this.#repository.refFormat !== 'files' || !isFullRefName(name)) return undefined;
    const text = textOf(refPath(this.#repository, name));
    if (text === undefined) return undefined;
    if (text !== null) return isOid(text.trimEnd()) ? this.#object(text.trimEnd()) : undefined;
    // One that is packed meanwhile stands there before its file goes.
    const packed = textOf(join(this.#repository.commonDir, 'packed-refs'));
    if (packed === undefined || packed?.includes(` ${name}\n`)) return undefined;
    return null;
  }

  #object(oid: Oid): StoredObject | undefined {
    const { objectsDir, objectFormat } = this.#repository;
    try {
      const deflated = readFileSync(join(objectsDir, oid.slice(0, 2), oid.slice(2)));
      const bytes = inflateSync(deflated, { maxOutputLength: this.#sizeMax });
      if (createHash(objectFormat).update(bytes).digest('hex') !== oid) return undefined;
      const end = bytes.indexOf(0);
      const [kind] = bytes.toString('latin1', 0, end).split(' ');
      const type = objectTypes.find((known) => known === kind);
      return type && { oid, type, body: bytes.subarray(end + 1) };
    } catch {
      return undefined;
    }
  }
}

/** The text of a file; null where there is none, undefined where it cannot be read. */
function textOf(path: string): string | null | undefined {
  try {
    return readFileSync(path, 'latin1');
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    return ['EISDIR', 'ENOENT', 'ENOTDIR'].includes(code) ? null : undefined;
  }
}
