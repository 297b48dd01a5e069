import type * as z from 'zod';
import { GitStateError } from '../errors.ts';
import { Budgets, Preset } from './entities.ts';
import { keyOf } from './ids.ts';
import type { State } from './state.ts';

const common = {
  steps: [],
  budgets: { steps: {}, feature: null, day: null },
  max_retries: 3,
  lease: '15m',
  auto_checkpoints: false,
  quality_min: {},
  session_id: 'date',
};

/** The presets that come with gitstate, in the form in which users write their own. */
const builtIn = [
  { ...common, name: 'none' },
  { ...common, name: 'parallel-dev' },
  {
    ...common,
    name: 'orchestrator',
    steps: ['specify', 'clarify', 'plan', 'tasks', 'analyze', 'implement'],
    session_id: 'orchestrator',
  },
  {
    ...common,
    name: 'production',
    steps: ['research', 'script', 'audio'],
    budgets: { steps: { research: 2, script: 2, audio: 3 }, feature: 7, day: 50 },
    auto_checkpoints: true,
    session_id: 'production',
  },
];

let parsed: readonly Preset[] | undefined;

/** Most commands start no session, and so need none of them. */
export function builtInPresets(): readonly Preset[] {
  parsed ??= builtIn.map((preset) => Preset.parse(preset));
  return parsed;
}

/** A preset as people write it: what is left out is as in `none`. */
export const GivenPreset = Preset.partial()
  .extend({ budgets: Budgets.partial().optional() })
  .transform((given): Preset => {
    const [plain] = builtInPresets() as [Preset];
    return { ...plain, ...given, budgets: { ...plain.budgets, ...given.budgets } };
  });
export type GivenPreset = z.input<typeof GivenPreset>;

export function findPreset(state: State, name: string | null): Preset | undefined {
  const wanted = keyOf(name ?? 'none');
  return builtInPresets().find((preset) => preset.name === wanted) ?? state.presets.get(wanted);
}

/** The preset of a name, built in or kept in the store; null means the one without steps and budgets.
 *  @throws INVALID_INPUT */
export function requirePreset(state: State, name: string | null): Preset {
  const found = findPreset(state, name);
  if (found) return found;
  const known = [
    ...builtInPresets().map((preset) => preset.name),
    ...[...state.presets.values()].map((p) => p.name),
  ];
  throw new GitStateError('INVALID_INPUT', `no preset '${name}'`, {
    hint: `presets: ${known.join(', ')}`,
    details: { presets: known },
  });
}
