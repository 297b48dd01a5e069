import { connect, createServer, type Socket } from 'node:net';
import { afterAll } from 'vitest';
import { type Fault, noFault, type Plan } from './faults.ts';
import { generator } from './random.ts';
import { listen, urlAt } from './server.ts';

/** What became of one connection. */
export interface Connection {
  /** Counted from 1. */
  number: number;
  fault: Fault | null;
  /** Bytes delivered to the server. */
  requestBytes: number;
  /** Bytes delivered to the client. */
  answerBytes: number;
  /** How often the client spoke after the server had spoken, or first: what the network's delay is paid for. */
  roundTrips: number;
  /** `struck`: the fault has happened; a planned cut whose byte never came leaves a connection `closed`. */
  end: 'open' | 'closed' | 'struck';
}

export interface Proxy {
  port: number;
  /** A server's URL, through the proxy. */
  url(serverUrl: string): string;
  /** What happens to connections from now on. */
  plan: Plan;
  /** Everything that came, oldest first. */
  readonly connections: readonly Connection[];
  stop(): Promise<void>;
}

const running = new Set<Proxy>();
afterAll(async () => {
  await Promise.all([...running].map((proxy) => proxy.stop()));
});

/** Puts a proxy in front of a port of 127.0.0.1, in this process: clients must not be waited for synchronously. */
export async function startProxy(
  { port: target }: { port: number },
  { seed = 1, plan = noFault }: { seed?: number; plan?: Plan } = {},
): Promise<Proxy> {
  const connections: Connection[] = [];
  const sockets = new Set<Socket>();
  const watch = (socket: Socket) => {
    sockets.add(socket);
    return socket.on('error', () => {}).on('close', () => sockets.delete(socket));
  };
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true }, (client) => {
    watch(client);
    const number = connections.length + 1;
    const fault = proxy.plan(number, generator(seed * 1_000_003 + number));
    const record: Connection = {
      ...{ number, fault, requestBytes: 0, answerBytes: 0, roundTrips: 0 },
      end: 'open',
    };
    connections.push(record);
    if (fault?.kind === 'refuse' || fault?.kind === 'black-hole') {
      record.end = 'struck';
      if (fault.kind === 'refuse') client.resetAndDestroy();
      return;
    }
    join(
      client,
      watch(connect({ port: target, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })),
      record,
    );
  });
  const port = await listen(server);
  server.unref();
  const proxy: Proxy = {
    port,
    url: (serverUrl) => urlAt(serverUrl, port),
    plan,
    connections,
    async stop() {
      running.delete(proxy);
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  running.add(proxy);
  return proxy;
}

/** Lets two sockets talk until one of them ends or the fault strikes. */
function join(client: Socket, server: Socket, record: Connection): void {
  const { fault } = record;
  const end = (how: 'closed' | 'struck') => {
    if (record.end === 'open') record.end = how;
    client.destroy();
    server.destroy();
  };
  let last: 'request' | 'answer' = 'answer';

  /** @returns how much of a piece is delivered before the connection dies; null if it lives on. */
  const limit = (direction: 'request' | 'answer', size: number): number | null => {
    if (fault?.kind === 'swallow' && direction === 'answer' && fault.taken()) return 0;
    if (fault?.kind !== 'cut' || fault.direction !== direction) return null;
    const left = fault.afterBytes - record[`${direction}Bytes`];
    return size >= left ? left : null;
  };

  const pass = (from: Socket, to: Socket, direction: 'request' | 'answer') => {
    const deliver = (piece: Buffer) => {
      if (record.end !== 'open') return;
      if (direction === 'request' && last === 'answer') record.roundTrips += 1;
      last = direction;
      const allowed = limit(direction, piece.length);
      const part = allowed === null ? piece : piece.subarray(0, allowed);
      record[`${direction}Bytes`] += part.length;
      if (allowed !== null) {
        record.end = 'struck';
        to.end(part, () => end('struck'));
      } else if (!to.write(part)) {
        from.pause();
        to.once('drain', () => from.resume());
      }
    };
    const late = fault?.kind === 'delay' ? fault.ms : 0;
    const soon = (act: () => void) => (late === 0 ? act() : setTimeout(act, late));
    from
      .on('data', (piece: Buffer) => soon(() => deliver(piece)))
      .on('end', () => soon(() => record.end === 'open' && to.end()))
      .on('error', () => end('closed'))
      .on('close', () => soon(() => from.destroyed && to.destroyed && end('closed')));
  };

  pass(client, server, 'request');
  pass(server, client, 'answer');
  client.resume();
}
