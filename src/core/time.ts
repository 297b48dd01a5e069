import { z } from 'zod';

/** A moment as it is stored: ISO 8601, UTC, whole seconds, `Z`. */
export const Instant = z
  .string()
  .regex(
    /^\d{4}-(0[1-9]|1[0-2])-([0-2]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\dZ$/,
    'is no UTC time in whole seconds',
  )
  .brand('Instant');
export type Instant = z.infer<typeof Instant>;

/** The end of a lease keeps milliseconds. */
export const LeaseEnd = z
  .string()
  .regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/, 'is no UTC time in milliseconds')
  .brand('LeaseEnd');
export type LeaseEnd = z.infer<typeof LeaseEnd>;

export function instantOf(timeMs: number): Instant {
  return `${new Date(timeMs).toISOString().slice(0, 19)}Z` as Instant;
}

export function leaseEndOf(timeMs: number): LeaseEnd {
  return new Date(timeMs).toISOString() as LeaseEnd;
}

export function millisecondsOf(time: Instant | LeaseEnd): number {
  return Date.parse(time);
}

const isoPattern = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)$/i;

/** Reads a time with any offset and any fraction; null when `text` is none. Fractions are cut, not rounded. */
export function parseInstant(text: string): Instant | null {
  if (!isoPattern.test(text)) return null;
  const timeMs = Date.parse(text.replace(' ', 'T').replace(/:60(?=[.Z+-])/i, ':59'));
  return Number.isNaN(timeMs) ? null : instantOf(timeMs);
}

const unitsMs = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** Reads `500ms`, `90s`, `15m`, `24h` or `7d` as milliseconds; null for anything else, bare numbers included. */
export function parseDuration(text: string): number | null {
  const match = /^(\d{1,12}(?:\.\d{1,3})?)(ms|s|m|h|d)$/.exec(text);
  if (!match) return null;
  return Math.round(Number(match[1]) * unitsMs[match[2] as keyof typeof unitsMs]);
}

/** A length of time in the notation of the command line. */
export const Duration = z
  .string()
  .refine((text) => parseDuration(text) !== null, "is no duration such as '90s', '15m', '24h' or '7d'");

/** Writes milliseconds in the largest unit that is exact. */
export function formatDuration(durationMs: number): string {
  for (const unit of ['d', 'h', 'm', 's'] as const) {
    if (durationMs !== 0 && durationMs % unitsMs[unit] === 0) return `${durationMs / unitsMs[unit]}${unit}`;
  }
  return `${durationMs}ms`;
}
