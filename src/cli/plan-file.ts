import { GitStateError } from '../errors.ts';
import type { PlannedFeature } from '../store/api/features.ts';
import { readDocument } from './document-file.ts';

const shape = 'a plan is {features: [{id, name, priority, phase, dependencies, steps, data}]}';
const textKeys = new Set(['id', 'name', 'priority']);
const listKeys = new Set(['dependencies', 'steps']);
const keys = new Set([...textKeys, ...listKeys, 'phase', 'data']);

/** Reads a plan from a file, or from standard input for `-`. @throws INVALID_INPUT with the path of the fault */
export async function readPlan(file: string, cwd: string): Promise<PlannedFeature[]> {
  const isText = (keys: readonly string[]) =>
    // Only fields of features, which lie two pairs deep: what is in `data` is the user's.
    keys.length === 2 && keys[0] === 'features' && (textKeys.has(keys[1]!) || listKeys.has(keys[1]!));
  return checkPlan(await readDocument(file, { cwd, what: 'plan', shape, isText }));
}

function checkPlan(plan: unknown): PlannedFeature[] {
  const top = record(plan, 'the plan');
  refuseOthers(top, new Set(['features']), '');
  if (!Array.isArray(top.features)) throw fault('features', 'is no list');
  if (top.features.length === 0) throw fault('features', 'is empty');
  return top.features.map((feature, index) => checkFeature(feature, `features[${index}]`));
}

function checkFeature(value: unknown, path: string): PlannedFeature {
  const feature = record(value, path);
  refuseOthers(feature, keys, `${path}.`);
  if (feature.id === undefined) throw fault(`${path}.id`, 'is missing');
  for (const [key, item] of Object.entries(feature)) {
    const place = `${path}.${key}`;
    const absent = item === null && key !== 'id';
    if (absent) delete feature[key];
    else if (textKeys.has(key) && typeof item !== 'string') throw fault(place, 'is no text');
    else if (listKeys.has(key)) checkList(item, place);
    else if (key === 'phase' && typeof item !== 'number') throw fault(place, 'is no number');
    else if (key === 'data') record(item, place);
  }
  return feature as unknown as PlannedFeature;
}

function checkList(value: unknown, path: string): void {
  if (!Array.isArray(value)) throw fault(path, 'is no list');
  value.forEach((item, index) => {
    if (typeof item !== 'string') throw fault(`${path}[${index}]`, 'is no text');
  });
}

function record(value: unknown, path: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw fault(path, 'is no object');
}

function refuseOthers(value: object, known: ReadonlySet<string>, path: string): void {
  const other = Object.keys(value).find((key) => !known.has(key));
  if (other !== undefined) throw fault(`${path}${other}`, 'is no field of a plan');
}

function fault(path: string, what: string): GitStateError {
  return new GitStateError('INVALID_INPUT', `${path}: ${what}`, { hint: shape, details: { path } });
}
