import { createHash } from 'node:crypto';
import { closeSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createDeflate } from 'node:zlib';
import { deflate } from './deflate.ts';
import { storageFailure } from './failure.ts';
import {
  flushFile,
  flushPath,
  makeDirectory,
  openNew,
  type SharedMode,
  sharedModeOf,
  temporaryPath,
  writeAll,
} from './files.ts';
import { type NewObject, type ObjectFormat, type ObjectType, type Oid, objectHeader } from './objects.ts';
import { stored } from './zlib-stored.ts';

export type { NewObject } from './objects.ts';

interface WriterOptions {
  objectsDir: string;
  objectFormat: ObjectFormat;
  /** Whether files and directories are flushed to the disk before a write is done. */
  fsync: boolean;
}

/** A temporary file that is to become the object `oid`. */
interface Pending {
  fd: number;
  temporary: string;
  oid: Oid;
}

/** Files that are open at the same time. */
const openFilesMax = 64;

/** Writes loose objects: complete in a temporary file, flushed if durable, then renamed into place. An object that exists
 *  is written again, which mends a torn one and keeps an old one from being collected. */
export class ObjectWriter {
  readonly #options: WriterOptions;

  constructor(options: WriterOptions) {
    this.#options = options;
  }

  /** Stores `objects`; all are in place when it is done. @throws DISK_FULL, READ_ONLY, GIT_FAILED. */
  async write(objects: readonly NewObject[]): Promise<void> {
    const { objectsDir, fsync } = this.#options;
    try {
      const shared = sharedModeOf(objectsDir);
      for (let at = 0; at < objects.length; at += openFilesMax) {
        const group = objects.slice(at, at + openFilesMax);
        await againIfSwept(() =>
          fsync ? this.#writeDurably(group, shared) : this.#writeQuickly(group, shared),
        );
      }
    } catch (error) {
      throw await storageFailure(error, objectsDir);
    }
  }

  /** Stores an object of any size as its content comes in.
   *  @param size bytes that `content` will give, which the object's name depends on.
   *  @returns its name. @throws DISK_FULL, READ_ONLY, GIT_FAILED; TypeError if `size` is wrong. */
  async writeStream(type: ObjectType, size: number, content: Readable): Promise<Oid> {
    const { objectsDir, objectFormat, fsync } = this.#options;
    let fd: number | undefined;
    const temporary = temporaryPath(objectsDir, 'tmp_obj');
    try {
      const shared = sharedModeOf(objectsDir);
      fd = openNew(temporary, shared);
      const oid = await deflateInto(fd, { format: objectFormat, type, size, content });
      if (fsync) await flushFile(fd);
      this.#place({ fd, temporary, oid }, shared);
      fd = undefined;
      if (fsync) await this.#flushDirectories([oid]);
      return oid;
    } catch (error) {
      if (fd !== undefined) closeSync(fd);
      rmSync(temporary, { force: true });
      if (error instanceof TypeError) throw error;
      throw await storageFailure(error, objectsDir);
    }
  }

  async #writeQuickly(objects: readonly NewObject[], shared: SharedMode): Promise<void> {
    for (const object of objects) this.#place(this.#writeTemporary(object, shared), shared);
  }

  /** All files are flushed side by side, which costs little more than one: the disk is waited for once. */
  async #writeDurably(objects: readonly NewObject[], shared: SharedMode): Promise<void> {
    const pending: Pending[] = [];
    try {
      for (const object of objects) pending.push(this.#writeTemporary(object, shared));
      const flushes = await Promise.allSettled(pending.map(({ fd }) => flushFile(fd)));
      for (const flush of flushes) if (flush.status === 'rejected') throw flush.reason;
      while (pending.length > 0) this.#place(pending.shift()!, shared);
    } finally {
      for (const { fd, temporary } of pending) {
        closeSync(fd);
        rmSync(temporary, { force: true });
      }
    }
    await this.#flushDirectories(objects.map(({ oid }) => oid));
  }

  /** Directly in `objects/`: the directory that it goes to may have to be made, or may just be pruned. */
  #writeTemporary({ oid, type, body }: NewObject, shared: SharedMode): Pending {
    const temporary = temporaryPath(this.#options.objectsDir, 'tmp_obj');
    const fd = openNew(temporary, shared);
    try {
      writeAll(fd, compressed(type, Buffer.concat([Buffer.from(objectHeader(type, body.byteLength)), body])));
      return { fd, temporary, oid };
    } catch (error) {
      closeSync(fd);
      rmSync(temporary, { force: true });
      throw error;
    }
  }

  /** Renames a finished file into place. */
  #place({ fd, temporary, oid }: Pending, shared: SharedMode): void {
    const directory = this.#directoryOf(oid);
    closeSync(fd);
    for (let attempt = 1; ; attempt += 1) {
      try {
        renameSync(temporary, join(directory, oid.slice(2)));
        return;
      } catch (error) {
        // The directory is not made yet, or Git's own prune has just removed it because it was empty.
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || attempt === 5) {
          rmSync(temporary, { force: true });
          throw error;
        }
        makeDirectory(directory, shared);
      }
    }
  }

  /** The parent always as well: the writer that made a directory may have died before it flushed it. */
  async #flushDirectories(oids: readonly Oid[]): Promise<void> {
    const { objectsDir } = this.#options;
    const paths = new Set([objectsDir, ...oids.map((oid) => this.#directoryOf(oid))]);
    await Promise.all([...paths].map(flushPath));
  }

  #directoryOf(oid: Oid): string {
    return join(this.#options.objectsDir, oid.slice(0, 2));
  }
}

/** Trees are mostly digests, which do not shrink. */
function compressed(type: ObjectType, bytes: Uint8Array): Buffer {
  return type === 'tree' ? stored(bytes) : deflate(bytes);
}

/** Repeats a write whose temporary file or directory was swept away by `git prune`. */
async function againIfSwept(write: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await write();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || attempt === 3) throw error;
    }
  }
}

interface Content {
  format: ObjectFormat;
  type: ObjectType;
  size: number;
  content: Readable;
}

/** Writes an object to `fd` while hashing it. @returns its name. */
async function deflateInto(fd: number, { format, type, size, content }: Content): Promise<Oid> {
  const header = objectHeader(type, size);
  const hash = createHash(format);
  async function* source() {
    hash.update(header);
    yield Buffer.from(header);
    let seen = 0;
    for await (const piece of content) {
      const chunk = typeof piece === 'string' ? Buffer.from(piece) : (piece as Uint8Array);
      seen += chunk.byteLength;
      if (seen > size) break;
      hash.update(chunk);
      yield chunk;
    }
    if (seen !== size) throw new TypeError(`the content does not have the ${size} bytes that were announced`);
  }
  await pipeline(source, createDeflate({ level: 1 }), async (deflated) => {
    for await (const chunk of deflated) writeAll(fd, chunk as Buffer);
  });
  return hash.digest('hex');
}
