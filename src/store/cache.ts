import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { replaceFile } from '../git/files.ts';
import { type Difference, differenceOf, withDifference } from './cache-changes.ts';
import { decodeSnapshot, encodeSnapshot } from './cache-file.ts';
import type { Snapshot } from './snapshot.ts';

/** The last state read, kept on disk so that the next process reads only what has changed since. It is keyed by commit
 *  and checked by a digest; anything odd about it means that it is not there. Deleting it is always safe. */

const version = 5;

/** How many entities may have changed before all is written anew: until then only they are written. */
function changesMax({ state }: Snapshot): number {
  let size = 0;
  for (const { features } of state.contents.values()) size += features.size;
  return 64 + Math.floor(size / 32);
}

export class SnapshotCache {
  readonly #directory: string;
  readonly #path: string;
  /** What the file holds. */
  #whole: Stored | null = null;
  /** What the file and the changes beside it hold. */
  #stored: Snapshot | null = null;
  #offered: Snapshot | null = null;
  readonly #title: string;

  /** @param schema to which what is kept was brought up. */
  constructor(directory: string, branchRef: string, schema: number) {
    this.#title = `gitstate-cache ${version}.${schema}`;
    this.#directory = directory;
    const name = createHash('sha256').update(branchRef).digest('hex').slice(0, 12);
    this.#path = join(directory, `state-${name}`);
  }

  /** The snapshot that is stored, or null. Never throws: a damaged cache is no cache. */
  read(): Snapshot | null {
    this.#whole = null;
    this.#stored = null;
    try {
      if (!lstatSync(this.#directory).isDirectory()) return null;
      const { digest, body } = readChecked(this.#path, this.#title, 'whole');
      this.#whole = { digest, snapshot: decodeSnapshot(body) };
      this.#stored = this.#whole.snapshot;
      const changes = JSON.parse(
        readChecked(this.#changesPath, this.#title, digest).body.toString(),
      ) as Difference;
      this.#stored = withDifference(this.#stored, changes);
    } catch {
      // Without the changes the rest still holds.
    }
    return this.#stored;
  }

  /** Whether something stands where the cache belongs and is none; one of another version is merely old. */
  async isDamaged(): Promise<boolean> {
    const stat = lstatSync(this.#path, { throwIfNoEntry: false });
    const directory = lstatSync(this.#directory, { throwIfNoEntry: false });
    if (!stat) return directory !== undefined && !directory.isDirectory();
    if (stat.isFile() && this.#isOld()) return false;
    return this.read() === null;
  }

  #isOld(): boolean {
    const title = readFileSync(this.#path, 'latin1').slice(0, 80).split('\n')[0]!;
    return /^gitstate-cache [\d.]+ [0-9a-f]{40}$/.test(title) && !title.startsWith(`${this.#title} `);
  }

  /** Notes the newest snapshot; it is written when the process is done. */
  offer(snapshot: Snapshot): void {
    this.#offered = snapshot;
  }

  /** Writes what the newest snapshot has that is not stored. A cache that cannot be written is no failure. */
  async flush(): Promise<void> {
    const snapshot = this.#offered;
    if (!snapshot?.commit || snapshot === this.#stored) return;
    try {
      mkdirSync(this.#directory, { recursive: true });
      if (!lstatSync(this.#directory).isDirectory()) return;
      const whole = this.#whole;
      const changes = whole && differenceOf(whole.snapshot, snapshot, changesMax(snapshot));
      if (changes) {
        await this.#write(this.#changesPath, whole.digest, Buffer.from(JSON.stringify(changes)));
      } else {
        const digest = await this.#write(this.#path, 'whole', encodeSnapshot(snapshot));
        this.#whole = { digest, snapshot };
      }
      this.#stored = snapshot;
    } catch {
      // The next process reads from Git.
    }
  }

  async #write(path: string, kind: string, body: Buffer): Promise<string> {
    const digest = digestOf(kind, body);
    const header = Buffer.from(`${this.#title} ${digest}\n`);
    await replaceFile(path, Buffer.concat([header, body]), { fsync: false, mode: 0o600 });
    return digest;
  }

  get #changesPath(): string {
    return `${this.#path}-changes`;
  }
}

interface Stored {
  digest: string;
  snapshot: Snapshot;
}

/** @throws whatever is wrong.
 *  @param kind what the bytes are; of changes, the digest of what they change. */
function readChecked(path: string, title: string, kind: string): { digest: string; body: Buffer } {
  if (!lstatSync(path).isFile()) throw new Error('no file');
  const bytes = readFileSync(path);
  const end = bytes.indexOf(0x0a);
  const body = bytes.subarray(end + 1);
  const digest = digestOf(kind, body);
  if (bytes.toString('latin1', 0, end) !== `${title} ${digest}`) throw new Error('damaged');
  return { digest, body };
}

function digestOf(kind: string, body: Buffer): string {
  return createHash('sha1').update(kind).update(body).digest('hex');
}
