import { callOf, command, namedFeature } from '../command.ts';
import { featurePipe, featureRecord } from '../views/feature.ts';

export const release = command({
  operands: '[ID]',
  description: 'Gives a claim back: the feature is pending again, and its finished steps stay.',
  examples: ['git state release', 'git state release 003 --worker W1'],
  pipe: featurePipe,
  writes: true,
  async run(invocation) {
    const value = await (await invocation.store()).release({
      ...namedFeature(invocation),
      ...callOf(invocation),
    });
    return {
      value,
      human: ({ colors }) => [
        value.changed ? `released ${colors.bold(value.id)}` : `${colors.bold(value.id)} was released already`,
      ],
      plain: [featureRecord(value)],
    };
  },
});
