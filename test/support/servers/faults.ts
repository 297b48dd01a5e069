import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** What the proxy does to a connection. `request` is what the client sends, `answer` what the server sends. */
export type Fault =
  /** Dies once so many bytes have passed in that direction; those before are delivered. */
  | { kind: 'cut'; direction: 'request' | 'answer'; afterBytes: number }
  /** Every piece of either direction comes that much later. */
  | { kind: 'delay'; ms: number }
  /** Lets everything through until `taken` says that the server has the push; then the connection dies. */
  | { kind: 'swallow'; taken: () => boolean }
  /** Is accepted and never answered; what is sent is never read. */
  | { kind: 'black-hole' }
  /** Is closed by a reset at once. */
  | { kind: 'refuse' };

/** Says what happens to the connection of that number, counted from 1. `random` depends on the seed and the number
 *  alone, so a number has the same fate whatever else goes on. */
export type Plan = (number: number, random: () => number) => Fault | null;

/** Nothing happens to any connection. */
export const noFault: Plan = () => null;

/** Every connection has the same fate. */
export const always =
  (fault: Fault): Plan =>
  () =>
    fault;

/** Every n-th connection dies at a random byte of a random direction. Small positions are as likely as large ones
 *  of the same order, since most conversations of Git are short; one that ends before its byte is left alone. */
export function cutEvery(n: number, { reach = 4096 }: { reach?: number } = {}): Plan {
  return (number, random) => {
    if (number % n !== 0) return null;
    const direction = random() < 0.5 ? 'request' : 'answer';
    return { kind: 'cut', direction, afterBytes: Math.floor(reach ** random()) };
  };
}

/** The fault of the connection whose turn it is; the first that makes one wins. */
export const firstOf =
  (...plans: readonly Plan[]): Plan =>
  (number, random) =>
    plans.map((plan) => plan(number, random)).find((fault) => fault !== null) ?? null;

/** The answer to the push that moves a ref of a bare repository is lost, whatever protocol carries it: the ref
 *  moves before the server says so. Once it has moved, every connection of the plan passes. */
export function swallowAnswer(repository: string, ref: string): Plan {
  const before = looseRef(repository, ref);
  const moved = () => looseRef(repository, ref) !== before;
  return () => (moved() ? null : { kind: 'swallow', taken: moved });
}

function looseRef(repository: string, ref: string): string | null {
  try {
    return readFileSync(join(repository, ref), 'utf8');
  } catch {
    return null;
  }
}
