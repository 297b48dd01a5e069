import { z } from 'zod';
import { claimFits, Feature, Step } from '../core/entities.ts';
import { FeatureId, idFault, PresetName, SessionId, StepName, WorkerId } from '../core/ids.ts';
import { type JsonObject, JsonRecord, sortKeys, Text, textFault, valueFault } from '../core/json.ts';

/** Judges documents as their schemas do, in a fraction of the time, where they are as gitstate writes them: with all
 *  keys in their order. Of all others it says nothing. */

/** Whatever the schema may say of it. */
export const unsure = Symbol('unsure');

/** Gives what the schema gives, or `unsure`. The value must be fresh from `JSON.parse` and in no other hands: it is
 *  changed in place, and parts that recur are shared. */
export type Quick = (value: unknown) => unknown;

/** How long a text may be to be remembered. */
const rememberedMax = 64;
const remembersMax = 4096;

const isId = (value: unknown) => typeof value === 'string' && idFault(value) === null;
const isText = (value: unknown) => typeof value === 'string' && textFault(value) === null;

/** Rules that are asked so often, of so many values, that they are worth a look of their own. */
const rules = new Map<z.ZodType, (value: unknown) => boolean>([
  ...[SessionId, FeatureId, WorkerId, StepName, PresetName].map((id) => [id, isId] as const),
  [Text, isText],
]);

/** Rules of an object beyond those of its fields. */
const wholes = new Map<z.ZodType, (value: never) => boolean>([[Feature, claimFits]]);

const made = new WeakMap<z.ZodType, Quick>();

export function quickOf(schema: z.ZodType): Quick {
  let quick = made.get(schema);
  if (quick === undefined) {
    quick = make(schema);
    made.set(schema, quick);
  }
  return quick;
}

function make(schema: z.ZodType): Quick {
  const rule = rules.get(schema);
  if (rule) return (value) => (rule(value) ? value : unsure);
  if (schema === JsonRecord) return jsonRecord;
  if (schema === Step) return sharing(Step, 'name');
  if (schema instanceof z.ZodNullable) return nullable(quickOf(schema.unwrap() as z.ZodType));
  if (schema instanceof z.ZodArray && !hasChecks(schema)) {
    const element = quickOf(schema.element as z.ZodType);
    return schema.element === Step ? sharingAll(element) : array(element);
  }
  if (schema instanceof z.ZodObject && isStrict(schema) && hasChecks(schema) === wholes.has(schema))
    return object(schema, wholes.get(schema) as ((value: unknown) => boolean) | undefined);
  return isRecord(schema) ? record(schema) : asked(schema);
}

function hasChecks(schema: z.ZodType): boolean {
  return (schema.def.checks?.length ?? 0) > 0;
}

function isStrict(schema: z.ZodObject): boolean {
  return schema.def.catchall instanceof z.ZodNever;
}

/** One made by `recordOf`. */
function isRecord(schema: z.ZodType): boolean {
  const inner = schema instanceof z.ZodPipe ? schema.in : null;
  return inner instanceof z.ZodPipe && inner.out instanceof z.ZodRecord;
}

function nullable(inner: Quick): Quick {
  return (value) => (value === null ? null : inner(value));
}

function array(element: Quick): Quick {
  return (value) => {
    if (!Array.isArray(value)) return unsure;
    for (let index = 0; index < value.length; index += 1) {
      const given = element(value[index]);
      if (given === unsure) return unsure;
      value[index] = given;
    }
    return value;
  };
}

function object(schema: z.ZodObject, rule: ((value: unknown) => boolean) | undefined): Quick {
  const names = Object.keys(schema.shape);
  const fields = names.map((name) => quickOf(schema.shape[name] as z.ZodType));
  return (value) => {
    if (typeof value !== 'object' || value === null) return unsure;
    const keys = Object.keys(value);
    if (keys.length !== names.length) return unsure;
    const members = value as Record<string, unknown>;
    for (let index = 0; index < names.length; index += 1) {
      const name = names[index]!;
      if (keys[index] !== name) return unsure;
      const member = members[name];
      const given = fields[index]!(member);
      if (given === unsure) return unsure;
      if (!Object.is(given, member)) members[name] = given;
    }
    return rule === undefined || rule(value) ? value : unsure;
  };
}

function jsonRecord(value: unknown): unknown {
  if (!isObject(value)) return unsure;
  if (isEmpty(value)) return value;
  return valueFault(value) === null ? sortKeys(value as JsonObject) : unsure;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isEmpty(value: object): boolean {
  for (const _ in value) return false;
  return true;
}

/** Gives the last one of the same name where nothing else is in them: the steps that wait are alike in all features. */
function sharing(schema: z.ZodObject, name: string): Quick {
  const last = new Map<unknown, object>();
  const judge = object(schema, undefined);
  return (value) => {
    if (!isObject(value)) return unsure;
    const key = (value as Record<string, unknown>)[name];
    const known = last.get(key);
    if (known && areAlike(value, known)) return known;
    const given = judge(value);
    if (given === unsure) return unsure;
    if (last.size >= remembersMax) last.clear();
    last.set(key, given as object);
    return given;
  };
}

/** Gives the last array again where the elements are the same ones. */
function sharingAll(element: Quick): Quick {
  const judge = array(element);
  let last: unknown[] = [];
  return (value) => {
    if (value === last) return last;
    const given = judge(value);
    if (given === unsure) return unsure;
    const all = given as unknown[];
    if (all.length !== last.length || all.some((one, index) => one !== last[index])) last = all;
    return last;
  };
}

/** Whether they have the same keys in the same order, and the same values or nothing under them. */
function areAlike(one: object, other: object): boolean {
  const [keys, others] = [Object.keys(one), Object.keys(other)];
  if (keys.length !== others.length) return false;
  for (let index = 0; index < keys.length; index += 1) {
    const key = keys[index]!;
    if (key !== others[index]) return false;
    const [a, b] = [(one as Record<string, unknown>)[key], (other as Record<string, unknown>)[key]];
    if (!Object.is(a, b) && !(isObject(a) && isObject(b) && isEmpty(a) && isEmpty(b))) return false;
  }
  return true;
}

/** Nothing is no fault, whatever may stand in a record. */
function record(schema: z.ZodType): Quick {
  const others = asked(schema);
  return (value) => {
    if (!isObject(value)) return unsure;
    return isEmpty(value) ? value : others(value);
  };
}

/** Asks the schema, for each short text and each number once. */
function asked(schema: z.ZodType): Quick {
  const ask = (value: unknown) => {
    const result = schema.safeParse(value);
    return result.success ? result.data : unsure;
  };
  const known = new Map<unknown, unknown>();
  return (value) => {
    if (typeof value === 'object' || (typeof value === 'string' && value.length > rememberedMax))
      return ask(value);
    let given = known.get(value);
    if (given === undefined) {
      given = ask(value);
      if (known.size >= remembersMax) known.clear();
      known.set(value, given);
    }
    return given;
  };
}

const stepsBegin = '\n  "steps": [';
const stepsEnd = '\n  ],\n';
/** Steps that were parsed last. */
let recent = { text: '[]', steps: [] as unknown };

/** As `JSON.parse`. Neighbours mostly have the same steps, which are most of a feature: these are cut out and taken
 *  from the one before. */
export function parseFeature(text: string): unknown {
  const key = text.indexOf(stepsBegin);
  const start = key + stepsBegin.length - 1;
  const end = text.indexOf(stepsEnd, start) + stepsEnd.length - 2;
  if (key < 0 || end < start || !isOnlyKey(text, key, end)) return JSON.parse(text);
  const cut = text.slice(start, end);
  const document = JSON.parse(`${text.slice(0, start)}0${text.slice(end)}`) as Record<string, unknown>;
  if (cut !== recent.text) recent = { text: cut, steps: JSON.parse(cut) };
  document.steps = recent.steps;
  return document;
}

/** Whether the steps whose key stands at `key` are those of the document itself and no others: no object opens before
 *  them, and none has a key of that name behind them, be it written with escapes. The line break before the key says
 *  that it is in no text, as texts have none. */
function isOnlyKey(text: string, key: number, end: number): boolean {
  return text.indexOf('{', 1) > key && !text.includes('"steps"', end) && !text.includes('\\u');
}
