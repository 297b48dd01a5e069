import { command, opIdOf } from '../command.ts';
import { list } from '../options.ts';
import { counted } from '../views/time.ts';
import { type SessionFlags, sessionFields, sessionOptions } from './session-options.ts';

interface StartFlags extends SessionFlags {
  preset?: string;
  steps?: string[];
}

export const sessionStart = command<StartFlags>({
  operands: '[ID]',
  description:
    'Starts a session: one run of work with its own steps, budgets and features. Its id is made from the date ' +
    'unless one is given. Options override the preset.',
  options: [
    {
      flags: '--preset NAME',
      description: 'orchestrator, parallel-dev, production, one of your own, or a file (else that of init)',
    },
    { flags: '--steps A,B,C', description: 'the steps of its features, in order', parse: list },
    ...sessionOptions,
  ],
  examples: [
    'git state session start',
    'git state session start sprint-7 --steps plan,code,review --budget-day 20',
    'git state session start --preset web.yaml --quality-min tests=8',
    'export GITSTATE_SESSION=$(git state session start --preset orchestrator)',
  ],
  pipe: 'ID',
  writes: true,
  async run(invocation) {
    const { options, operands, flags, cwd } = invocation;
    const store = await invocation.store();
    const session = operands.get('ID') ?? flags.session;
    const { preset, steps } = options;
    const value = await store.sessionStart({
      ...sessionFields(options),
      ...(preset === undefined ? {} : await underPreset(preset, cwd)),
      ...(steps === undefined ? {} : { steps }),
      ...(session === undefined ? {} : { session }),
      ...opIdOf(invocation),
    });
    const rules = value.preset === null ? counted(value.steps.length, 'step') : `preset ${value.preset}`;
    return {
      value,
      human: ({ colors }) => [
        `started session ${colors.bold(value.id)} (${rules})`,
        'go on with `git state add ID` or `git state plan load FILE`',
      ],
      plain: [[value.id]],
      essential: true,
    };
  },
});

/** The preset by its name, which the store knows, or the whole of it from a file. */
async function underPreset(given: string, cwd: string) {
  const { isPresetFile, readPreset } = await import('../preset-file.ts');
  return isPresetFile(given, cwd) ? { rules: await readPreset(given, cwd) } : { preset: given };
}
