import { createHash } from 'node:crypto';
import { closeSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from './crc32.ts';
import { deflate } from './deflate.ts';
import { baseDistance, deltaBetween } from './delta.ts';
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
import type { NewObject, ObjectFormat, ObjectType, Oid } from './objects.ts';
import { stored } from './zlib-stored.ts';

const typeNumbers: Record<ObjectType, number> = { commit: 1, tree: 2, blob: 3, tag: 4 };

interface PackedObject {
  oid: Oid;
  offset: number;
  crc: number;
}

/** Offsets in the index have 31 bits. */
const packBytesMax = 2 ** 31 - 1;

/** An entry that is given as what is other than in an entry before it. */
const deltaNumber = 6;
/** Trees from here on are given so. */
const deltaFrom = 512;
/** How many of those a reader has to undo at most. */
const chainMax = 16;

/** Type and size of an object in a pack: three bits of type, then the size, seven bits a byte, the lowest first. */
function entryHeader(type: number, size: number): Buffer {
  const bytes: number[] = [];
  let first = (type << 4) | (size & 15);
  let rest = Math.floor(size / 16);
  while (rest > 0) {
    bytes.push(first | 128);
    first = rest & 127;
    rest = Math.floor(rest / 128);
  }
  return Buffer.from([...bytes, first]);
}

function uint32(...values: number[]): Buffer {
  const buffer = Buffer.alloc(values.length * 4);
  for (const [index, value] of values.entries()) buffer.writeUInt32BE(value, index * 4);
  return buffer;
}

function checksum(format: ObjectFormat, parts: readonly Uint8Array[]): Buffer {
  const hash = createHash(format);
  for (const part of parts) hash.update(part);
  return hash.digest();
}

/** A tree that stands in the pack already. */
interface Base {
  body: Buffer;
  offset: number;
  chain: number;
}

/** Gives each object its entry. Commits made together change one row of the same tree each, which has the same length
 *  in all of them: of those only the row is written. */
class Entries {
  /** The last tree of each length. */
  readonly #bases = new Map<number, Base>();

  /** @param offset where the entry will stand. */
  of(object: NewObject, offset: number): Buffer {
    const { type, body } = object;
    if (type !== 'tree') return wholeEntry(object);
    const delta = body.byteLength < deltaFrom ? null : this.#delta(asBuffer(body), offset);
    return delta ?? Buffer.concat([entryHeader(typeNumbers.tree, body.byteLength), stored(body)]);
  }

  #delta(body: Buffer, offset: number): Buffer | null {
    const base = this.#bases.get(body.byteLength);
    const delta = base && base.chain < chainMax ? deltaBetween(base.body, body) : null;
    this.#bases.set(body.byteLength, { body, offset, chain: delta ? base!.chain + 1 : 0 });
    if (!delta) return null;
    const distance = Buffer.from(baseDistance(offset - base!.offset));
    return Buffer.concat([entryHeader(deltaNumber, delta.byteLength), distance, stored(delta)]);
  }
}

/** An object that is joined with others is written twice or thrice. */
const wholeEntries = new WeakMap<NewObject, Buffer>();

function wholeEntry(object: NewObject): Buffer {
  let entry = wholeEntries.get(object);
  if (entry === undefined) {
    const { type, body } = object;
    entry = Buffer.concat([entryHeader(typeNumbers[type], body.byteLength), deflate(body)]);
    wholeEntries.set(object, entry);
  }
  return entry;
}

function asBuffer({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

/** A pack of version 2, and what its index needs. Source: gitformat-pack(5). */
function encodePack(format: ObjectFormat, objects: readonly NewObject[]) {
  const parts: Uint8Array[] = [Buffer.from('PACK'), uint32(2, objects.length)];
  const packed: PackedObject[] = [];
  let offset = 12;
  const entries = new Entries();
  for (const object of objects) {
    const entry = entries.of(object, offset);
    packed.push({ oid: object.oid, offset, crc: crc32(entry) });
    parts.push(entry);
    offset += entry.length;
  }
  if (offset > packBytesMax) throw new TypeError('too much for one pack');
  const trailer = checksum(format, parts);
  return { bytes: Buffer.concat([...parts, trailer]), packed, trailer };
}

/** An index of version 2: counts by first byte, names, checksums and offsets, all in the order of the names. */
function encodeIndex(format: ObjectFormat, packed: readonly PackedObject[], packTrailer: Buffer): Buffer {
  const sorted = [...packed].sort((a, b) => (a.oid < b.oid ? -1 : 1));
  const counts = new Array<number>(256).fill(0);
  for (const { oid } of sorted) counts[Number.parseInt(oid.slice(0, 2), 16)]! += 1;
  for (let byte = 1; byte < 256; byte += 1) counts[byte]! += counts[byte - 1]!;
  const parts = [
    Buffer.from([0xff, 0x74, 0x4f, 0x63]),
    uint32(2, ...counts),
    Buffer.from(sorted.map(({ oid }) => oid).join(''), 'hex'),
    uint32(...sorted.map(({ crc }) => crc)),
    uint32(...sorted.map(({ offset }) => offset)),
    packTrailer,
  ];
  return Buffer.concat([...parts, checksum(format, parts)]);
}

export interface PackOptions {
  objectsDir: string;
  objectFormat: ObjectFormat;
  fsync: boolean;
}

/** Stores `objects` as one pack: cheaper than loose objects from about eight on, and two flushes for all.
 *  @param keep whether a `.keep` file stands beside it, which keeps Git from repacking it or dropping its objects.
 *  @returns the pack's name, `pack-<checksum>`. @throws DISK_FULL, READ_ONLY, GIT_FAILED. */
export async function writePack(
  { objectsDir, objectFormat, fsync }: PackOptions,
  objects: readonly NewObject[],
  { keep = false }: { keep?: boolean } = {},
): Promise<string> {
  if (objects.length === 0) throw new TypeError('a pack needs at least one object');
  const unique = [...new Map(objects.map((object) => [object.oid, object])).values()];
  const { bytes, packed, trailer } = encodePack(objectFormat, unique);
  const name = `pack-${trailer.toString('hex')}`;
  const directory = join(objectsDir, 'pack');
  const temporaries = {
    pack: temporaryPath(directory, 'tmp_pack'),
    idx: temporaryPath(directory, 'tmp_idx'),
  };
  try {
    const shared = sharedModeOf(objectsDir);
    makeDirectory(directory, shared);
    await Promise.all([
      writeNew(temporaries.pack, bytes, { shared, fsync }),
      writeNew(temporaries.idx, encodeIndex(objectFormat, packed, trailer), { shared, fsync }),
    ]);
    if (keep) await writeKeep(join(directory, `${name}.keep`), { shared, fsync });
    // Git looks for indexes, so a pack counts from the moment its index stands there.
    renameSync(temporaries.pack, join(directory, `${name}.pack`));
    renameSync(temporaries.idx, join(directory, `${name}.idx`));
    if (fsync) await Promise.all([flushPath(directory), flushPath(objectsDir)]);
    return name;
  } catch (error) {
    for (const path of Object.values(temporaries)) rmSync(path, { force: true });
    throw await storageFailure(error, objectsDir);
  }
}

/** What stands in our own `.keep` files. */
export const keepText = 'written beside a running gc\n';

interface FileOptions {
  shared: SharedMode;
  fsync: boolean;
}

async function writeNew(path: string, bytes: Uint8Array, { shared, fsync }: FileOptions): Promise<void> {
  const fd = openNew(path, shared);
  try {
    writeAll(fd, bytes);
    if (fsync) await flushFile(fd);
  } finally {
    closeSync(fd);
  }
}

async function writeKeep(path: string, options: FileOptions): Promise<void> {
  try {
    await writeNew(path, Buffer.from(keepText), options);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}
