import { compareCodePoints } from '../core/ids.ts';

/** The one way to write JSON on the branch: two-space indent, fixed key order, a newline at the end. Key order is that
 *  of the schema that parsed the value; the keys of users' own JSON are sorted when they come in. */
export function canonicalJson(value: unknown): string {
  const text = JSON.stringify(value, null, 2);
  // JavaScript puts keys such as `10` before all others and orders them by value, whatever order was asked for.
  return /^ *"\d+":/m.test(text) ? `${written(value, '\n')}\n` : `${text}\n`;
}

/** @param newline the line break with the indent of the present level. */
function written(value: unknown, newline: string): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const inner = `${newline}  `;
  const join = (open: string, items: string[], close: string) =>
    items.length === 0 ? open + close : `${open}${inner}${items.join(`,${inner}`)}${newline}${close}`;
  if (Array.isArray(value)) {
    const items = value.map((item) => written(item, inner));
    return join('[', items, ']');
  }
  const members = keysInOrder(value).map(
    (key) => `${JSON.stringify(key)}: ${written((value as Record<string, unknown>)[key], inner)}`,
  );
  return join('{', members, '}');
}

/** Entities have no keys of digits, so an object that has one is a user's or a record, and sorted by key. */
function keysInOrder(object: object): string[] {
  const keys = Object.keys(object);
  return keys.some((key) => /^\d+$/.test(key)) ? keys.sort(compareCodePoints) : keys;
}
