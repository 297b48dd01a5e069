import { isOid, type ObjectFormat, oidLength } from './ids.ts';
import type { Oid } from './objects.ts';

/** Where the object name of each entry begins in the body, by name of the entry. */
type Places = ReadonlyMap<string, number>;

/** The body of a tree, which can be had again with other object names at the cost of a copy. */
export class TreeBody {
  readonly bytes: Buffer;
  readonly #format: ObjectFormat;
  #places: Places | null;

  /** @param bytes what `encodeTree` gave or `decodeTree` took; nobody may change them afterwards. */
  constructor(format: ObjectFormat, bytes: Buffer, places: Places | null = null) {
    this.#format = format;
    this.bytes = bytes;
    this.#places = places;
  }

  /** What `encodeTree` gives for the same names and modes where the entries `oids` hold other objects.
   *  @throws TypeError for a name that is not there, or an object name that is none. */
  with(oids: ReadonlyMap<string, Oid>): TreeBody {
    // Copies share it, so that it is found once however often the tree changes.
    this.#places ??= findPlaces(this.bytes, oidLength(this.#format) / 2);
    const bytes = Buffer.from(this.bytes);
    for (const [name, oid] of oids) {
      const place = this.#places.get(name);
      if (place === undefined) throw new TypeError(`no tree entry of the name '${name}'`);
      if (!isOid(oid, this.#format)) throw new TypeError(`no object name: '${oid}'`);
      bytes.write(oid, place, 'hex');
    }
    return new TreeBody(this.#format, bytes, this.#places);
  }
}

function findPlaces(bytes: Buffer, oidBytes: number): Places {
  const places = new Map<string, number>();
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(0x20, at);
    const end = bytes.indexOf(0, space);
    places.set(bytes.toString('utf8', space + 1, end), end + 1);
    at = end + 1 + oidBytes;
  }
  return places;
}
