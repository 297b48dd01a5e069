import type { DiffSummary } from '../../core/diff.ts';
import { command } from '../command.ts';
import { changeLines, changePipe, changeRecord, telling } from '../views/changes.ts';
import { counted, shortOid } from '../views/time.ts';

export const diff = command({
  operands: 'A [B]',
  description:
    'Compares two points of the history by meaning: which entity, which field, from what to what. A point is a ' +
    'checkpoint, a commit, a date or an age; without B it is compared with the present. With --session only that session.',
  examples: ['git state diff v1', 'git state diff v1 v2 --json | jq .summary', 'git state diff 2h'],
  pipe: changePipe,
  writes: false,
  at: false,
  async run(invocation) {
    const { operands, flags } = invocation;
    const to = operands.get('B');
    const value = await (await invocation.store()).diff({
      from: operands.require('A'),
      ...(to === undefined ? {} : { to }),
      ...(flags.session === undefined ? {} : { session: flags.session }),
    });
    const { changes, summary } = value;
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

function summaryText({ changes, completed, failed, cost }: DiffSummary): string {
  const parts = [
    changes === 0 ? 'no change' : counted(changes, 'change'),
    completed > 0 ? `${completed} completed` : '',
    failed > 0 ? `${failed} failed` : '',
    cost.delta === 0 ? '' : `cost ${cost.from} -> ${cost.to}`,
  ];
  return parts.filter(Boolean).join(', ');
}
