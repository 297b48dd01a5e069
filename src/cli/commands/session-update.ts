import { command, opIdOf } from '../command.ts';
import { oneOf } from '../options.ts';
import { sessionPipe, sessionRecord } from '../views/session.ts';
import { type SessionFlags, sessionFields, sessionOptions } from './session-options.ts';

const statuses = ['active', 'completed', 'failed', 'archived'] as const;

export const sessionUpdate = command<SessionFlags & { status?: string }>({
  description:
    'Changes the rules of a session. The keys of --config are merged into those that are there, and null removes one.',
  options: [
    {
      flags: '--status STATUS',
      description: `set it by hand: ${statuses.join(', ')}`,
      parse: oneOf(...statuses),
    },
    ...sessionOptions,
  ],
  examples: [
    'git state session update --budget-day 80',
    'git state session update --budget-step plan=none --max-retries 5',
    `git state session update --config '{"mode": "fast"}'`,
  ],
  pipe: sessionPipe,
  writes: true,
  async run(invocation) {
    const { options } = invocation;
    const { status } = options;
    const value = await (await invocation.store()).sessionUpdate({
      ...sessionFields(options),
      ...(status === undefined ? {} : { status }),
      ...opIdOf(invocation),
    });
    return {
      value,
      human: () => [value.changed ? `updated session ${value.id}` : `session ${value.id} is as it was`],
      plain: [sessionRecord(value)],
    };
  },
});
