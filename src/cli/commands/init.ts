import { command, opIdOf } from '../command.ts';
import { shortOid } from '../views/time.ts';

export const init = command<{ preset?: string }>({
  description:
    'Creates the state branch: an orphan branch that is never checked out. On a store that is there already it ' +
    'changes nothing.',
  options: [
    {
      flags: '--preset NAME',
      description: 'rules of new sessions: orchestrator, parallel-dev or production',
    },
  ],
  examples: ['git state init', 'git state init --preset orchestrator'],
  pipe: 'branch, commit',
  writes: true,
  async run(invocation) {
    const store = await invocation.store();
    const { preset } = invocation.options;
    const value = await store.init({ ...(preset === undefined ? {} : { preset }), ...opIdOf(invocation) });
    const { branch, commit } = value;
    return {
      value,
      human: () =>
        commit === null
          ? [`the store is on branch '${branch}' already`]
          : [
              `created the store on branch '${branch}' (${shortOid(commit)})`,
              'go on with `git state session start`',
            ],
      plain: [[branch, commit]],
    };
  },
});
