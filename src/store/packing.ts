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

export class Packer {
  readonly dictionary: Dictionary = { shapes: [], parts: [] };
  readonly #shapes = new Map<string, number>();
  readonly #parts = new Map<string, number>();

  /** The text of some rows: a JSON array. */
  pack(rows: readonly (readonly [string, unknown])[]): string {
    return JSON.stringify(rows.map(([key, value]) => this.#row(key, value as Record<string, unknown>)));
  }

  #row(key: string, value: Record<string, unknown>): Row {
    const names = Object.keys(value).filter((name) => value[name] !== undefined);
    const list = JSON.stringify(names);
    let shape = this.#shapes.get(list);
    if (shape === undefined) {
      shape = this.dictionary.shapes.push(names) - 1;
      this.#shapes.set(list, shape);
    }
    return [key, shape, ...names.map((name) => this.#field(value[name]))];
  }

  #field(field: unknown): unknown {
    if (typeof field !== 'object' || field === null) return field;
    const text = JSON.stringify(field);
    if (text.length < partMin && !text.startsWith('{"":')) return field;
    let part = this.#parts.get(text);
    if (part === undefined) {
      part = this.dictionary.parts.push(text) - 1;
      this.#parts.set(text, part);
    }
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
