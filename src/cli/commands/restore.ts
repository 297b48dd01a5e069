import type { CodeMove } from '../../store/code-restore.ts';
import { command, opIdOf } from '../command.ts';
import type { Field, Ui } from '../output.ts';
import { visible } from '../text.ts';
import { changeLines, changePipe, changeRecord, telling } from '../views/changes.ts';
import { counted, shortOid } from '../views/time.ts';

export const restore = command<{ dryRun?: boolean; code?: boolean }>({
  operands: 'NAME|REV',
  description:
    'Puts the session, or with --feature one feature, back to what it was at a checkpoint, commit or date. It never ' +
    'rewinds: it is a new commit. Features in progress become pending at their step, and tokens from before are stale. ' +
    'Costs, notes and checkpoints made since stay. Of an automatic checkpoint only its feature comes back. With --code ' +
    'the branches of features, or their worktrees, also go back to the heads that the checkpoint recorded: never over ' +
    'uncommitted work, and a head that would be lost is kept under refs/gitstate/former/.',
  options: [
    { flags: '--code', description: 'also put back the code, from a checkpoint' },
    { flags: '--dry-run', description: 'only show what would change' },
  ],
  examples: [
    'git state restore before-review --dry-run',
    'git state restore v1 --feature 003',
    'git state restore v1 --code --dry-run',
    'git state restore 2h',
  ],
  pipe: `${changePipe}; of code: feature, code, session (empty), branch, from, to, ref that keeps the former head`,
  writes: true,
  async run(invocation) {
    const point = invocation.operands.require('NAME|REV');
    const { dryRun, code: withCode } = invocation.options;
    const { feature } = invocation.flags;
    const value = await (await invocation.store()).restore({
      point,
      ...(feature === undefined ? {} : { feature }),
      ...(withCode ? { code: true } : {}),
      ...(dryRun ? { dryRun } : {}),
      ...opIdOf(invocation),
    });
    const { changes, commit, code = [] } = value;
    const shown = telling(changes);
    return {
      value,
      human: (ui) => [
        ...changeLines(shown, ui),
        ...code.map((move) => codeLine(move, ui)),
        changes.length === 0
          ? `nothing ${dryRun ? 'would change' : 'had to change'}`
          : dryRun
            ? `${counted(shown.length, 'change')} would be made`
            : `restored ${point}: ${counted(shown.length, 'change')}${commit === null ? '' : ` (${shortOid(commit)})`}`,
      ],
      plain: [...changes.map(changeRecord), ...code.map(codeRecord)],
      ...(dryRun ? { essential: true } : {}),
    };
  },
});

function codeLine({ branch, worktree, from, to, kept }: CodeMove, { colors }: Ui): string {
  const place = worktree === null ? '' : ` in ${visible(worktree)}`;
  const former = kept === null ? '' : `; the former head is kept at ${kept}`;
  const move = `${from === null ? 'none' : shortOid(from)} -> ${shortOid(to)}`;
  return `${colors.yellow('~')} branch ${visible(branch)}${place}: ${move}${former}`;
}

function codeRecord({ feature, branch, from, to, kept }: CodeMove): Field[] {
  return [feature, 'code', null, branch, JSON.stringify(from), JSON.stringify(to), kept];
}
