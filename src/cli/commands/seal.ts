import { command, opIdOf } from '../command.ts';
import { counted, shortOid } from '../views/time.ts';

export const seal = command({
  description:
    'Begins a new epoch of the history: one commit without a parent that holds the very same files, so that a fresh ' +
    'clone fetches the state and not all that led to it. The history so far is kept under refs/gitstate/epochs/, where ' +
    'log, verify --epochs, blame and restore find it. With a remote what was not pushed is pushed first, and the ' +
    'other clones follow by themselves. Claims go on.',
  examples: ['git state seal', 'git state seal --remote origin --json'],
  pipe: 'epoch, its last commit, how many commits it has, the new commit',
  writes: true,
  async run(invocation) {
    const value = await (await invocation.store()).seal(opIdOf(invocation));
    const { epoch, tip, commits, commit, ref, tags } = value;
    return {
      value,
      human: () =>
        epoch === null
          ? ['nothing to seal: the epoch has only begun']
          : [
              `sealed epoch ${epoch}: ${counted(commits!, 'commit')} up to ${shortOid(tip!)}, kept as ${ref}`,
              `the history goes on with ${shortOid(commit!)}`,
              ...(tags > 0
                ? [
                    `${counted(tags, 'tag')} of checkpoints point into sealed history: a clone that fetches tags fetches it, too (\`git clone --no-tags\` does not)`,
                  ]
                : []),
            ],
      plain: [
        [epoch === null ? null : String(epoch), tip, commits === null ? null : String(commits), commit],
      ],
    };
  },
});
