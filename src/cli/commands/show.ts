import { atOf, command, namedFeature, subjectFeature } from '../command.ts';
import { featureDetails, featurePipe, featureRecord } from '../views/feature.ts';

export const show = command({
  operands: '[ID]',
  description: 'Shows one feature: its claim, its steps, what it waits for, its data.',
  examples: [
    'git state show 003',
    'git state show 003 --json | jq .steps',
    'git state show 003 --at yesterday',
  ],
  pipe: featurePipe,
  writes: false,
  async run(invocation) {
    const feature = { ...subjectFeature(invocation), ...namedFeature(invocation) };
    const value = await (await invocation.store()).show({ ...feature, ...atOf(invocation) });
    return { value, human: (ui) => featureDetails(value, ui), plain: [featureRecord(value)] };
  },
});
