import * as z from 'zod';
import { compareCodePoints } from './ids.ts';

export type JsonValue = string | number | boolean | null | JsonValue[] | { [key: string]: JsonValue };
export type JsonObject = { [key: string]: JsonValue };

/** Limits of one value that a user gives, in bytes of JSON and in levels of nesting. */
export const jsonBytesMax = 1024 * 1024;
export const jsonDepthMax = 64;

/** Says why `value` cannot be stored as JSON without loss; null when it can. Stops at the depth limit, so that
 *  a hostile value cannot exhaust the stack.
 *  @param levels arrays and objects that may stand within each other. */
export function jsonFault(value: unknown, levels = jsonDepthMax): string | null {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return null;
  if (typeof value === 'number') return numberFault(value);
  if (typeof value !== 'object') return `holds a ${typeof value}`;
  if (levels === 0) return `is nested deeper than ${jsonDepthMax} levels`;
  if (Array.isArray(value)) return firstFault(value, levels);
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return 'holds an object that is no plain JSON';
  if (Object.hasOwn(value, '__proto__')) return protoFault;
  return firstFault(Object.values(value), levels);
}

/** Assigning to this key changes an object's prototype instead of adding an entry. */
const protoFault = "holds the key '__proto__'";

function firstFault(values: unknown[], levels: number): string | null {
  for (const item of values) {
    const fault = jsonFault(item, levels - 1);
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

/** The same value with the keys of every object in code point order: equal values get equal bytes. JSON has no
 *  negative zero. */
export function sortKeys<T extends JsonValue>(value: T): T {
  if (typeof value === 'number') return unsigned(value) as T;
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map(sortKeys) as T;
  return sortRecord(value, (item) => sortKeys(item)) as T;
}

/** Whether two values are the same JSON, in whatever order their keys stand. */
export function equalJson(a: unknown, b: unknown): boolean {
  return (
    Object.is(a, b) || JSON.stringify(sortKeys(a as JsonValue)) === JSON.stringify(sortKeys(b as JsonValue))
  );
}

function sortRecord<V>(record: Record<string, V>, map: (value: V) => V): Record<string, V> {
  const keys = Object.keys(record).sort(compareCodePoints);
  return Object.fromEntries(keys.map((key) => [key, map(record[key]!)]));
}

/** The number as JSON reads it back: -0 is 0. */
export function unsigned(value: number): number {
  return value + 0;
}

/** As `jsonFault`, and whether it is too large. */
export function valueFault(value: unknown): string | null {
  return jsonFault(value) ?? sizeFault(value);
}

function checkJson(value: unknown, context: z.RefinementCtx): void {
  const fault = valueFault(value);
  if (fault) context.addIssue({ code: 'custom', message: fault });
}

function sizeFault(value: unknown): string | null {
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return null;
  return bytesFault(JSON.stringify(value));
}

function bytesFault(text: string): string | null {
  return Buffer.byteLength(text) > jsonBytesMax ? 'is larger than 1 MiB' : null;
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

/** An object of many entries of one kind, in the order of its keys. zod's own record drops the key `__proto__`
 *  without a word; here it is refused. */
export function recordOf<K extends z.core.$ZodRecordKey, V extends z.ZodType>(key: K, value: V) {
  return z
    .unknown()
    .refine((given) => !(given instanceof Object && Object.hasOwn(given, '__proto__')), protoFault)
    .pipe(z.record(key, value))
    .transform((record) => sortRecord(record as Record<string, z.infer<V>>, (item) => item) as typeof record);
}

/** A number that reads back from JSON as what it was. */
export const PlainNumber = z
  .number()
  .refine((value) => numberFault(value) === null, 'is beyond 2^53')
  .overwrite(unsigned);

/** Says why `text` is none that is stored; null when it is. */
export function textFault(text: string): string | null {
  if (/\p{Surrogate}/u.test(text)) return 'holds half of a character';
  // No unit of a text has more than three bytes.
  return text.length * 3 <= jsonBytesMax ? null : bytesFault(text);
}

/** Text that a user gives, of whatever characters but lone surrogates, up to the size limit of a value. */
export const Text = z.string().superRefine((text, context) => {
  const fault = textFault(text);
  if (fault) context.addIssue({ code: 'custom', message: fault });
});
