import { command, namedFeature, opIdOf } from '../command.ts';
import { featurePipe, featureRecord } from '../views/feature.ts';
import { counted } from '../views/time.ts';
import { type FeatureFlags, featureFields, featureOptions } from './feature-options.ts';

export const add = command<FeatureFlags>({
  operands: '[ID]',
  description:
    'Adds a feature, the unit of work that one worker claims. In a session of the preset production ID may be left out: ' +
    'it is then made of the number of the episode and the time.',
  options: featureOptions,
  examples: [
    'git state add 001',
    'git state add 002 --name "Login form" --priority P1 --needs 001',
    `git state add 003 --steps plan,code --data '{"issue": 17}'`,
  ],
  pipe: featurePipe,
  writes: true,
  async run(invocation) {
    const value = await (await invocation.store()).add({
      ...namedFeature(invocation),
      ...featureFields(invocation.options),
      ...opIdOf(invocation),
    });
    const { id, steps, blocked_by, changed } = value;
    const waits =
      blocked_by.length > 0 ? `, waits for ${blocked_by.map((one) => one.id).join(', ')}` : ', ready';
    return {
      value,
      human: ({ colors }) => [
        `${changed ? 'added' : 'there already:'} ${colors.bold(id)} (${counted(steps.length, 'step')}${waits})`,
      ],
      plain: [featureRecord(value)],
    };
  },
});
