import type { WorktreeRow } from '../../store/api/overview.ts';
import { command } from '../command.ts';
import type { Field, Ui } from '../output.ts';
import { table } from '../table-view.ts';
import { shortOid } from '../views/time.ts';

const pipe = 'feature, path, branch, head, state (removable, dirty, unpushed or kept)';

function stateOf({ dirty, unpushed, removable }: WorktreeRow): string {
  if (removable) return 'removable';
  return dirty ? 'dirty' : unpushed ? 'unpushed' : 'kept';
}

function worktreeRecord(row: WorktreeRow): Field[] {
  return [row.feature, row.path, row.branch, row.head, stateOf(row)];
}

function worktreeTable(rows: readonly WorktreeRow[], ui: Ui): string[] {
  return table(
    rows,
    [
      { title: 'FEATURE', text: ({ feature }) => feature, paint: (_, text) => ui.colors.bold(text) },
      { title: 'BRANCH', text: ({ branch }) => branch ?? '' },
      { title: 'HEAD', text: ({ head }) => (head === null ? '' : shortOid(head)) },
      { title: 'STATE', text: stateOf },
      { title: 'PATH', text: ({ path }) => path },
    ],
    ui,
  );
}

export const worktreeList = command({
  description:
    'Lists the worktrees of features, and whether they hold uncommitted (dirty) or unpushed work. Unpushed are commits ' +
    'that no other branch here or on a remote contains.',
  examples: ['git state worktree list', 'git state worktree list --json | jq -r ".worktrees[].path"'],
  pipe,
  writes: false,
  at: false,
  async run(invocation) {
    const value = await (await invocation.store()).worktreeList();
    return {
      value,
      human: (ui) =>
        value.worktrees.length > 0
          ? worktreeTable(value.worktrees, ui)
          : ['no worktrees: `git state claim --worktree` makes one'],
      plain: value.worktrees.map(worktreeRecord),
    };
  },
});

export const worktreePrune = command<{ dryRun?: boolean; unpushed?: boolean }>({
  description:
    'Removes the worktrees of finished features that hold no uncommitted and no unpushed work. Branches stay.',
  options: [
    { flags: '--dry-run', description: 'only show which' },
    { flags: '--unpushed', description: 'those with unpushed commits, too; their branches stay' },
  ],
  examples: ['git state worktree prune --dry-run', 'git state worktree prune'],
  pipe,
  writes: true,
  async run(invocation) {
    const { dryRun, unpushed } = invocation.options;
    const value = await (await invocation.store()).worktreePrune({
      ...(dryRun ? { dryRun } : {}),
      ...(unpushed ? { unpushed } : {}),
    });
    const verb = dryRun ? 'would remove' : 'removed';
    return {
      value,
      human: () =>
        value.worktrees.length > 0
          ? value.worktrees.map(({ feature, path }) => `${verb} the worktree of ${feature}: ${path}`)
          : ['no worktree to remove'],
      plain: value.worktrees.map(worktreeRecord),
      ...(dryRun ? { essential: true } : {}),
    };
  },
});
