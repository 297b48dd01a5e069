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
  /** Whether the body is kept after the answer was taken; else it may be a part of what Git sent. */
  kept: boolean;
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
    for (let at = 0; at < chunk.length; )
      at = this.#info === null ? this.#takeHead(chunk, at) : this.#takeBody(chunk, at, this.#info);
  }

  /** @returns where the rest begins. */
  #takeHead(chunk: Buffer, start: number): number {
    const end = chunk.indexOf(0x0a, start);
    if (end === -1) {
      this.#head.push(chunk.subarray(start));
      return chunk.length;
    }
    const match = header.exec(this.#lineTo(chunk, start, end));
    if (match === null) {
      this.#onAnswer(null);
      return end + 1;
    }
    const info = { oid: match[1]!, type: match[2] as ObjectType, size: Number(match[3]) };
    const { withBody, sizeMax, kept } = this.#expect();
    const bodyStart = end + 1;
    if (!withBody) {
      this.#onAnswer({ ...info, body: null });
    } else if (!kept && bodyStart + info.size < chunk.length && info.size <= sizeMax) {
      this.#onAnswer({ ...info, body: chunk.subarray(bodyStart, bodyStart + info.size) });
      return bodyStart + info.size + 1;
    } else {
      this.#info = info;
      this.#body = info.size <= sizeMax ? Buffer.allocUnsafe(info.size) : null;
      this.#bytesSeen = 0;
    }
    return bodyStart;
  }

  #lineTo(chunk: Buffer, start: number, end: number): string {
    if (this.#head.length === 0) return chunk.toString('latin1', start, end);
    const line = Buffer.concat([...this.#head, chunk.subarray(start, end)]).toString('latin1');
    this.#head = [];
    return line;
  }

  /** Takes the body and the line feed behind it. @returns where the rest begins. */
  #takeBody(chunk: Buffer, start: number, info: ObjectInfo): number {
    const taken = Math.min(info.size + 1 - this.#bytesSeen, chunk.length - start);
    const bodyTaken = Math.min(taken, info.size - this.#bytesSeen);
    this.#body?.set(chunk.subarray(start, start + bodyTaken), this.#bytesSeen);
    this.#bytesSeen += taken;
    if (this.#bytesSeen === info.size + 1) {
      const body = this.#body;
      this.#info = null;
      this.#body = null;
      this.#onAnswer({ ...info, body });
    }
    return start + taken;
  }
}
