import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { matcherOf } from '../core/match.ts';
import { parseInstant } from '../core/time.ts';
import { GitStateError } from '../errors.ts';

/** Readers of option values. Each throws INVALID_INPUT with what is wrong; the option's name is put before it. */

function invalid(message: string, hint?: string): GitStateError {
  return new GitStateError('INVALID_INPUT', message, hint === undefined ? {} : { hint });
}

/** `a,b,c`; an empty text is an empty list. */
export function list(text: string): string[] {
  if (text.trim() === '') return [];
  return text.split(',').map((part) => part.trim());
}

/** A number as JSON writes it. */
export function number(text: string): number {
  if (!/^-?\d{1,15}(\.\d{1,15})?$/.test(text)) throw invalid(`'${text}' is no number`);
  return Number(text);
}

/** A whole number, not negative. */
export function count(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw invalid(`'${text}' is no whole number`);
  return Number(text);
}

/** A whole number above zero. */
export function positive(text: string): number {
  const value = count(text);
  if (value === 0) throw invalid('has to be at least 1');
  return value;
}

/** Money: a decimal with at most six places. */
export function amount(text: string): number {
  if (!/^\d{1,13}(\.\d+)?$/.test(text))
    throw invalid(`'${text}' is no amount`, 'an amount looks like 12 or 0.25');
  if (/\.\d{7,}$/.test(text)) throw invalid(`'${text}' has more than six decimal places`);
  if (Number(text) > 1e12) throw invalid(`'${text}' is more than 1e12`);
  return Number(text);
}

/** A value, or `none` for no value. */
export function orNone<T>(read: (text: string) => T): (text: string) => T | null {
  return (text) => (text === 'none' ? null : read(text));
}

export const text = (value: string): string => value;

/** `STEP=AMOUNT` or `STEP=none`, gathered over every use of the option. */
export function stepAmounts(value: string, previous: unknown): Record<string, number | null> {
  const split = value.lastIndexOf('=');
  if (split <= 0) throw invalid(`'${value}' is not of the form STEP=AMOUNT`);
  const read = orNone(amount);
  return {
    ...(previous as Record<string, number | null> | undefined),
    [value.slice(0, split)]: read(value.slice(split + 1)),
  };
}

/** `in=1200,out=300`, in any order. */
export function tokens(value: string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const part of list(value)) {
    const [kind = '', number = '', ...more] = part.split('=');
    if (!['in', 'out', 'cached'].includes(kind) || more.length > 0 || kind in counts) {
      throw invalid(`'${value}' is not of the form in=N,out=N,cached=N`);
    }
    counts[kind] = count(number);
  }
  return counts;
}

/** The values of an option that may be given several times; each may be a list. */
export function several(value: string, previous: unknown): string[] {
  return [...((previous as string[] | undefined) ?? []), ...list(value)];
}

/** A condition on features such as `priority=P0,P1`, gathered over every use of the option. */
export function condition(value: string, previous: unknown): string[] {
  matcherOf([value]);
  return [...((previous as string[] | undefined) ?? []), value];
}

/** Describes `--match`, which several commands have. */
export const matchOption = {
  flags: '--match CONDITION',
  description: "only priority=P0,P1, id='api-*' or label=backend; given again, all have to hold",
  parse: condition,
};

/** JSON, or `@FILE` for the JSON in a file. */
export function json(value: string, _previous: unknown, cwd: string): unknown {
  const source = value.startsWith('@') ? fileText(value.slice(1), cwd) : value;
  try {
    return JSON.parse(source.replace(/^\ufeff/, ''));
  } catch (error) {
    throw invalid(
      `no valid JSON: ${(error as Error).message}`,
      `quote it for the shell: '{"key": "value"}', or give a file: @data.json`,
    );
  }
}

/** A JSON object, or `@FILE`. */
export function jsonObject(value: string, previous: unknown, cwd: string): Record<string, unknown> {
  const parsed = json(value, previous, cwd);
  if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) {
    return parsed as Record<string, unknown>;
  }
  throw invalid('no JSON object', `quote it for the shell: '{"key": "value"}', or give a file: @data.json`);
}

function fileText(path: string, cwd: string): string {
  try {
    return readFileSync(path === '-' ? 0 : resolve(cwd, path), 'utf8');
  } catch (error) {
    throw invalid(`cannot read '${path}': ${(error as NodeJS.ErrnoException).code}`);
  }
}

/** The wait of `--wait` (for ever) or of `--wait=10m`. */
export function wait(value: string): true | string {
  return value === '' ? true : duration(value);
}

/** A length of time, such as `15m`. */
export function duration(value: string): string {
  if (/^\d{1,12}(\.\d{1,3})?(ms|s|m|h|d)$/.test(value)) return value;
  throw invalid(`'${value}' is no duration`, "durations look like '90s', '15m', '24h' or '7d'");
}

/** A moment, with `Z` or any other offset. */
export function time(value: string): string {
  const instant = parseInstant(value);
  if (instant !== null) return instant;
  throw invalid(
    `'${value}' is no time`,
    'a time looks like 2026-01-31T12:00:00Z or 2026-01-31T12:00:00+02:00',
  );
}

/** The name of a commit, or its first digits: at least seven. */
export function commit(value: string): string {
  if (/^[0-9a-f]{7,64}$/.test(value)) return value;
  throw invalid(
    `'${value}' is no commit`,
    'give at least seven digits, as `git state log --json` prints them',
  );
}

/** One of some words. */
export function oneOf<T extends string>(...words: readonly T[]): (value: string) => T {
  return (value) => {
    const found = words.find((word) => word === value);
    if (found === undefined) throw invalid(`'${value}' is none of ${words.join(', ')}`);
    return found;
  };
}
