import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { NewObject } from './objects.ts';
import { type PackOptions, writePack } from './pack.ts';

/** So many packs become one, and so many of these one more. */
const joinAt = 8;
const levels = 2;
/** What is larger is not written again, in bytes before compression. */
const bytesMax = 2 << 20;

interface SmallPack {
  name: string;
  objects: readonly NewObject[];
}

/** The packs that one process writes. A small one takes a third of the time of loose objects and a tenth of their room,
 *  but each is one more for every reader to look into, so they are joined soon: 8 to one, and 8 of these. An object is
 *  in a new pack before the old one goes; a reader that finds a pack gone looks for new ones. */
export class PackPile {
  readonly #options: PackOptions;
  readonly #mayJoin: () => boolean;
  readonly #levels: SmallPack[][] = Array.from({ length: levels }, () => []);
  #joining: Promise<void> = Promise.resolve();

  /** @param mayJoin whether packs may be taken away now: not while others are at it. */
  constructor(options: PackOptions, mayJoin: () => boolean) {
    this.#options = options;
    this.#mayJoin = mayJoin;
  }

  /** Stores `objects` as one pack. @throws DISK_FULL, READ_ONLY, GIT_FAILED. */
  async add(objects: readonly NewObject[]): Promise<void> {
    const name = await writePack(this.#options, objects);
    if (sizeOf(objects) > bytesMax) return;
    this.#levels[0]!.push({ name, objects });
    this.#joinWhere(({ length }) => length >= joinAt);
  }

  /** Joins what is left. */
  async close(): Promise<void> {
    const left = this.#levels.flat();
    for (const level of this.#levels) level.length = 0;
    this.#levels[0]!.push(...left);
    this.#joinWhere(({ length }) => length > 1);
    await this.#joining;
  }

  /** Nobody waits for it, and where it fails all packs stay. */
  #joinWhere(isDue: (level: readonly SmallPack[]) => boolean): void {
    this.#joining = this.#joining.then(() => this.#join(isDue)).catch(() => {});
  }

  async #join(isDue: (level: readonly SmallPack[]) => boolean): Promise<void> {
    for (const [index, level] of this.#levels.entries()) {
      if (!isDue(level)) continue;
      const old = level.splice(0);
      // A `git gc` may have joined or removed some: the rest stays as it is.
      if (!this.#mayJoin() || !old.every(({ name }) => existsSync(this.#pathOf(name, 'pack')))) continue;
      const objects = old.flatMap((pack) => pack.objects);
      const name = await writePack(this.#options, objects);
      for (const pack of old) if (pack.name !== name) this.#remove(pack.name);
      if (index + 1 < levels && sizeOf(objects) <= bytesMax) this.#levels[index + 1]!.push({ name, objects });
    }
  }

  #remove(name: string): void {
    // Somebody wants to keep it.
    if (existsSync(this.#pathOf(name, 'keep'))) return;
    for (const extension of ['idx', 'pack', 'rev']) rmSync(this.#pathOf(name, extension), { force: true });
  }

  #pathOf(name: string, extension: string): string {
    return join(this.#options.objectsDir, 'pack', `${name}.${extension}`);
  }
}

function sizeOf(objects: readonly NewObject[]): number {
  return objects.reduce((sum, { body }) => sum + body.byteLength, 0);
}
