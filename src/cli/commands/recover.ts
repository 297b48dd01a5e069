import type { Store } from '../../store/open.ts';
import { command, opIdOf } from '../command.ts';
import { type Colors, visible } from '../text.ts';
import { clockTime, counted } from '../views/time.ts';

type Recovered = Awaited<ReturnType<Store['recover']>>;
type Place = Pick<Recovered['released'][number], 'step' | 'worktree'>;

export const recover = command<{ dryRun?: boolean }>({
  description:
    'Makes a session active again, whatever became of it, and gives back the claims whose lease is over or whose worker ' +
    'is dead. Finished steps stay, and so does everything in the worktrees. With --dry-run nothing is done: each claim is ' +
    'shown with the first unfinished step and what its worktree holds, those that would be kept, too.',
  options: [{ flags: '--dry-run', description: 'only show which claims, and what their worktrees hold' }],
  examples: ['git state recover --dry-run', 'git state recover --session 2026-01-31-001'],
  pipe: 'feature, worker, reason (with --dry-run also kept), first unfinished step, worktree, what it holds; one claim a line',
  writes: true,
  async run(invocation) {
    const { dryRun } = invocation.options;
    const store = await invocation.store();
    const value = await store.recover({ ...(dryRun ? { dryRun } : {}), ...opIdOf(invocation) });
    const { session, released, kept } = value;
    const shown = dryRun ? kept : [];
    return {
      value,
      human: ({ colors, nowMs }) => [
        ...released.flatMap((one) => [
          `${dryRun ? 'would release' : 'released'} ${colors.bold(one.feature)}, which ${visible(one.worker)} held (${one.reason})`,
          ...placeLines(one, colors),
        ]),
        ...shown.flatMap((one) => [
          `would keep ${colors.bold(one.feature)}, which ${visible(one.worker)} holds until ${clockTime(one.expires_at, nowMs)}`,
          ...placeLines(one, colors),
        ]),
        dryRun
          ? `session ${session} would be active, ${released.length} released${kept.length > 0 ? `, ${kept.length} kept` : ''}`
          : `session ${session} is active again`,
      ],
      plain: [
        ...released.map((one) => [one.feature, one.worker, one.reason, ...placeFields(one)]),
        ...shown.map((one) => [one.feature, one.worker, 'kept', ...placeFields(one)]),
      ],
      ...(dryRun ? { essential: true } : {}),
    };
  },
});

function placeLines({ step, worktree }: Place, colors: Colors): string[] {
  const lines = step === null ? [] : [`  goes on at step ${step}`];
  if (worktree !== null)
    lines.push(`  ${visible(worktree.path)}: ${colors.yellow(holdings(worktree).join(', '))}`);
  return lines;
}

function placeFields({ step, worktree }: Place): (string | null)[] {
  return worktree === null ? [step, null, null] : [step, worktree.path, holdings(worktree).join(', ')];
}

/** What would be lost with a worktree, or is odd about it. */
function holdings(worktree: NonNullable<Place['worktree']>): string[] {
  const { missing, dirty, ahead, unpushed, on_branch, checked_out, branch } = worktree;
  const found = [
    missing ? 'missing' : '',
    !missing && !on_branch && branch !== null
      ? `${checked_out === null ? 'no branch' : `branch ${visible(checked_out)}`} checked out, not ${visible(branch)}`
      : '',
    dirty ? 'uncommitted changes' : '',
    ahead > 0 ? `${counted(ahead, 'commit')} ahead of its base` : '',
    unpushed ? 'unpushed commits' : '',
  ].filter(Boolean);
  return found.length > 0 ? found : ['nothing of its own'];
}
