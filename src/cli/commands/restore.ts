import { command, opIdOf } from '../command.ts';
import { changeLines, changePipe, changeRecord, telling } from '../views/changes.ts';
import { counted, shortOid } from '../views/time.ts';

export const restore = command<{ dryRun?: boolean }>({
  operands: 'NAME|REV',
  description:
    'Puts the session, or with --feature one feature, back to what it was at a checkpoint, commit or date. It never ' +
    'rewinds: it is a new commit. Features in progress become pending at their step, and tokens from before are stale. ' +
    'Costs, notes and checkpoints made since stay. Of an automatic checkpoint only its feature comes back.',
  options: [{ flags: '--dry-run', description: 'only show what would change' }],
  examples: [
    'git state restore before-review --dry-run',
    'git state restore v1 --feature 003',
    'git state restore 2h',
  ],
  pipe: changePipe,
  writes: true,
  async run(invocation) {
    const point = invocation.operands.require('NAME|REV');
    const { dryRun } = invocation.options;
    const { feature } = invocation.flags;
    const value = await (await invocation.store()).restore({
      point,
      ...(feature === undefined ? {} : { feature }),
      ...(dryRun ? { dryRun } : {}),
      ...opIdOf(invocation),
    });
    const { changes, commit } = value;
    const shown = telling(changes);
    return {
      value,
      human: (ui) => [
        ...changeLines(shown, ui),
        changes.length === 0
          ? `nothing ${dryRun ? 'would change' : 'had to change'}`
          : dryRun
            ? `${counted(shown.length, 'change')} would be made`
            : `restored ${point}: ${counted(shown.length, 'change')}${commit === null ? '' : ` (${shortOid(commit)})`}`,
      ],
      plain: changes.map(changeRecord),
      ...(dryRun ? { essential: true } : {}),
    };
  },
});
