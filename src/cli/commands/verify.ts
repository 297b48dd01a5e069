import type { Verification } from '../../store/verify/verify.ts';
import { command } from '../command.ts';
import type { Field, Ui } from '../output.ts';
import { oneLine } from '../text.ts';
import { counted, shortOid } from '../views/time.ts';

interface Options {
  full?: boolean;
  strict?: boolean;
  signatures?: boolean;
  epochs?: boolean;
}

type Problem = Verification['problems'][number];

export const verify = command<Options>({
  operands: '[REV-RANGE]',
  description:
    'Replays every operation and compares what it leads to with what stands on the branch: the files, and each commit ' +
    'to the byte. Names the first commit that does not follow from its parent. A later run goes on where the last one ' +
    'ended. Commits made by hand are named, and accepted where they hold a valid state. ' +
    'Exit status: 0 all follows, 7 something does not.',
  options: [
    { flags: '--full', description: 'begin at the root, whatever was verified before' },
    { flags: '--strict', description: 'accept no commit made by hand' },
    { flags: '--epochs', description: 'go on in the epochs that were sealed; those not here are fetched' },
    { flags: '--signatures', description: 'ask for a good signature on every commit' },
  ],
  examples: ['git state verify', 'git state verify v1..', 'git state verify --full --json | jq .problems'],
  pipe: 'failed or noted, kind, commit, what was found',
  writes: false,
  at: false,
  async run(invocation) {
    const { operands, options, flags } = invocation;
    const range = operands.get('REV-RANGE');
    const value = await (await invocation.store()).verify({
      ...options,
      ...(range === undefined ? {} : { range }),
      ...(flags.session === undefined ? {} : { session: flags.session }),
    });
    return {
      value,
      human: (ui) => [...value.problems.flatMap((problem) => problemLines(problem, ui)), summary(value)],
      plain: value.problems.map(problemRecord),
      exitStatus: value.ok ? 0 : 7,
      essential: true,
    };
  },
});

function problemRecord({ fails, kind, commit, message }: Problem): Field[] {
  return [fails ? 'failed' : 'noted', kind, commit, message];
}

function problemLines({ commit, fails, message, subject, repaired_by }: Problem, { colors }: Ui): string[] {
  const what =
    commit === null ? '' : `${shortOid(commit)} ${subject === null ? '' : `(${oneLine(subject)}) `}`;
  const healed = repaired_by === undefined ? '' : `; repaired by ${shortOid(repaired_by)}`;
  const text = `${what}${oneLine(message)}${healed}`;
  return [fails ? colors.red(text) : text];
}

function summary(value: Verification): string {
  return `${whatFollows(value)}${whatIsBehind(value)}`;
}

/** What was not looked at is said, too. */
function whatIsBehind({ epochs, behind }: Verification): string {
  const looked = epochs.length > 1 ? `; ${epochs.length} epochs` : '';
  if (behind === null) return looked;
  const how = behind.here ? '--epochs looks at it' : 'it is not in this clone';
  return `${looked}; not epoch ${behind.epoch} before it: ${how}`;
}

function whatFollows(value: Verification): string {
  const { commits, ok, complete, from, to, operations, manual, restores, repairs } = value;
  const kinds = [
    counted(operations, 'operation'),
    restores > 0 ? counted(restores, 'restore') : '',
    repairs > 0 ? counted(repairs, 'repair') : '',
    manual > 0 ? `${manual} by hand` : '',
  ].filter(Boolean);
  const looked = `${counted(commits, 'commit')} up to ${shortOid(to)} (${kinds.join(', ')})`;
  if (!ok) return `${looked}: not all of them follow`;
  if (complete && from === null) return `${looked}: all follow, back to the root`;
  if (complete) return `${looked}: all follow; what was before was verified earlier`;
  return `${looked}: verified back to ${from === null ? 'where the history breaks off' : shortOid(from)}`;
}
