import type { Oid } from './ids.ts';
import type { ObjectType } from './objects.ts';

export interface ObjectInfo {
  oid: Oid;
  type: ObjectType;
  /** Bytes of the body. */
  size: number;
}

/** An answer of `git cat-file --batch`: no such object, its header, or header and body. `body` is null where only
 *  the header was asked for, or where it is larger than allowed. */
export type BatchAnswer = null | (ObjectInfo & { body: Buffer | null });

const header = /^([0-9a-f]{40}|[0-9a-f]{64}) (commit|tree|blob|tag) (\d+)$/;

interface Expectation {
  withBody: boolean;
  sizeMax: number;
}

/** Cuts the output of `git cat-file --batch`, `--batch-check` or `--batch-command` into answers. */
export class BatchParser {
  readonly #expect: () => Expectation;
  readonly #onAnswer: (answer: BatchAnswer) => void;
  #head: Buffer[] = [];
  #info: ObjectInfo | null = null;
  #body: Buffer | null = null;
  #bytesSeen = 0;

  /** @param expect what the next answer was asked for. */
  constructor(expect: () => Expectation, onAnswer: (answer: BatchAnswer) => void) {
    this.#expect = expect;
    this.#onAnswer = onAnswer;
  }

  push(chunk: Buffer): void {
    let rest = chunk;
    while (rest.length > 0) rest = this.#info === null ? this.#takeHead(rest) : this.#takeBody(rest);
  }

  #takeHead(chunk: Buffer): Buffer {
    const end = chunk.indexOf(0x0a);
    if (end === -1) {
      this.#head.push(chunk);
      return chunk.subarray(chunk.length);
    }
    const line = Buffer.concat([...this.#head, chunk.subarray(0, end)]).toString('latin1');
    this.#head = [];
    const match = header.exec(line);
    if (match === null) {
      this.#onAnswer(null);
      return chunk.subarray(end + 1);
    }
    const info = { oid: match[1]!, type: match[2] as ObjectType, size: Number(match[3]) };
    const { withBody, sizeMax } = this.#expect();
    if (!withBody) {
      this.#onAnswer({ ...info, body: null });
    } else {
      this.#info = info;
      this.#body = info.size <= sizeMax ? Buffer.allocUnsafe(info.size) : null;
      this.#bytesSeen = 0;
    }
    return chunk.subarray(end + 1);
  }

  /** Takes the body and the line feed behind it. */
  #takeBody(chunk: Buffer): Buffer {
    const info = this.#info!;
    const taken = Math.min(info.size + 1 - this.#bytesSeen, chunk.length);
    this.#body?.set(chunk.subarray(0, Math.min(taken, info.size - this.#bytesSeen)), this.#bytesSeen);
    this.#bytesSeen += taken;
    if (this.#bytesSeen === info.size + 1) {
      const body = this.#body;
      this.#info = null;
      this.#body = null;
      this.#onAnswer({ ...info, body });
    }
    return chunk.subarray(taken);
  }
}
