import { command } from '../command.ts';
import { table } from '../table-view.ts';

export const doctor = command({
  description:
    'Looks at the repository, the state branch, locks, checkouts, claims and dependencies, and says what is not as it ' +
    'should be. It changes nothing. Exit status: 0 all is well, 4 something needs attention, 7 the state is damaged.',
  examples: ['git state doctor', 'git state doctor --json | jq ".checks[] | select(.ok | not)"'],
  pipe: 'name, ok or attention, what was found',
  writes: false,
  at: false,
  async run(invocation) {
    const { damaged, checks } = await (await invocation.store()).doctor();
    const healthy = checks.every(({ ok }) => ok);
    return {
      value: { checks },
      human: (ui) =>
        table(
          checks,
          [
            { title: 'CHECK', text: ({ name }) => name, paint: (_, text) => ui.colors.bold(text) },
            { title: 'RESULT', text: ({ ok }) => (ok ? 'ok' : 'attention') },
            { title: 'DETAIL', text: ({ detail }) => detail },
          ],
          ui,
        ),
      plain: checks.map(({ name, ok, detail }) => [name, ok ? 'ok' : 'attention', detail]),
      exitStatus: healthy ? 0 : damaged ? 7 : 4,
      essential: true,
    };
  },
});
