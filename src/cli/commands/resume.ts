import type { Resumable, ResumeAnswer } from '../../store/api/resume.ts';
import { command, opIdOf } from '../command.ts';
import type { Field, Ui } from '../output.ts';
import { details } from '../table-view.ts';
import { visible } from '../text.ts';
import { paintStatus } from '../views/feature.ts';
import { counted, shortOid } from '../views/time.ts';

export const resume = command<{ from?: string }>({
  operands: '[NAME]',
  description:
    'Says where to go on with a feature after a break, and ends its claim if that is over. It takes nothing back: steps ' +
    'that are finished stay finished (`restore` is the way back). NAME is a checkpoint; the feature is that of ' +
    '--feature, the one of the checkpoint, or that of the surroundings. The beginning of either name will do. Without ' +
    'a feature it lists what could be resumed.',
  options: [
    {
      flags: '--from REMOTE',
      description: 'fetch what is missing here from that remote: the state, tags, code (else from --remote)',
    },
  ],
  examples: ['git state resume', 'git state resume --feature ep_001', 'git state resume 003.plan_complete'],
  pipe: 'feature, step to go on at, status, code branch, its commit',
  writes: true,
  async run(invocation) {
    const name = invocation.operands.get('NAME');
    const { feature } = invocation.flags;
    const value = await (await invocation.store()).resume({
      ...(name === undefined ? {} : { checkpoint: name }),
      ...(feature === undefined ? {} : { feature }),
      ...(invocation.options.from === undefined ? {} : { from: invocation.options.from }),
      ...opIdOf(invocation),
    });
    return {
      value,
      human: (ui) => (value.feature === null ? choiceLines(value, ui) : resumedLines(value, ui)),
      plain: value.feature === null ? value.resumable.map(choiceRecord) : [resumedRecord(value)],
      essential: true,
    };
  },
});

function resumedRecord({ feature, step, status, heads }: ResumeAnswer): Field[] {
  const head = Object.values(heads)[0];
  return [feature, step, status, head?.branch, head?.oid];
}

function choiceRecord({ feature, step, status }: Resumable): Field[] {
  return [feature, step, status];
}

function resumedLines(answer: ResumeAnswer, ui: Ui): string[] {
  const { feature, status, step, finished, heads, checkpoint, released } = answer;
  const code = Object.values(heads).map(({ branch, oid }) => `${visible(branch)} at ${shortOid(oid)}`);
  return [
    `${ui.colors.bold(feature!)} goes on ${step === null ? 'with no step left' : `at step ${ui.colors.bold(step)}`}`,
    ...details(
      [
        ['finished', finished.join(', ') || null],
        ['status', paintStatus(status!, status!, ui.colors)],
        ['claim ended', released && `${visible(released.worker)} held it (${released.reason})`],
        ['checkpoint', checkpoint],
        ['code', code.join(', ') || null],
      ],
      ui,
    ),
    `go on with \`${nextCommand(answer)}\``,
  ];
}

/** A feature with code has its worktree made anew, at the commit where it stood. */
function nextCommand({ feature, status, session, heads }: ResumeAnswer): string {
  const where = `${feature} --session ${session}`;
  if (status === 'failed') return `git state retry ${where}`;
  return `git state claim ${where}${Object.keys(heads).length > 0 ? ' --worktree' : ''}`;
}

function choiceLines({ resumable, session }: ResumeAnswer, { colors }: Ui): string[] {
  if (resumable.length === 0) return [`nothing in session ${session} waits to be resumed`];
  return [
    ...resumable.map(
      ({ feature, step, status }) =>
        `${colors.bold(feature)}  ${paintStatus(status, status, colors)}${step === null ? '' : `, at step ${step}`}`,
    ),
    `${counted(resumable.length, 'feature')} could be resumed: \`git state resume --feature ${resumable[0]!.feature}\``,
  ];
}
