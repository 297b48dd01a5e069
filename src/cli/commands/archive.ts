import { callOf, command, requireFeatureId } from '../command.ts';
import { featurePipe, featureRecord } from '../views/feature.ts';

export const archive = command({
  operands: '[ID]',
  description: 'Puts a feature away. What is in progress needs its token.',
  examples: ['git state archive 003'],
  pipe: featurePipe,
  writes: true,
  async run(invocation) {
    const feature = requireFeatureId(invocation);
    const value = await (await invocation.store()).archive({ feature, ...callOf(invocation) });
    return {
      value,
      human: ({ colors }) => [`archived ${colors.bold(value.id)}`],
      plain: [featureRecord(value)],
    };
  },
});
