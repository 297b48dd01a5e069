import type { CommandSpec } from '../command.ts';

export interface TableEntry {
  group: Group;
  /** One line for the list of commands. */
  summary: string;
  /** Loads the command's own code, and nothing of the others'. */
  load(): Promise<CommandSpec>;
}

export const groupTitles = {
  plan: 'Plan the work',
  work: 'Do the work',
  look: 'See where it stands',
  back: 'Come back to a point',
  help: 'Get help',
} as const;
type Group = keyof typeof groupTitles;

function row<K extends string, M extends Record<K, CommandSpec>>(
  name: string,
  group: Group,
  summary: string,
  module: () => Promise<M>,
  key: K,
): [string, TableEntry] {
  return [name, { group, summary, load: async () => (await module())[key] }];
}

/** Every command. A new one is a file beside this one, and a line here. */
export const commandTable: ReadonlyMap<string, TableEntry> = new Map([
  row('init', 'plan', 'create the state branch', () => import('./init.ts'), 'init'),
  row('session start', 'plan', 'start a session', () => import('./session-start.ts'), 'sessionStart'),
  row('session list', 'plan', 'list sessions', () => import('./session-show.ts'), 'sessionList'),
  row('session show', 'plan', 'show a session', () => import('./session-show.ts'), 'sessionShow'),
  row(
    'session update',
    'plan',
    'change its rules and budgets',
    () => import('./session-update.ts'),
    'sessionUpdate',
  ),
  row('session complete', 'plan', 'end it: done', () => import('./session-end.ts'), 'sessionComplete'),
  row('session fail', 'plan', 'end it: failed', () => import('./session-end.ts'), 'sessionFail'),
  row('session archive', 'plan', 'put it away', () => import('./session-end.ts'), 'sessionArchive'),
  row('preset list', 'plan', 'list rules for sessions', () => import('./preset.ts'), 'presetList'),
  row('preset put', 'plan', 'keep rules of your own', () => import('./preset.ts'), 'presetPut'),
  row('add', 'plan', 'add a feature', () => import('./add.ts'), 'add'),
  row('plan load', 'plan', 'add many features from JSON or YAML', () => import('./plan-load.ts'), 'planLoad'),
  row('update', 'plan', 'set fields of a feature', () => import('./update.ts'), 'update'),
  row('remove', 'plan', 'take a feature out', () => import('./remove.ts'), 'remove'),
  row('claim', 'work', 'take a feature, or check a claim', () => import('./claim.ts'), 'claim'),
  row('heartbeat', 'work', 'renew a claim', () => import('./heartbeat.ts'), 'heartbeat'),
  row('release', 'work', 'give a claim back', () => import('./release.ts'), 'release'),
  row('step start', 'work', 'start a step', () => import('./step.ts'), 'stepStart'),
  row('step done', 'work', 'finish a step, start the next', () => import('./step.ts'), 'stepDone'),
  row('step fail', 'work', 'a step failed', () => import('./step.ts'), 'stepFail'),
  row('step skip', 'work', 'pass over a step', () => import('./step.ts'), 'stepSkip'),
  row('complete', 'work', 'complete a feature', () => import('./complete.ts'), 'complete'),
  row('fail', 'work', 'an attempt failed', () => import('./fail.ts'), 'fail'),
  row('retry', 'work', 'make a failed feature pending again', () => import('./retry.ts'), 'retry'),
  row('archive', 'work', 'put a feature away', () => import('./archive.ts'), 'archive'),
  row('note', 'work', 'add an entry to the log', () => import('./note.ts'), 'note'),
  row('quality', 'work', 'score the quality of a feature', () => import('./quality.ts'), 'quality'),
  row('cost add', 'work', 'record what was spent', () => import('./cost.ts'), 'costAdd'),
  row('cost set', 'work', 'set the total of a step', () => import('./cost.ts'), 'costSet'),
  row('cost check', 'work', 'ask the budgets beforehand', () => import('./cost.ts'), 'costCheck'),
  row('artifact put', 'work', 'keep files of a step', () => import('./artifact.ts'), 'artifactPut'),
  row('work', 'work', 'run a command for every feature, with N workers', () => import('./work.ts'), 'work'),
  row('worktree list', 'work', 'list worktrees of features', () => import('./worktree.ts'), 'worktreeList'),
  row('worktree prune', 'work', 'remove those that are done', () => import('./worktree.ts'), 'worktreePrune'),
  row('status', 'look', 'progress, workers, what is blocked', () => import('./status.ts'), 'status'),
  row('list', 'look', 'list features', () => import('./list.ts'), 'list'),
  row('show', 'look', 'show a feature', () => import('./show.ts'), 'show'),
  row('ready', 'look', 'list what can be claimed', () => import('./ready.ts'), 'ready'),
  row('next', 'look', 'the first that can be claimed', () => import('./ready.ts'), 'next'),
  row('worker list', 'look', 'list workers', () => import('./status.ts'), 'workerList'),
  row('log', 'look', 'who did what when', () => import('./log.ts'), 'log'),
  row('blame', 'look', 'who set each field of a feature', () => import('./blame.ts'), 'blame'),
  row('watch', 'look', 'follow the state as it changes', () => import('./watch.ts'), 'watch'),
  row('cost show', 'look', 'who spent what on what', () => import('./cost.ts'), 'costShow'),
  row('metrics', 'look', 'times, rates, costs and quality', () => import('./metrics.ts'), 'metrics'),
  row('artifact list', 'look', 'list files of steps', () => import('./artifact.ts'), 'artifactList'),
  row('artifact get', 'look', 'print a file of a step', () => import('./artifact.ts'), 'artifactGet'),
  row('diff', 'look', 'what changed between two points', () => import('./diff.ts'), 'diff'),
  row(
    'checkpoint create',
    'back',
    'give a point a name',
    () => import('./checkpoint.ts'),
    'checkpointCreate',
  ),
  row('checkpoint list', 'back', 'list checkpoints', () => import('./checkpoint.ts'), 'checkpointList'),
  row('checkpoint show', 'back', 'show a checkpoint', () => import('./checkpoint.ts'), 'checkpointShow'),
  row('checkpoint delete', 'back', 'give up its name', () => import('./checkpoint.ts'), 'checkpointDelete'),
  row('restore', 'back', 'put the state back, as a new commit', () => import('./restore.ts'), 'restore'),
  row('resume', 'back', 'say where to go on with a feature', () => import('./resume.ts'), 'resume'),
  row('undo', 'back', 'take one operation back', () => import('./undo.ts'), 'undo'),
  row('recover', 'back', 'make a session active again', () => import('./recover.ts'), 'recover'),
  row('cleanup', 'back', 'remove old sessions, or features', () => import('./cleanup.ts'), 'cleanup'),
  row('reset', 'back', 'empty the store', () => import('./reset.ts'), 'reset'),
  row(
    'import',
    'plan',
    'take a document of another program in',
    () => import('./import.ts'),
    'importCommand',
  ),
  row('export', 'look', 'print a document of another program', () => import('./export.ts'), 'exportCommand'),
  row('seal', 'plan', 'begin a new epoch of the history', () => import('./seal.ts'), 'seal'),
  row('sync', 'plan', 'bring this clone and the remote together', () => import('./sync.ts'), 'sync'),
  row('verify', 'look', 'replay the history and compare', () => import('./verify.ts'), 'verify'),
  row('doctor', 'look', 'say what is not as it should be', () => import('./doctor.ts'), 'doctor'),
  row('help', 'help', 'help of a command', () => import('./help.ts'), 'help'),
  row('completion', 'help', 'completion for a shell', () => import('./completion.ts'), 'completion'),
]);
