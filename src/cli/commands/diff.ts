import { command, usage } from '../command.ts';
import { changeLines, changePipe, changeRecord, summaryText, telling } from '../views/changes.ts';
import { markdownOf } from '../views/markdown.ts';
import { shortOid } from '../views/time.ts';

export const diff = command<{ markdown?: boolean }>({
  operands: 'A [B]',
  description:
    'Compares two points of the history by meaning: which entity, which field, from what to what. A point is a ' +
    'checkpoint, a commit, a date or an age; without B it is compared with the present. With --session only that session.',
  options: [{ flags: '--markdown', description: 'as a comment for a pull request' }],
  examples: [
    'git state diff v1',
    'git state diff v1 v2 --json | jq .summary',
    'git state diff 2h',
    'git state diff v1 --markdown | gh pr comment --body-file -',
  ],
  pipe: changePipe,
  writes: false,
  at: false,
  async run(invocation) {
    const { operands, flags, options, output, name } = invocation;
    if (options.markdown && flags.json) throw usage('--markdown and --json exclude each other', name);
    const to = operands.get('B');
    const value = await (await invocation.store()).diff({
      from: operands.require('A'),
      ...(to === undefined ? {} : { to }),
      ...(flags.session === undefined ? {} : { session: flags.session }),
    });
    const { changes, summary } = value;
    if (options.markdown) {
      output.write(markdownOf(value));
      return 0;
    }
    const shown = telling(changes);
    return {
      value,
      human: (ui) => [
        ...changeLines(shown, ui),
        `${shortOid(value.from)}..${shortOid(value.to)}: ${summaryText({ ...summary, changes: shown.length })}`,
      ],
      plain: changes.map(changeRecord),
    };
  },
});
