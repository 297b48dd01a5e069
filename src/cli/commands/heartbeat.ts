import { callOf, command, namedFeature } from '../command.ts';
import { duration } from '../options.ts';
import { clockTime } from '../views/time.ts';

export const heartbeat = command<{ lease?: string }>({
  operands: '[ID]',
  description: 'Renews the lease of a claim. It makes no commit.',
  options: [
    { flags: '--lease DUR', description: 'length from now (else that of the session)', parse: duration },
  ],
  examples: ['git state heartbeat', 'git state heartbeat 003 --lease 30m'],
  pipe: 'ID, end of the lease',
  writes: true,
  async run(invocation) {
    const { lease } = invocation.options;
    const value = await (await invocation.store()).heartbeat({
      ...namedFeature(invocation),
      ...(lease === undefined ? {} : { lease }),
      ...callOf(invocation),
    });
    const { feature, expires_at } = value;
    return {
      value,
      human: ({ nowMs }) => [`renewed ${feature} until ${clockTime(expires_at, nowMs)}`],
      plain: [[feature, expires_at]],
    };
  },
});
