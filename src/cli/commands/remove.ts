import { callOf, command, requireFeatureId } from '../command.ts';
import { featurePipe, featureRecord } from '../views/feature.ts';

export const remove = command({
  operands: '[ID]',
  description:
    'Takes a feature out of the session; the history keeps it. It is refused while others depend on it or somebody ' +
    'else has claimed it.',
  examples: ['git state remove 007'],
  pipe: featurePipe,
  writes: true,
  async run(invocation) {
    const feature = requireFeatureId(invocation);
    const value = await (await invocation.store()).remove({ feature, ...callOf(invocation) });
    return {
      value,
      human: ({ colors }) => [`removed ${colors.bold(value.id)}`],
      plain: [featureRecord(value)],
    };
  },
});
