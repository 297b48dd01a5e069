import type * as z from 'zod';
import { keyOf } from '../core/ids.ts';
import { type JsonObject, JsonRecord, type JsonValue, jsonDepthMax, jsonFault } from '../core/json.ts';
import { type Instant, parseInstant } from '../core/time.ts';
import { GitStateError } from '../errors.ts';

/** Reading other people's documents: whatever does not fit is refused with the place where it stands. */

/** A place in a document, as JSON paths are written: `$.features["001"].status`. */
export type Path = string;

/** An object of a document, and where it stands. */
export interface Node {
  readonly value: JsonObject;
  readonly path: Path;
}

/** Levels of a document around the JSON of users: a list of sessions, a map of tasks, and one task. */
const documentLevels = 6;

export function pathTo(path: Path, key: string | number): Path {
  if (typeof key === 'number') return `${path}[${key}]`;
  return /^[A-Za-z_]\w*$/.test(key) ? `${path}.${key}` : `${path}[${JSON.stringify(key)}]`;
}

export function refused(path: Path, fault: string, hint?: string): GitStateError {
  return new GitStateError('INVALID_INPUT', `cannot read '${path}': ${fault}`, {
    hint: hint ?? 'nothing was imported; correct the document there and import it again',
    details: { path, fault },
  });
}

/** The whole document. @throws INVALID_INPUT where it holds what cannot be stored as JSON without loss. */
export function documentNode(document: unknown): Node {
  const levels = jsonDepthMax + documentLevels;
  const fault = jsonFault(document, levels);
  if (fault) throw refused(placeOfFault(document, levels, '$'), fault);
  return nodeAt(document, '$');
}

/** Goes down to the innermost value that cannot be stored. */
function placeOfFault(value: unknown, levels: number, path: Path): Path {
  if (typeof value !== 'object' || value === null || levels === 0) return path;
  const items: [string | number, unknown][] = Array.isArray(value)
    ? [...value.entries()]
    : Object.entries(value);
  const wrong = items.find(([, item]) => jsonFault(item, levels - 1));
  return wrong ? placeOfFault(wrong[1], levels - 1, pathTo(path, wrong[0])) : path;
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The entry of that very name: `constructor` is a key like any other. */
export function own<T>(record: { [key: string]: T }, key: string): T | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}

function nodeAt(value: unknown, path: Path): Node {
  if (isObject(value)) return { value, path };
  throw refused(path, 'is no JSON object');
}

/** The objects of a map, in the order of the document; none where it is absent or null. */
export function objectsIn(node: Node, key: string): [string, Node][] {
  const map = own(node.value, key) ?? null;
  if (map === null) return [];
  const { value, path } = nodeAt(map, pathTo(node.path, key));
  return Object.entries(value).map(([name, item]) => [name, nodeAt(item, pathTo(path, name))]);
}

/** The objects of a list; none where it is absent or null. */
export function listIn(node: Node, key: string): Node[] {
  const path = pathTo(node.path, key);
  const list = own(node.value, key) ?? null;
  if (list === null) return [];
  if (!Array.isArray(list)) throw refused(path, 'is no list');
  return list.map((item, index) => nodeAt(item, pathTo(path, index)));
}

/** `value` as `schema` has it. */
export function checked<S extends z.ZodType>(schema: S, value: unknown, path: Path): z.infer<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  const inner = issue.path.length === 0 ? '' : `${issue.path.map(String).join('.')} `;
  throw refused(path, inner + issue.message.replace(/^Invalid input: /, ''));
}

/** A field of a schema; null where it is absent or null. */
export function read<S extends z.ZodType>(node: Node, key: string, schema: S): z.infer<S> | null {
  const value = own(node.value, key) ?? null;
  return value === null ? null : checked(schema, value, pathTo(node.path, key));
}

export function readList<S extends z.ZodType>(node: Node, key: string, schema: S): z.infer<S>[] {
  const list = own(node.value, key) ?? null;
  const path = pathTo(node.path, key);
  if (list === null) return [];
  if (!Array.isArray(list)) throw refused(path, 'is no list');
  return list.map((item, index) => checked(schema, item, pathTo(path, index)));
}

/** A free object, kept as it is; empty where it is absent or null. */
export function readRecord(node: Node, key: string): JsonObject {
  return read(node, key, JsonRecord) ?? {};
}

/** A status, told by one of the words of the document's own format. */
export function readWord<T>(node: Node, key: string, words: ReadonlyMap<string, T>, what: string): T {
  const path = pathTo(node.path, key);
  const word = own(node.value, key);
  if (word === undefined) throw refused(path, 'is missing');
  const meaning = typeof word === 'string' ? words.get(word) : undefined;
  if (meaning !== undefined) return meaning;
  throw refused(
    path,
    `${quoted(word)} is no status of ${what}`,
    `known words: ${[...words.keys()].join(', ')}`,
  );
}

export function readTime(node: Node, key: string): Instant | null {
  const value = own(node.value, key) ?? null;
  if (value === null) return null;
  const instant = typeof value === 'string' ? parseInstant(value) : null;
  if (instant) return instant;
  throw refused(
    pathTo(node.path, key),
    `${quoted(value)} is no time with a time zone`,
    "write it as in '2025-12-26T14:30:22Z'",
  );
}

/** The same object with its times in whole seconds of UTC: an offset or a fraction is notation. */
export function withTimes(node: Node, keys: readonly string[]): Node {
  const value = new Map(Object.entries(node.value));
  for (const key of keys) if (value.has(key)) value.set(key, readTime(node, key));
  return { value: Object.fromEntries(value), path: node.path };
}

export function quoted(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return `'${text.length > 60 ? `${text.slice(0, 60)}…` : text}'`;
}

/** @throws INVALID_INPUT where two ids differ by case alone, or not at all. */
export function requireDistinct(ids: Iterable<readonly [id: string, path: Path]>, what: string): void {
  const seen = new Map<string, string>();
  for (const [id, path] of ids) {
    const twin = seen.get(keyOf(id));
    if (twin === id) throw refused(path, `there is another ${what} '${id}'`);
    if (twin !== undefined) throw refused(path, `${what} '${id}' differs from '${twin}' by case alone`);
    seen.set(keyOf(id), id);
  }
}

/** Tells the version of a document from its `version`; one of the same major version is read as it is.
 *  @returns a sentence where the version is not the one that is known; null otherwise.
 *  @throws SCHEMA_TOO_NEW for a newer major version. */
export function checkVersion(node: Node, known: string): string | null {
  const version = own(node.value, 'version') ?? null;
  if (version === null) return `the document names no version; it was read as version ${known}`;
  const path = pathTo(node.path, 'version');
  const text = typeof version === 'number' ? String(version) : version;
  if (typeof text !== 'string') throw refused(path, `${quoted(version)} is no version`);
  const major = /^(\d+)(\.|$)/.exec(text)?.[1];
  if (major === undefined) throw refused(path, `${quoted(version)} is no version`);
  const supported = Number(known.split('.')[0]);
  if (Number(major) > supported) {
    throw new GitStateError('SCHEMA_TOO_NEW', `the document has version ${text}, known is ${known}`, {
      hint: 'install a newer gitstate: npm install -g gitstate',
      details: { path, version: text, supported: known },
    });
  }
  return Number(major) < supported ? `version ${text} was read as version ${known}` : null;
}

/** The first of these values that is one. */
export function firstOf<T>(...values: (T | null | undefined)[]): T | undefined {
  return values.find((value): value is T => value !== null && value !== undefined);
}

/** The entity with more in its `data`, as its schema has it. */
export function withData<S extends z.ZodType<{ data: JsonObject }>>(
  schema: S,
  entity: z.infer<S>,
  data: JsonObject,
  { path }: Node,
): z.infer<S> {
  return checked(schema, { ...entity, data: { ...entity.data, ...data } }, path);
}

/** @returns the same node with another value of a field that it has. */
export function withField(node: Node, key: string, value: JsonValue): Node {
  return Object.hasOwn(node.value, key) ? { ...node, value: { ...node.value, [key]: value } } : node;
}
