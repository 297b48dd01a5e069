import { command, opIdOf, requireFeatureId } from '../command.ts';
import { featurePipe, featureRecord } from '../views/feature.ts';

export const retry = command<{ from?: string }>({
  operands: '[ID]',
  description: 'Makes a failed or finished feature pending again. Its finished steps stay finished.',
  options: [{ flags: '--from STEP', description: 'start over at this step' }],
  examples: ['git state retry 003', 'git state retry 003 --from plan'],
  pipe: featurePipe,
  writes: true,
  async run(invocation) {
    const feature = requireFeatureId(invocation);
    const { from } = invocation.options;
    const value = await (await invocation.store()).retry({
      feature,
      ...(from === undefined ? {} : { from }),
      ...opIdOf(invocation),
    });
    const next = value.current_step === null ? '' : ` at step ${value.current_step}`;
    return {
      value,
      human: ({ colors }) => [`${colors.bold(value.id)} is pending again${next}`],
      plain: [featureRecord(value)],
    };
  },
});
