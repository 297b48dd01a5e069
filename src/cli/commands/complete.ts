import { callOf, command, namedFeature } from '../command.ts';
import { featurePipe, featureRecord } from '../views/feature.ts';

export const complete = command<{ summary?: string; skipRemaining?: boolean }>({
  operands: '[ID]',
  description: 'Completes a feature and ends its claim. All its steps have to be finished.',
  options: [
    { flags: '--summary TEXT', description: 'what came out of it' },
    { flags: '--skip-remaining', description: 'skip the steps that are not finished' },
  ],
  examples: ['git state complete', 'git state complete 003 --summary "all tests pass"'],
  pipe: featurePipe,
  writes: true,
  async run(invocation) {
    const { summary, skipRemaining } = invocation.options;
    const value = await (await invocation.store()).complete({
      ...namedFeature(invocation),
      ...(summary === undefined ? {} : { summary }),
      ...(skipRemaining ? { skipRemaining } : {}),
      ...callOf(invocation),
    });
    return {
      value,
      human: ({ colors }) => [
        value.changed
          ? `completed ${colors.bold(value.id)}`
          : `${colors.bold(value.id)} was completed already`,
      ],
      plain: [featureRecord(value)],
    };
  },
});
