/** A short text form of many values of few shapes. Key lists and parts that recur, such as the untouched steps of a
 *  plan, stand in it once; a row can be read without the others. Values are JSON, and decoded parts are shared. */

type Row = readonly [key: string, shape: number, ...fields: unknown[]];

/** What rows refer to. */
export interface Dictionary {
  shapes: (readonly string[])[];
  /** Recurring parts, as JSON. */
  parts: string[];
}

/** Stands for `parts[number]`; no value of ours is an object with this key alone, and one that is goes unshared. */
interface Reference {
  '': number;
}

/** Rows that are read together. */
export const chunkRows = 64;
/** Parts shorter than a reference are not worth one. */
const partMin = 12;

/** What came once; its place among the parts is given out when it comes again. */
const once = -1;

export class Packer {
  readonly dictionary: Dictionary = { shapes: [], parts: [] };
  readonly #shapes = new Map<string, number>();
  #lastShape = once;
  readonly #parts = new Map<string, number>();
  /** What was found for objects that are shared, so that they are written but once. */
  readonly #known = new WeakMap<object, number>();

  /** The text of some rows: a JSON array. */
  pack(rows: readonly (readonly [string, unknown])[]): string {
    return JSON.stringify(rows.map(([key, value]) => this.#row(key, value as Record<string, unknown>)));
  }

  #row(key: string, value: Record<string, unknown>): Row {
    const shape = this.#shapeOf(value);
    const row: [string, number, ...unknown[]] = [key, shape];
    for (const name of this.dictionary.shapes[shape]!) row.push(this.#field(value[name]));
    return row;
  }

  /** Neighbours mostly have the same one. */
  #shapeOf(value: Record<string, unknown>): number {
    let names = Object.keys(value);
    if (Object.values(value).includes(undefined)) names = names.filter((name) => value[name] !== undefined);
    const last = this.dictionary.shapes[this.#lastShape];
    if (last?.length === names.length && names.every((name, index) => name === last[index]))
      return this.#lastShape;
    const list = JSON.stringify(names);
    const shape = this.#shapes.get(list) ?? this.dictionary.shapes.push(names) - 1;
    this.#shapes.set(list, shape);
    this.#lastShape = shape;
    return shape;
  }

  #field(field: unknown): unknown {
    if (typeof field !== 'object' || field === null) return field;
    const known = this.#known.get(field);
    if (known !== undefined) return { '': known } satisfies Reference;
    const text = JSON.stringify(field);
    const isReference = text.startsWith('{"":');
    if (text.length < partMin && !isReference) return field;
    let part = this.#parts.get(text);
    if (part === undefined && !isReference) {
      this.#parts.set(text, once);
      return field;
    }
    if (part === undefined || part === once) {
      part = this.dictionary.parts.push(text) - 1;
      this.#parts.set(text, part);
    }
    this.#known.set(field, part);
    return { '': part } satisfies Reference;
  }
}

export class Unpacker {
  readonly #dictionary: Dictionary;
  readonly #parts: unknown[] = [];

  constructor(dictionary: Dictionary) {
    this.#dictionary = dictionary;
  }

  unpack<V>(text: string): [string, V][] {
    return (JSON.parse(text) as Row[]).map((row) => [row[0], this.#value(row) as V]);
  }

  #value(row: Row): Record<string, unknown> {
    const names = this.#dictionary.shapes[row[1]]!;
    const value: Record<string, unknown> = {};
    for (let index = 0; index < names.length; index += 1) {
      const field = row[index + 2];
      const refers = typeof field === 'object' && field !== null && '' in field;
      value[names[index]!] = refers ? this.#part((field as Reference)['']) : field;
    }
    return value;
  }

  #part(number: number): unknown {
    this.#parts[number] ??= JSON.parse(this.#dictionary.parts[number]!);
    return this.#parts[number];
  }
}
