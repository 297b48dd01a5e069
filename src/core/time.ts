import * as z from 'zod';

/** A moment as it is stored: ISO 8601, UTC, whole seconds, `Z`. */
export const Instant = z
  .string()
  .regex(
    /^\d{4}-(0[1-9]|1[0-2])-([0-2]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\dZ$/,
    'is no UTC time in whole seconds',
  )
  .refine((text) => isOnCalendar(text), 'is no day of the calendar')
  .brand('Instant');
export type Instant = z.infer<typeof Instant>;

/** The end of a lease keeps milliseconds. */
export const LeaseEnd = z
  .string()
  .regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/, 'is no UTC time in milliseconds')
  .refine((text) => isOnCalendar(text), 'is no day of the calendar')
  .brand('LeaseEnd');
export type LeaseEnd = z.infer<typeof LeaseEnd>;

/** `2026-02-31` would be read as a day of March, and `2026-02-00` as none. */
function isOnCalendar(text: string): boolean {
  const timeMs = Date.parse(text);
  return !Number.isNaN(timeMs) && new Date(timeMs).toISOString().slice(0, 19) === text.slice(0, 19);
}

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
  if (!isoPattern.test(text) || !isOnCalendar(`${text.slice(0, 10)}T00:00:00Z`)) return null;
  const timeMs = Date.parse(text.replace(' ', 'T').replace(/:60(?=[.Z+-])/i, ':59'));
  if (Number.isNaN(timeMs)) return null;
  const instant = Instant.safeParse(instantOf(timeMs));
  return instant.success ? instant.data : null;
}

/** A time that somebody gives, in any of those notations. */
export const GivenInstant = z.string().transform((text, context): Instant => {
  const instant = parseInstant(text);
  if (instant !== null) return instant;
  context.addIssue({ code: 'custom', message: `'${text.slice(0, 40)}' is no time` });
  return z.NEVER;
});

const unitsMs = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** A hundred years: now and a duration together are still a time that can be written. */
const durationMsMax = 36_500 * unitsMs.d;

/** Reads `500ms`, `90s`, `15m`, `24h` or `7d` as milliseconds; null for anything else, bare numbers included. */
export function parseDuration(text: string): number | null {
  const match = /^(\d{1,12}(?:\.\d{1,3})?)(ms|s|m|h|d)$/.exec(text);
  if (!match) return null;
  const durationMs = Math.round(Number(match[1]) * unitsMs[match[2] as keyof typeof unitsMs]);
  return durationMs <= durationMsMax ? durationMs : null;
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

/** A length of time as people say it: `42s`, `3m 20s`, `2h 5m`. */
export function lengthOfTime(durationMs: number): string {
  const seconds = Math.max(0, Math.round(durationMs / 1000));
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m ${seconds % 60}s`;
  return `${Math.floor(seconds / 3600)}h ${Math.floor((seconds % 3600) / 60)}m`;
}
