import { command, opIdOf } from '../command.ts';
import { duration } from '../options.ts';

interface CleanupFlags {
  features?: boolean;
  olderThan?: string;
  dryRun?: boolean;
}

export const cleanup = command<CleanupFlags>({
  description:
    'Removes sessions that are not active and were last updated so long ago. History keeps them, their tags stay, and ' +
    'restore brings them back.\nWith --features it puts features of the session away instead: those that failed, or are in ' +
    'progress without a live claim. What they cost stays.',
  options: [
    { flags: '--features', description: 'archive features instead of removing sessions' },
    { flags: '--older-than DUR', description: 'age of the last update: 7d, features 24h', parse: duration },
    { flags: '--dry-run', description: 'only show which' },
  ],
  examples: [
    'git state cleanup --older-than 30d --dry-run',
    'git state cleanup',
    'git state cleanup --features --older-than 24h',
  ],
  pipe: 'ID of a session or feature, one a line',
  writes: true,
  async run(invocation) {
    const { features, olderThan, dryRun } = invocation.options;
    const store = await invocation.store();
    const options = {
      ...(olderThan === undefined ? {} : { olderThan }),
      ...(dryRun ? { dryRun } : {}),
      ...opIdOf(invocation),
    };
    const value = features ? await store.cleanupFeatures(options) : await store.cleanup(options);
    const ids = 'archived' in value ? value.archived : value.removed;
    const verb = features ? 'archive' : 'remove';
    const noun = features ? 'feature' : 'session';
    return {
      value,
      human: ({ colors }) =>
        ids.length === 0
          ? [`no ${noun} to ${verb}`]
          : ids.map((id) => `${dryRun ? `would ${verb}` : `${verb}d`} ${noun} ${colors.bold(id)}`),
      plain: ids.map((id) => [id]),
      ...(dryRun ? { essential: true } : {}),
    };
  },
});
