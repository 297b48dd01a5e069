import { command, opIdOf } from '../command.ts';
import { shortOid } from '../views/time.ts';

export const reset = command<{ confirm?: boolean }>({
  description:
    'Empties the store of every session and preset, as one more commit: history keeps what was there, and session ids ' +
    'that were used are not used again.',
  options: [{ flags: '--confirm', description: 'say that you mean it; without it nothing happens' }],
  examples: ['git state reset --confirm'],
  pipe: 'commit',
  writes: true,
  async run(invocation) {
    const { confirm } = invocation.options;
    const store = await invocation.store();
    const value = await store.reset({ ...(confirm ? { confirm } : {}), ...opIdOf(invocation) });
    const { commit } = value;
    return {
      value,
      human: () => [
        commit === null ? 'the store is empty already' : `emptied the store (${shortOid(commit)})`,
      ],
      plain: [[commit]],
    };
  },
});
