import type { Preset } from '../../core/entities.ts';
import { command, opIdOf, usage } from '../command.ts';
import type { Field } from '../output.ts';
import { table } from '../table-view.ts';
import { limitsText } from '../views/budget.ts';

const pipe = 'name, steps, budgets, max retries, lease, built-in or own';

function presetRecord(preset: Preset, builtIn: boolean): Field[] {
  const { name, steps, budgets, max_retries, lease } = preset;
  const origin = builtIn ? 'built-in' : 'own';
  return [name, steps.join(','), limitsText(budgets), max_retries, lease, origin];
}

export const presetList = command({
  description: 'Lists presets, which are rules for new sessions: the built-in ones, then your own.',
  examples: ['git state preset list', 'git state preset list --json | jq -r ".presets[].name"'],
  pipe,
  writes: false,
  at: false,
  async run(invocation) {
    const value = await (await invocation.store()).presetList();
    const { presets } = value;
    return {
      value,
      human: (ui) =>
        table(
          presets,
          [
            { title: 'NAME', text: ({ name }) => name, paint: (_, text) => ui.colors.bold(text) },
            { title: 'RETRIES', text: ({ max_retries }) => String(max_retries) },
            { title: 'LEASE', text: ({ lease }) => lease },
            { title: 'BUDGETS', text: ({ budgets }) => limitsText(budgets) ?? '' },
            { title: 'STEPS', text: ({ steps }) => steps.join(','), cut: true },
          ],
          ui,
        ),
      plain: presets.map((preset) => presetRecord(preset, preset.built_in)),
    };
  },
});

export const presetPut = command({
  operands: 'FILE',
  description:
    'Keeps a preset of your own in the store, for `session start --preset NAME`; one of the same name is replaced. ' +
    'FILE is JSON or YAML, - reads standard input. Its shape is {name, steps, budgets: {steps, feature, day}, max_retries, ' +
    'lease, auto_checkpoints, quality_min, session_id}; only name is required. Sessions that run stay as they are.',
  examples: ['git state preset put web.yaml', 'generate-preset | git state preset put -'],
  pipe,
  writes: true,
  async run(invocation) {
    const { readPreset } = await import('../preset-file.ts');
    const preset = await readPreset(invocation.operands.require('FILE'), invocation.cwd);
    if (preset.name === undefined) throw usage('the preset has no name', invocation.name);
    const value = await (await invocation.store()).presetPut({
      preset,
      ...opIdOf(invocation),
    });
    return {
      value,
      human: ({ colors }) => [
        `stored preset ${colors.bold(value.name)}`,
        `go on with \`git state session start --preset ${value.name}\``,
      ],
      plain: [presetRecord(value, false)],
    };
  },
});
