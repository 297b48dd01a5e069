import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { GitStateError } from '../errors.ts';
import type { PlannedFeature } from '../store/api/features.ts';

const shape = 'a plan is {features: [{id, name, priority, phase, dependencies, steps, data}]}';
const textKeys = new Set(['id', 'name', 'priority']);
const listKeys = new Set(['dependencies', 'steps']);
const keys = new Set([...textKeys, ...listKeys, 'phase', 'data']);

/** Reads a plan from a file, or from standard input for `-`. @throws INVALID_INPUT with the path of the fault */
export async function readPlan(file: string, cwd: string): Promise<PlannedFeature[]> {
  const source = await readSource(file, cwd);
  return checkPlan(looksLikeJson(file, source) ? parseJson(source) : await parseYaml(source));
}

async function readSource(file: string, cwd: string): Promise<string> {
  try {
    const bytes = file === '-' ? await readStandardInput() : await readFile(resolve(cwd, file));
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why =
      code === 'ENOENT'
        ? 'there is no such file'
        : code === 'ERR_ENCODING_INVALID_ENCODED_DATA'
          ? 'it is no UTF-8'
          : code;
    throw new GitStateError('INVALID_INPUT', `cannot read the plan '${file}': ${why}`, {
      hint: 'give a file, or - for standard input',
      cause: error,
    });
  }
}

async function readStandardInput(): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function looksLikeJson(file: string, source: string): boolean {
  return /\.json$/i.test(file) || /^\s*[{[]/.test(source);
}

function parseJson(source: string): unknown {
  try {
    return JSON.parse(source);
  } catch (error) {
    throw new GitStateError('INVALID_INPUT', `the plan is no valid JSON: ${(error as Error).message}`, {
      hint: shape,
    });
  }
}

/** YAML 1.2. Ids and names that look like numbers stay as they are written: `id: 001` is '001'. */
async function parseYaml(source: string): Promise<unknown> {
  const { isMap, isScalar, parseDocument, visit } = await import('yaml');
  const document = parseDocument(source, { version: '1.2', uniqueKeys: true });
  const fault = document.errors[0];
  if (fault) {
    throw new GitStateError('INVALID_INPUT', `the plan is no valid YAML: ${fault.message.split('\n')[0]}`, {
      hint: shape,
    });
  }
  visit(document, {
    Scalar(place, node, path) {
      if (place === 'key' || typeof node.value !== 'number' || node.source === undefined) return;
      const pairs = path.flatMap((one) => ('key' in one && isScalar(one.key) ? [String(one.key.value)] : []));
      const key = pairs.at(-1);
      // Only fields of features, which lie two pairs deep at most: what is in `data` is the user's.
      const own = pairs.length === 2 && pairs[0] === 'features' && isMap(document.contents);
      if (own && key !== undefined && (textKeys.has(key) || listKeys.has(key))) node.value = node.source;
    },
  });
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    throw new GitStateError('INVALID_INPUT', `the plan is no valid YAML: ${(error as Error).message}`, {
      hint: shape,
    });
  }
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
