import { command, opIdOf } from '../command.ts';
import { visible } from '../text.ts';

interface Released {
  feature: string;
  worker: string;
  reason: string;
}

export const recover = command<{ dryRun?: boolean }>({
  description:
    'Makes a session active again, whatever became of it, and gives back the claims whose lease is over or whose worker ' +
    'is dead. Finished steps stay.',
  options: [{ flags: '--dry-run', description: 'only show which claims' }],
  examples: ['git state recover --dry-run', 'git state recover --session 2026-01-31-001'],
  pipe: 'feature, worker, reason; one released claim a line',
  writes: true,
  async run(invocation) {
    const { dryRun } = invocation.options;
    const store = await invocation.store();
    const value = await store.recover({ ...(dryRun ? { dryRun } : {}), ...opIdOf(invocation) });
    const { session, released }: { session: string; released: Released[] } = value;
    return {
      value,
      human: ({ colors }) => [
        ...released.map(
          ({ feature, worker, reason }) =>
            `${dryRun ? 'would release' : 'released'} ${colors.bold(feature)}, which ${visible(worker)} held (${reason})`,
        ),
        dryRun
          ? `session ${session} would be active, ${released.length} released`
          : `session ${session} is active again`,
      ],
      plain: released.map(({ feature, worker, reason }) => [feature, worker, reason]),
      ...(dryRun ? { essential: true } : {}),
    };
  },
});
