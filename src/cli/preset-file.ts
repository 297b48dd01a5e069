import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { Preset } from '../core/entities.ts';
import { builtInPresets } from '../core/presets.ts';
import { GitStateError } from '../errors.ts';
import { readDocument } from './document-file.ts';

const shape =
  'a preset is {name, steps, budgets: {steps, feature, day}, max_retries, lease, auto_checkpoints, quality_min, session_id}';
const keys = new Set<string>(Preset.keyof().options);

/** Whether `--preset` was given a file: one that is there, or a name that only a file has. */
export function isPresetFile(given: string, cwd: string): boolean {
  if (builtInPresets().some(({ name }) => name === given)) return false;
  if (/\.(json|ya?ml)$/i.test(given)) return true;
  return statSync(resolve(cwd, given), { throwIfNoEntry: false })?.isFile() === true;
}

/** Reads a preset from JSON or YAML. Its values are checked where they are used. @throws INVALID_INPUT */
export async function readPreset(file: string, cwd: string): Promise<Record<string, unknown>> {
  const isText = (path: readonly string[]) => path.length === 1 && ['name', 'steps'].includes(path[0]!);
  const document = await readDocument(file, { cwd, what: 'preset', shape, isText });
  if (typeof document !== 'object' || document === null || Array.isArray(document)) {
    throw new GitStateError('INVALID_INPUT', 'the preset is no object', { hint: shape });
  }
  const other = Object.keys(document).find((key) => !keys.has(key));
  if (other !== undefined) {
    throw new GitStateError('INVALID_INPUT', `${other}: is no field of a preset`, { hint: shape });
  }
  return document as Record<string, unknown>;
}
