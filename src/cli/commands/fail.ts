import { callOf, command, namedFeature, usage } from '../command.ts';
import { featurePipe, featureRecord } from '../views/feature.ts';

export const fail = command<{ error?: string; retry?: boolean }>({
  operands: '[ID]',
  description:
    'Says that an attempt failed and ends the claim. Up to the retries of the session the feature is pending again ' +
    'with its finished steps kept; then it is failed.',
  options: [
    { flags: '--error TEXT', description: 'what went wrong; required' },
    { flags: '--no-retry', description: 'failed for good, whatever retries are left' },
  ],
  examples: ['git state fail --error "tests fail"', 'git state fail 003 --error "not possible" --no-retry'],
  pipe: featurePipe,
  writes: true,
  async run(invocation) {
    const { error, retry } = invocation.options;
    if (error === undefined) throw usage('fail needs --error TEXT', invocation.name);
    const value = await (await invocation.store()).fail({
      ...namedFeature(invocation),
      error,
      ...(retry === false ? { noRetry: true } : {}),
      ...callOf(invocation),
    });
    const { id, status, retry_count, changed } = value;
    const outcome =
      status === 'failed'
        ? 'for good; `git state retry` takes it up again'
        : `${retry_count} times; it is ${status} again`;
    return {
      value,
      human: ({ colors }) => [
        changed
          ? `${colors.bold(id)} failed ${outcome.replace(/^1 times/, 'once')}`
          : `${colors.bold(id)}: said already`,
      ],
      plain: [featureRecord(value)],
    };
  },
});
