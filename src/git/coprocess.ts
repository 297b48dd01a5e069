import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import type { Socket } from 'node:net';
import type { Writable } from 'node:stream';
import { killGroup } from './run.ts';

export interface Ending {
  /** Why it could not be started; otherwise null. */
  error: NodeJS.ErrnoException | null;
  status: number | null;
  signal: string | null;
  /** The end of what it said, at most 8 KiB. */
  stderr: string;
  /** Whether it was killed because an answer took too long. */
  timeout: boolean;
}

interface Handlers {
  onData(chunk: Buffer): void;
  /** Called once, after all output has been delivered. */
  onEnd(ending: Ending): void;
  /** How long it may keep silent while it is busy. */
  deadlineMs: number;
}

const stderrBytesMax = 8192;

/** One Git process that answers many requests. It keeps this process alive only while it is busy. */
export class Coprocess {
  readonly pid: number | undefined;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #deadlineMs: number;
  #deadline: NodeJS.Timeout | null = null;
  #timeout = false;
  #stderr = '';
  #unsent = '';

  constructor(child: ChildProcessWithoutNullStreams, { onData, onEnd, deadlineMs }: Handlers) {
    this.pid = child.pid;
    this.#child = child;
    this.#deadlineMs = deadlineMs;
    // A child that could not be started for want of files has no streams, which its type does not say.
    const { stdin, stdout, stderr }: Partial<ChildProcessWithoutNullStreams> = child;
    stdout?.on('data', (chunk: Buffer) => {
      this.#deadline?.refresh();
      onData(chunk);
    });
    stderr?.on('data', (chunk: Buffer) => {
      this.#stderr = (this.#stderr + chunk.toString()).slice(-stderrBytesMax);
    });
    // A process that has ended takes no more input; its end is reported by itself.
    stdin?.on('error', () => {});
    let ended = false;
    const end = (ending: Pick<Ending, 'error' | 'status' | 'signal'>) => {
      if (ended) return;
      ended = true;
      this.idle();
      onEnd({ ...ending, stderr: this.#stderr, timeout: this.#timeout });
    };
    child.on('error', (error) => {
      if (child.pid === undefined) end({ error, status: null, signal: null });
    });
    child.on('close', (status, signal) => end({ error: null, status, signal }));
    this.#hold(false);
  }

  /** What is written in one turn of the event loop goes to the process at once. */
  write(text: string): void {
    if (this.#unsent === '') queueMicrotask(() => this.#send());
    this.#unsent += text;
  }

  #send(): void {
    const text = this.#unsent;
    this.#unsent = '';
    if (text !== '') (this.#child.stdin as Writable | undefined)?.write(text);
  }

  /** From now on an answer is awaited. */
  busy(): void {
    if (this.#deadline !== null) return;
    this.#hold(true);
    this.#deadline = setTimeout(() => {
      this.#timeout = true;
      this.kill();
    }, this.#deadlineMs);
  }

  /** No answer is awaited any more. */
  idle(): void {
    if (this.#deadline === null) return;
    clearTimeout(this.#deadline);
    this.#deadline = null;
    this.#hold(false);
  }

  /** Lets it end by itself, once it has answered everything. */
  finish(): void {
    this.#send();
    (this.#child.stdin as Writable | undefined)?.end();
  }

  kill(): void {
    killGroup(this.pid);
  }

  #hold(held: boolean): void {
    const action = held ? 'ref' : 'unref';
    this.#child[action]();
    for (const stream of [this.#child.stdin, this.#child.stdout, this.#child.stderr]) {
      // Pipes of a child are sockets, which its type does not say either.
      (stream as unknown as Partial<Socket> | undefined)?.[action]?.();
    }
  }
}
