import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { GitStateError } from '../errors.ts';
import { type BatchAnswer, BatchParser } from './batch-parser.ts';
import { Coprocess, type Ending } from './coprocess.ts';
import { gitFailed } from './failure.ts';
import { spawnFailure } from './run.ts';

/** One thing that was asked for, or many in a row. */
interface Request {
  names: readonly string[];
  /** How many of them are answered. */
  answered: number;
  lineFor(name: string): string;
  withBody: boolean;
  kept: boolean;
  /** How many processes ended while this request was the one being answered. */
  deaths: number;
  take(answer: BatchAnswer, index: number): void;
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

  get isRunning(): boolean {
    return this.#coprocess !== null;
  }

  ask(line: string, { name, withBody }: { name: string; withBody: boolean }): Promise<BatchAnswer> {
    return new Promise((take, reject) => {
      this.#enqueue({ ...fresh, names: [name], lineFor: () => line, withBody, kept: true, take, reject });
    });
  }

  /** Asks for many bodies, which come in this order and are gone when `take` returns.
   *  @param lineFor the request for a name. @param take must not throw. */
  askEach(
    names: readonly string[],
    lineFor: (name: string) => string,
    take: (answer: BatchAnswer, index: number) => void,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      if (names.length === 0) return resolve();
      const takeNext = (answer: BatchAnswer, index: number) => {
        take(answer, index);
        if (index === names.length - 1) resolve();
      };
      this.#enqueue({ ...fresh, names, lineFor, withBody: true, kept: false, take: takeNext, reject });
    });
  }

  #enqueue(request: Request): void {
    if (this.#closed) throw new TypeError('the object reader is closed');
    this.#queue.push(request);
    this.#coprocess ??= this.#start();
    this.#coprocess.write(linesOf(request));
    this.#coprocess.busy();
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
      () => {
        const { withBody = false, kept = true } = this.#queue[this.#head] ?? {};
        return { withBody, kept, sizeMax };
      },
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
    const request = this.#queue[this.#head];
    if (request === undefined) return;
    const index = request.answered;
    request.answered += 1;
    request.deaths = 0;
    if (request.answered === request.names.length) this.#next();
    request.take(answer, index);
    if (this.#queue.length === 0) this.#coprocess?.idle();
  }

  /** Takes the request that is answered next out of the queue. */
  #next(): void {
    this.#head += 1;
    if (this.#head >= this.#queue.length || this.#head > 1000) {
      this.#queue.splice(0, this.#head);
      this.#head = 0;
    }
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
    for (const request of this.#queue.slice(this.#head)) successor.write(linesOf(request));
    successor.busy();
  }

  #failure({ names, answered }: Request, { error, status, signal, stderr, timeout }: Ending): GitStateError {
    if (error !== null) return spawnFailure(error, { command: 'cat-file', cwd: this.#options.cwd });
    const name = names[answered]!;
    if (/corrupt|inflate|unable to (?:unpack|parse|stream)|cannot be accessed|bad object/i.test(stderr)) {
      return damagedObject(name, stderr);
    }
    return gitFailed({ command: 'cat-file', status, signal, stderr, details: { object: name, timeout } });
  }
}

const fresh = { answered: 0, deaths: 0 };

/** What is still to be asked. */
function linesOf({ names, answered, lineFor }: Request): string {
  const left = answered === 0 ? names : names.slice(answered);
  return left.length === 1 ? lineFor(left[0]!) : left.map(lineFor).join('');
}

/** The error for an object that is there and cannot be read. */
export function damagedObject(name: string, stderr = ''): GitStateError {
  return new GitStateError('CORRUPT_STATE', `object '${name}' is damaged`, {
    hint: 'run `git fsck --full` to see what is damaged',
    details: { object: name, stderr },
  });
}
