import { z } from 'zod';
import { compareCodePoints } from './ids.ts';

export type JsonValue = string | number | boolean | null | JsonValue[] | { [key: string]: JsonValue };
export type JsonObject = { [key: string]: JsonValue };

/** Limits of one value that a user gives, in bytes of JSON and in levels of nesting. */
export const jsonBytesMax = 1024 * 1024;
export const jsonDepthMax = 64;

/** Says why `value` cannot be stored as JSON without loss; null when it can. Stops at the depth limit, so that
 *  a hostile value cannot exhaust the stack. */
export function jsonFault(value: unknown, depth = 0): string | null {
  if (depth > jsonDepthMax) return `is nested deeper than ${jsonDepthMax} levels`;
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return null;
  if (typeof value === 'number') return numberFault(value);
  if (Array.isArray(value)) return firstFault(value, depth);
  if (typeof value !== 'object') return `holds a ${typeof value}`;
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return 'holds an object that is no plain JSON';
  if (Object.hasOwn(value, '__proto__')) return "holds the key '__proto__'";
  return firstFault(Object.values(value), depth);
}

function firstFault(values: unknown[], depth: number): string | null {
  for (const item of values) {
    const fault = jsonFault(item, depth + 1);
    if (fault) return fault;
  }
  return null;
}

function numberFault(value: number): string | null {
  if (!Number.isFinite(value)) return 'holds a number that JSON cannot write';
  if (Number.isInteger(value) && !Number.isSafeInteger(value))
    return `holds the integer ${value}, beyond 2^53`;
  return null;
}

/** The same value with the keys of every object in code point order: equal values get equal bytes. */
export function sortKeys<T extends JsonValue>(value: T): T {
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map(sortKeys) as T;
  const keys = Object.keys(value).sort(compareCodePoints);
  return Object.fromEntries(keys.map((key) => [key, sortKeys((value as JsonObject)[key]!)])) as T;
}

function checkJson(value: unknown, context: z.RefinementCtx): void {
  const fault = jsonFault(value) ?? sizeFault(value);
  if (fault) context.addIssue({ code: 'custom', message: fault });
}

function sizeFault(value: unknown): string | null {
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return null;
  if (Buffer.byteLength(JSON.stringify(value)) > jsonBytesMax) return 'is larger than 1 MiB';
  return null;
}

/** Any JSON value within the limits. */
export const Json = z
  .unknown()
  .superRefine(checkJson)
  .transform((value) => sortKeys(value as JsonValue));

/** A JSON object within the limits. */
export const JsonRecord = z
  .custom<JsonObject>(
    (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
    'is no JSON object',
  )
  .superRefine(checkJson)
  .transform((value) => sortKeys(value));

/** Text that a user gives: any characters but lone surrogates, up to the size limit of a value. */
export const Text = z
  .string()
  .refine((text) => !/\p{Surrogate}/u.test(text), 'holds half of a character')
  .refine((text) => text.length <= jsonBytesMax, 'is larger than 1 MiB');
