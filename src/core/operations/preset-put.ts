import { GitStateError } from '../../errors.ts';
import { Preset } from '../entities.ts';
import { keyOf } from '../ids.ts';
import { builtInPresets } from '../presets.ts';
import { requireStore, type State } from '../state.ts';
import { type OperationIn, storeOperation } from './define.ts';

/** A preset of the users' own, for sessions to come. */
export const PresetPut = storeOperation('preset.put', () => ({ preset: Preset }));
export type PresetPut = OperationIn<typeof PresetPut>;

/** @throws ALREADY_EXISTS for the name of a built-in one. */
export function applyPresetPut(state: State, { args: { preset } }: PresetPut): State {
  requireStore(state);
  if (builtInPresets().some(({ name }) => keyOf(name) === keyOf(preset.name))) {
    throw new GitStateError('ALREADY_EXISTS', `'${preset.name}' is a built-in preset`, {
      hint: 'choose another name',
    });
  }
  return { ...state, presets: state.presets.with(keyOf(preset.name), preset) };
}

export function describePresetPut({ args }: PresetPut): string {
  return `put preset ${args.preset.name}`;
}
