import { equalJson, type JsonObject, type JsonValue } from '../core/json.ts';
import type { Warning } from './imported.ts';
import { isObject, type Node, own, pathTo } from './reading.ts';

/** How nothing of a document is lost. An entity says most of what its object in the document said. The rest is
 *  remembered in the entity's `data` when the document comes in, and recalled when a document goes out:
 *
 *  - `data["<format>"]`: fields that gitstate does not know, at their place;
 *  - `data["<format>.as_imported"]`: fields that the document left out or wrote otherwise than we would, each with what
 *    we would have written (`computed`) and what stood there (`document`, missing where it was absent). Such a note
 *    holds only as long as we would still write the same: what happens later wins. */

/** What is known of one kind of object in a document. */
export interface Shape {
  /** Computed fields: they are not kept, and those that differ are reported. Absent and null ones stay so. */
  readonly derived?: readonly string[];
  /** Objects that are compared field by field. */
  readonly nested?: { readonly [key: string]: Shape };
  /** Maps and lists whose entries remember what is theirs. */
  readonly children?: readonly string[];
  /** Fields whose note holds only while the entity is at the moment at which it was imported. */
  readonly passing?: readonly string[];
}

interface Comparison {
  /** By JSON pointer: `{computed, document}`. */
  notes: Map<string, JsonObject>;
  warnings: Warning[];
}

export interface Memory {
  /** What to add to the entity's `data`. */
  data: JsonObject;
  /** Computed fields that the document had otherwise. */
  warnings: Warning[];
}

export function notesKey(format: string): string {
  return `${format}.as_imported`;
}

/** Compares an object of a document with what would be written of the entity that it became.
 *  @param moment what changes whenever the entity does. */
export function remember(
  format: string,
  shape: Shape,
  document: Node,
  written: JsonObject,
  moment: JsonObject = {},
): Memory {
  const comparison: Comparison = { notes: new Map(), warnings: [] };
  const unknown = compare(shape, document, written, '', comparison);
  const data: JsonObject = {};
  if (Object.keys(unknown).length > 0) data[format] = unknown;
  if (comparison.notes.size > 0) {
    data[notesKey(format)] = { moment, fields: Object.fromEntries(comparison.notes) };
  }
  return { data, warnings: comparison.warnings };
}

/** The memory of an entity that the document does not have: it is not written while it is as it is now. */
export function rememberAbsent(format: string, written: JsonObject): JsonObject {
  return { [notesKey(format)]: { moment: {}, fields: { '': { computed: written } } } };
}

/** @returns the fields of `document` that are not known. */
function compare(
  shape: Shape,
  document: Node,
  written: JsonObject,
  prefix: string,
  found: Comparison,
): JsonObject {
  const unknown = new Map<string, JsonValue>();
  for (const [key, value] of Object.entries(document.value)) {
    const now = own(written, key);
    if (now === undefined) {
      unknown.set(key, value);
      continue;
    }
    const [pointer, path] = [pointerTo(prefix, key), pathTo(document.path, key)];
    const nested = own(shape.nested ?? {}, key);
    if (nested && isObject(value) && isObject(now)) {
      const inner = compare(nested, { value, path }, now, pointer, found);
      if (Object.keys(inner).length > 0) unknown.set(key, inner);
    } else if (shape.derived?.includes(key)) {
      if (value === null) found.notes.set(pointer, { document: null, computed: null });
      if (!sameFigure(value, now)) found.warnings.push({ path, stored: value, computed: now });
    } else if (!(shape.children?.includes(key) && value !== null) && !equalJson(value, now)) {
      found.notes.set(pointer, { document: value, computed: now });
    }
  }
  for (const [key, now] of Object.entries(written)) {
    if (Object.hasOwn(document.value, key)) continue;
    found.notes.set(pointerTo(prefix, key), { computed: shape.derived?.includes(key) ? null : now });
  }
  return Object.fromEntries(unknown);
}

/** Sums made in binary may end in digits that mean nothing. */
function sameFigure(stored: JsonValue, computed: JsonValue): boolean {
  if (typeof stored === 'number' && typeof computed === 'number') return Math.abs(stored - computed) < 5e-7;
  return equalJson(stored, computed);
}

/** What is written of an entity, with everything in it that its `data` remembers of a document.
 *  @returns undefined where the document did not have it at all. */
export function recall(
  format: string,
  shape: Shape,
  written: JsonObject,
  data: JsonObject,
  moment: JsonObject = {},
): JsonObject | undefined {
  const book = objectAt(data, notesKey(format));
  const notes = objectAt(book, 'fields');
  const whole = own(notes, '');
  if (isObject(whole) && equalJson(whole.computed, written)) return undefined;
  const unchanged = equalJson(objectAt(book, 'moment'), moment);
  return restored(shape, written, objectAt(data, format), { notes, unchanged }, '');
}

function restored(
  shape: Shape,
  written: JsonObject,
  unknown: JsonObject,
  memory: { notes: JsonObject; unchanged: boolean },
  prefix: string,
): JsonObject {
  const result = new Map(Object.entries(written));
  for (const [key, value] of Object.entries(unknown)) if (!result.has(key)) result.set(key, value);
  for (const [key, now] of Object.entries(written)) {
    const pointer = pointerTo(prefix, key);
    const note = own(memory.notes, pointer);
    const nested = own(shape.nested ?? {}, key);
    if (isObject(note) && noteHolds(shape, key, note, now, memory.unchanged)) {
      const document = own(note, 'document');
      if (document === undefined) result.delete(key);
      else result.set(key, document);
    } else if (nested && isObject(now)) {
      result.set(key, restored(nested, now, objectAt(unknown, key), memory, pointer));
    }
  }
  return Object.fromEntries(result);
}

function noteHolds(shape: Shape, key: string, note: JsonObject, now: JsonValue, unchanged: boolean): boolean {
  if (shape.derived?.includes(key)) return true;
  if (shape.passing?.includes(key) && Object.hasOwn(note, 'document') && !unchanged) return false;
  return equalJson(own(note, 'computed') ?? null, now);
}

export function objectAt(object: JsonObject, key: string): JsonObject {
  const value = own(object, key);
  return isObject(value) ? value : {};
}

function pointerTo(prefix: string, key: string): string {
  return `${prefix}/${key.replace(/~/g, '~0').replace(/\//g, '~1')}`;
}
