import { atOf, command } from '../command.ts';
import { several } from '../options.ts';
import { featurePipe, featureRecord, featureTable } from '../views/feature.ts';

export const list = command<{ status?: string[] }>({
  description: 'Lists features in natural order.',
  options: [
    {
      flags: '--status STATUS',
      description:
        'only of this status: pending, in_progress, completed, failed, archived; may be given several times',
      parse: several,
    },
  ],
  examples: [
    'git state list',
    'git state list --status failed --status pending',
    'git state list --worker W1 --at 2h',
  ],
  pipe: featurePipe,
  writes: false,
  async run(invocation) {
    const { status } = invocation.options;
    const { worker } = invocation.flags;
    const value = await (await invocation.store()).list({
      ...(status === undefined ? {} : { status }),
      ...(worker === undefined ? {} : { worker }),
      ...atOf(invocation),
    });
    const filtered = status !== undefined || worker !== undefined;
    return {
      value,
      human: (ui) =>
        value.features.length > 0
          ? featureTable(value.features, ui)
          : [filtered ? 'no feature is like that' : 'no features yet: add one with `git state add ID`'],
      plain: value.features.map(featureRecord),
    };
  },
});
