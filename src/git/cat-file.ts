import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { GitStateError } from '../errors.ts';
import { type BatchAnswer, BatchParser } from './batch-parser.ts';
import { Coprocess, type Ending } from './coprocess.ts';
import { gitFailed } from './failure.ts';
import { spawnFailure } from './run.ts';

interface Request {
  line: string;
  name: string;
  withBody: boolean;
  /** How many processes ended while this request was the one being answered. */
  deaths: number;
  resolve(answer: BatchAnswer): void;
  reject(error: Error): void;
}

interface Options {
  spawn(): ChildProcessWithoutNullStreams;
  deadlineMs: number;
  sizeMax: number;
  cwd: string;
}

/** One `git cat-file` process and the requests that wait for it. It starts with the first request; if it ends early,
 *  another takes over what is unanswered. */
export class CatFile {
  readonly #options: Options;
  #coprocess: Coprocess | null = null;
  #queue: Request[] = [];
  /** Where the queue begins: taking the first of very many out of an array would move all others. */
  #head = 0;
  #closed = false;

  constructor(options: Options) {
    this.#options = options;
  }

  /** Starts the process before the first request needs it. */
  warm(): void {
    if (!this.#closed) this.#coprocess ??= this.#start();
  }

  ask(line: string, { name, withBody }: { name: string; withBody: boolean }): Promise<BatchAnswer> {
    return new Promise((resolve, reject) => {
      if (this.#closed) throw new TypeError('the object reader is closed');
      this.#queue.push({ line, name, withBody, deaths: 0, resolve, reject });
      this.#coprocess ??= this.#start();
      this.#coprocess.write(line);
      this.#coprocess.busy();
    });
  }

  /** Has another process answer from now on. @returns false, doing nothing, while one has to answer. */
  renew(): boolean {
    if (this.#queue.length > 0) return false;
    const coprocess = this.#coprocess;
    this.#coprocess = null;
    coprocess?.finish();
    return true;
  }

  close(): void {
    this.#closed = true;
    this.#coprocess?.finish();
  }

  #start(): Coprocess {
    const { sizeMax, deadlineMs, spawn } = this.#options;
    const parser = new BatchParser(
      () => ({ withBody: this.#queue[this.#head]?.withBody ?? false, sizeMax }),
      (answer) => this.#answer(answer),
    );
    const coprocess = new Coprocess(spawn(), {
      deadlineMs,
      onData: (chunk) => parser.push(chunk),
      onEnd: (ending) => this.#onEnd(coprocess, ending),
    });
    return coprocess;
  }

  #answer(answer: BatchAnswer): void {
    this.#next()?.resolve(answer);
    if (this.#queue.length === 0) this.#coprocess?.idle();
  }

  /** Takes the request that is answered next out of the queue. */
  #next(): Request | undefined {
    const request = this.#queue[this.#head];
    this.#head += 1;
    if (this.#head >= this.#queue.length || this.#head > 1000) {
      this.#queue.splice(0, this.#head);
      this.#head = 0;
    }
    return request;
  }

  #onEnd(coprocess: Coprocess, ending: Ending): void {
    if (this.#coprocess !== coprocess) return;
    this.#coprocess = null;
    const head = this.#queue[this.#head];
    if (head === undefined) return;
    head.deaths += 1;
    if (ending.error !== null || ending.timeout || head.deaths > 1) {
      this.#next();
      head.reject(this.#failure(head, ending));
    }
    if (this.#queue.length === 0) return;
    const successor = this.#start();
    this.#coprocess = successor;
    for (const { line } of this.#queue.slice(this.#head)) successor.write(line);
    successor.busy();
  }

  #failure({ name }: Request, { error, status, signal, stderr, timeout }: Ending): GitStateError {
    if (error !== null) return spawnFailure(error, { command: 'cat-file', cwd: this.#options.cwd });
    if (/corrupt|inflate|unable to (?:unpack|parse|stream)|cannot be accessed|bad object/i.test(stderr)) {
      return damagedObject(name, stderr);
    }
    return gitFailed({ command: 'cat-file', status, signal, stderr, details: { object: name, timeout } });
  }
}

/** The error for an object that is there and cannot be read. */
export function damagedObject(name: string, stderr = ''): GitStateError {
  return new GitStateError('CORRUPT_STATE', `object '${name}' is damaged`, {
    hint: 'run `git fsck --full` to see what is damaged',
    details: { object: name, stderr },
  });
}
