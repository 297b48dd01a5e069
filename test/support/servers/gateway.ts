import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { afterAll } from 'vitest';
import { listen, urlAt } from './server.ts';

/** Which requests something happens to: all of them, those of a push (its first is the list of refs), or only
 *  the one that carries the push. */
export type Where = 'all' | 'push' | 'pack';

/** What a gateway does to them; all others are let through, which needs a server behind it. */
export type GatewayFault =
  /** Answers with that status; 401 asks for a password. */
  | { kind: 'status'; status: number; where: Where }
  /** Never answers. */
  | { kind: 'hang'; where: Where }
  /** Lets the server do it, then answers with that status, as a gateway does whose server was slow: 502, 504. */
  | { kind: 'lost-answer'; status: number; where: Where }
  /** Sends it to the server twice and passes on the second answer, as a gateway does that tries again by itself. */
  | { kind: 'repeat'; where: Where };

export interface Gateway {
  port: number;
  /** A server's URL, through the gateway. Without a server any URL of the gateway has the fault. */
  url(serverUrl: string): string;
  /** What happens from now on; null lets everything through. */
  fault: GatewayFault | null;
  /** `METHOD /path?query status` of each request that was answered, oldest first. */
  readonly answered: readonly string[];
  stop(): Promise<void>;
}

const running = new Set<Gateway>();
afterAll(async () => {
  await Promise.all([...running].map((gateway) => gateway.stop()));
});

/** Starts an HTTP gateway in this process, in front of a server or of nothing. */
export async function startGateway(
  fault: GatewayFault | null,
  { port: target }: { port?: number } = {},
): Promise<Gateway> {
  const answered: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer(async (incoming, answer) => {
    try {
      const { status } = await handle(gateway.fault, incoming, answer, target);
      answered.push(`${incoming.method} ${incoming.url} ${status}`);
    } catch {
      answer.destroy();
    }
  });
  server.on('connection', (socket) => {
    sockets.add(socket.on('close', () => sockets.delete(socket)));
  });
  const port = await listen(server);
  server.unref();
  const gateway: Gateway = {
    port,
    url: (serverUrl) => urlAt(serverUrl, port),
    fault,
    answered,
    async stop() {
      running.delete(gateway);
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  running.add(gateway);
  return gateway;
}

interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: Buffer;
}

async function handle(
  fault: GatewayFault | null,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  target: number | undefined,
): Promise<{ status: number }> {
  const body = await whole(incoming);
  const struck = fault !== null && isMeant(fault.where, incoming.url ?? '', body) ? fault : null;
  if (struck?.kind === 'hang') return new Promise(() => {});
  const answer =
    struck?.kind === 'status' ? plain(struck.status) : await pass(struck, incoming, body, target!);
  outgoing.writeHead(answer.status, answer.headers).end(answer.body);
  return answer;
}

async function pass(
  struck: GatewayFault | null,
  incoming: IncomingMessage,
  body: Buffer,
  target: number,
): Promise<Answer> {
  const answer = await forward(incoming, body, target);
  // The server's word that a password is needed must get through, or nothing is ever done.
  if (answer.status === 401) return answer;
  if (struck?.kind === 'lost-answer') return plain(struck.status);
  return struck?.kind === 'repeat' ? forward(incoming, body, target) : answer;
}

function isMeant(where: Where, url: string, body: Buffer): boolean {
  if (where === 'all') return true;
  // Before a large pack Git sends four bytes to find out whether it may push.
  if (url.endsWith('/git-receive-pack')) return where === 'push' || body.length > 4;
  return where === 'push' && url.includes('service=git-receive-pack');
}

function plain(status: number): Answer {
  const headers = status === 401 ? { 'www-authenticate': 'Basic realm="git"' } : {};
  return { status, headers, body: Buffer.from(`status ${status}\n`) };
}

async function forward(incoming: IncomingMessage, body: Buffer, target: number): Promise<Answer> {
  const { method, url: path } = incoming;
  const { 'transfer-encoding': _, ...rest } = incoming.headers;
  const headers = { ...rest, 'content-length': String(body.length), connection: 'close' };
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    request({ host: '127.0.0.1', port: target, method, path, headers, agent: false }, resolve)
      .on('error', reject)
      .end(body);
  });
  const bytes = await whole(answer);
  const { 'transfer-encoding': _answered, connection: _closed, ...kept } = answer.headers;
  return {
    status: answer.statusCode!,
    headers: { ...kept, 'content-length': String(bytes.length) },
    body: bytes,
  };
}

async function whole(message: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of message) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}
