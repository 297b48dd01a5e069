import type { OptionSpec } from '../command.ts';
import { jsonObject, list, number, orNone, text } from '../options.ts';

export interface FeatureFlags {
  name?: string;
  priority?: string | null;
  phase?: number | null;
  needs?: string[];
  steps?: string[];
  data?: Record<string, unknown>;
}

/** What `add` settles and `update` changes. */
export const featureOptions: readonly OptionSpec[] = [
  { flags: '--name TEXT', description: 'what people call it' },
  { flags: '--priority P0..P9', description: "P0 comes first; 'none' for none", parse: orNone(text) },
  { flags: '--phase N', description: "number for ordering; 'none' for none", parse: orNone(number) },
  { flags: '--needs A,B', description: "features to be completed before; '' for none", parse: list },
  { flags: '--steps A,B', description: 'its steps in order (else those of the session)', parse: list },
  { flags: '--data JSON', description: 'data of your own, an object or @FILE', parse: jsonObject },
];

/** The given ones of `flags`, as the store takes them. */
export function featureFields({ name, priority, phase, needs, steps, data }: FeatureFlags) {
  const fields = { name, priority, phase, dependencies: needs, steps, data };
  const given = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given) as Omit<FeatureFlags, 'needs'> & { dependencies?: string[] };
}
