import { connect, createServer, type Server, type Socket } from 'node:net';

/** A text that waits for its line to end may be so long, in characters. */
const lineMax = 64 << 20;

/** One end of a connection between two processes of this machine, over which both send documents, a line each. */
export class Wire {
  readonly #socket: Socket;
  #isOpen = true;
  #rest = '';

  constructor(socket: Socket, { onLine, onEnd }: { onLine: (line: string) => void; onEnd: () => void }) {
    this.#socket = socket;
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => this.#read(text, onLine));
    // The end says all.
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#isOpen = false;
      onEnd();
    });
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  send(line: string): void {
    this.#socket.write(`${line}\n`);
  }

  /** Lets the other side read what was sent, and goes. */
  end(): void {
    this.#isOpen = false;
    this.#socket.end();
    this.#socket.unref();
  }

  /** Whether the process is to stay for what comes over it. */
  hold(holds: boolean): void {
    if (holds) this.#socket.ref();
    else this.#socket.unref();
  }

  #read(text: string, onLine: (line: string) => void): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop()!;
    if (this.#rest.length > lineMax) this.#socket.destroy();
    else for (const line of lines) onLine(line);
  }
}

/** @returns null where nobody listens. */
export function connectTo(path: string): Promise<Socket | null> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.removeAllListeners('error');
      resolve(socket);
    });
    socket.once('error', () => resolve(null));
  });
}

/** Listens at `path`, where no other process may. @returns null where that is not possible. */
export function listenAt(path: string, onSocket: (socket: Socket) => void): Server | null {
  try {
    const server = createServer(onSocket);
    // What fails late is as if nobody came.
    server.on('error', () => {});
    // A worker of `node:cluster` would else have its parent listen.
    server.listen({ path, exclusive: true });
    return server.unref();
  } catch {
    return null;
  }
}
