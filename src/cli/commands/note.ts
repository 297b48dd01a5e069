import { command, opIdOf, subjectFeature } from '../command.ts';
import { oneOf } from '../options.ts';
import { shortOid } from '../views/time.ts';

export const note = command<{ level?: string }>({
  operands: 'TEXT',
  description: 'Adds an entry to the log: a commit that changes no file. It needs no claim.',
  options: [
    {
      flags: '--level LEVEL',
      description: 'info (the default), warn or error',
      parse: oneOf('info', 'warn', 'error'),
    },
  ],
  examples: [
    'git state note "switched to the new API"',
    'git state note "flaky test" --level warn --feature 003',
  ],
  pipe: 'commit',
  writes: true,
  async run(invocation) {
    const { level } = invocation.options;
    const value = await (await invocation.store()).note({
      message: invocation.operands.require('TEXT'),
      ...(level === undefined ? {} : { level }),
      ...subjectFeature(invocation),
      ...opIdOf(invocation),
    });
    return { value, human: () => [`noted (${shortOid(value.commit ?? '')})`], plain: [[value.commit]] };
  },
});
