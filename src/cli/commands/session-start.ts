import { command, type Invocation, opIdOf } from '../command.ts';
import { list } from '../options.ts';
import { counted } from '../views/time.ts';
import { type SessionFlags, sessionFields, sessionOptions } from './session-options.ts';

export const sessionStart = command<SessionFlags & { preset?: string; steps?: string[] }>({
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
    'export GITSTATE_SESSION=$(git state session start --preset orchestrator)',
  ],
  pipe: 'ID',
  writes: true,
  async run(invocation) {
    const { options, operands, flags } = invocation;
    const store = await invocation.store();
    const session = operands.get('ID') ?? flags.session;
    const { preset, steps } = options;
    const given = { ...sessionFields(options), ...(steps === undefined ? {} : { steps }) };
    const value = await store.sessionStart({
      ...(preset === undefined ? given : await underPreset(preset, given, invocation)),
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

/** The given options with those of a preset: the store knows those with a name, a file is read here. */
async function underPreset(
  preset: string,
  given: SessionFlags & { steps?: string[] },
  { cwd, output }: Pick<Invocation, 'cwd' | 'output'>,
) {
  const { isPresetFile, presetOptions, readPreset, warnOfUnused } = await import('../preset-file.ts');
  if (!isPresetFile(preset, cwd)) return { ...given, preset };
  const read = await readPreset(preset, cwd);
  warnOfUnused(read, preset, output);
  return presetOptions(read, given);
}
