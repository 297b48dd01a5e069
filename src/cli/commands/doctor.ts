import { command } from '../command.ts';
import { table } from '../table-view.ts';

export const doctor = command<{ repair?: boolean; maintain?: boolean }>({
  description:
    'Looks at the repository, the state branch, cache, locks, checkouts, worktrees, claims, dependencies and checkpoints, ' +
    'and says what is not as it should be. With --repair it first puts right what can be, and says what it did: damaged ' +
    'objects are made again from the operations; a branch that cannot be read, was moved or is gone goes on from the ' +
    'newest commit that can be, as a new commit, and what stood there is kept under refs/gitstate/damaged/; tags of ' +
    'checkpoints and leases follow the state. With --maintain it does what else starts in the background from about ' +
    '2,000 loose objects or 50 packs on: a geometric repack, packed refs, a commit graph; nothing is taken away. ' +
    'Exit status: 0 all is well, 4 something needs attention, 7 the state is damaged.',
  options: [
    { flags: '--repair', description: 'put right what can be' },
    {
      flags: '--maintain',
      description: 'join loose objects and packs now; without --repair look at nothing else',
    },
  ],
  examples: [
    'git state doctor',
    'git state doctor --repair',
    'git state doctor --json | jq ".checks[] | select(.ok | not)"',
  ],
  pipe: 'name, ok, attention, repaired or done, what was found or done',
  writes: false,
  at: false,
  async run(invocation) {
    const { damaged, checks, repaired } = await (await invocation.store()).doctor(invocation.options);
    const rows = [
      ...repaired.map(({ name, detail }) => ({
        name,
        result: name === 'maintenance' ? 'done' : 'repaired',
        detail,
      })),
      ...checks.map(({ name, ok, detail }) => ({ name, result: ok ? 'ok' : 'attention', detail })),
    ];
    const healthy = checks.every(({ ok }) => ok);
    return {
      value: { checks, repaired },
      human: (ui) =>
        table(
          rows,
          [
            { title: 'CHECK', text: ({ name }) => name, paint: (_, text) => ui.colors.bold(text) },
            { title: 'RESULT', text: ({ result }) => result },
            { title: 'DETAIL', text: ({ detail }) => detail },
          ],
          ui,
        ),
      plain: rows.map(({ name, result, detail }) => [name, result, detail]),
      exitStatus: healthy ? 0 : damaged ? 7 : 4,
      essential: true,
    };
  },
});
