import { type Change, pointerTo } from './diff.ts';
import { equalJson } from './json.ts';

/** Taking one change back while later ones stay: each field that `after` changed in `before` gets its old value, if
 *  `now` still has what `after` made of it. What was changed again stands in the way, and is told as a diff tells it. */

/** What a change since is about. */
export type Subject = Pick<Change, 'entity' | 'session' | 'id'>;

/** The object `now` with the fields back that differ between `before` and `after`; null stands for an entity that is
 *  not there.
 *  @param clashes gets what stands in the way: from what `after` left to what stands there now.
 *  @param ignored fields at the top that are nobody's to take back. */
export function revertFields<T extends object>(
  subject: Subject,
  versions: { before: T; after: T; now: T },
  ignored: ReadonlySet<string>,
  clashes: Change[],
): T {
  const result = new Map<string, unknown>(Object.entries(versions.now));
  const [before, after] = [mapOf(versions.before), mapOf(versions.after)];
  for (const key of new Set([...before.keys(), ...after.keys()])) {
    if (ignored.has(key)) continue;
    const fields = { before: before.get(key), after: after.get(key), now: result.get(key) };
    put(result, key, revert(subject, fields, pointerTo('', key), clashes));
  }
  return Object.fromEntries(result) as T;
}

interface Versions {
  before: unknown;
  after: unknown;
  now: unknown;
}

/** Undefined stands for what is not there. */
function revert(
  subject: Subject,
  { before, after, now }: Versions,
  path: string,
  clashes: Change[],
): unknown {
  if (same(before, after)) return now;
  if (same(now, after)) return before;
  const [old, made, present] = [mapOrNull(before), mapOrNull(after), mapOrNull(now)];
  if (old && made && present && sameShape(before, after, now)) {
    const result = new Map(present);
    for (const key of new Set([...old.keys(), ...made.keys()])) {
      const versions = { before: old.get(key), after: made.get(key), now: present.get(key) };
      put(result, key, revert(subject, versions, pointerTo(path, key), clashes));
    }
    return Array.isArray(now) ? [...result.values()] : Object.fromEntries(result);
  }
  clashes.push({ ...subject, path, from: after ?? null, to: now ?? null });
  return now;
}

/** Lists are compared place by place where they name the same steps; any other list is one value. */
function sameShape(...values: unknown[]): boolean {
  if (!values.some(Array.isArray)) return true;
  const names = values.map((value) => (Array.isArray(value) ? value.map((item) => item?.name) : [undefined]));
  return names.every((list) => !list.includes(undefined) && same(list, names[0]));
}

function same(a: unknown, b: unknown): boolean {
  if (a === undefined || b === undefined) return a === b;
  return equalJson(a, b);
}

function mapOf(value: object): Map<string, unknown> {
  return new Map(Object.entries(value));
}

function mapOrNull(value: unknown): Map<string, unknown> | null {
  return typeof value === 'object' && value !== null ? mapOf(value) : null;
}

function put(map: Map<string, unknown>, key: string, value: unknown): void {
  if (value === undefined) map.delete(key);
  else map.set(key, value);
}
