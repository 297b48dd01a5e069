import { callOf, command } from '../command.ts';
import { changeLines, changePipe, changeRecord, telling } from '../views/changes.ts';
import { counted, shortOid } from '../views/time.ts';

export const undo = command<{ dryRun?: boolean }>({
  operands: '[COMMIT]',
  description:
    'Takes one operation back, as a new commit: each field that it changed gets its old value, if nobody has changed ' +
    'it since; else it says what stands in the way. Without COMMIT it is the newest operation of the session. Claims ' +
    'never come back: the feature is pending at its step. A cost gets an entry of the opposite amount. Notes, releases, ' +
    'takeovers and recoveries cannot be undone; an undo can.',
  options: [{ flags: '--dry-run', description: 'only show what would change' }],
  examples: ['git state undo --dry-run', 'git state undo 1a2b3c4', 'git state undo --session shop'],
  pipe: changePipe,
  writes: true,
  async run(invocation) {
    const commit = invocation.operands.get('COMMIT');
    const { dryRun } = invocation.options;
    const value = await (await invocation.store()).undo({
      ...(commit === undefined ? {} : { commit }),
      ...(dryRun ? { dryRun } : {}),
      ...callOf(invocation),
    });
    const { changes, undone } = value;
    const shown = telling(changes);
    const what = undone === null ? '' : ` ${shortOid(undone)}`;
    return {
      value,
      human: (ui) => [
        ...changeLines(shown, ui),
        changes.length === 0
          ? `nothing ${dryRun ? 'would change' : 'had to change'}`
          : dryRun
            ? `${counted(shown.length, 'change')} would be made by undoing${what}`
            : `undid${what}: ${counted(shown.length, 'change')} (${shortOid(value.commit!)})`,
      ],
      plain: changes.map(changeRecord),
      ...(dryRun ? { essential: true } : {}),
    };
  },
});
