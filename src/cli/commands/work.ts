import { command, type Invocation } from '../command.ts';
import { count, duration, matchOption, oneOf, positive } from '../options.ts';
import { workView } from '../work-view.ts';

interface WorkFlags {
  workers?: number;
  perStep?: boolean;
  base?: string;
  keepWorktrees?: 'always' | 'failed' | 'never';
  lease?: string;
  timeout?: string;
  retries?: number;
  backoff?: string;
  match?: string[];
  setup?: string;
  teardown?: string;
  onComplete?: 'merge';
}

export const work = command<WorkFlags>({
  operands: 'COMMAND...',
  description:
    'Runs COMMAND once for every feature that is or becomes ready, with N workers side by side. Each claims a feature, ' +
    'gets a worktree on a branch of its own, runs the command there and renews the lease meanwhile. Exit status 0 of ' +
    'the command completes the feature, anything else fails it. The command learns from its environment what to do: ' +
    'GITSTATE_FEATURE, GITSTATE_FEATURE_NAME, GITSTATE_STEP, GITSTATE_ATTEMPT, GITSTATE_WORKTREE and others; what it ' +
    'writes to the file GITSTATE_SUMMARY_FILE becomes the summary.\n' +
    'A feature that failed is tried again as often as the session allows; others go first meanwhile. A setup lasts as ' +
    'long as the worktree, unless it failed or --teardown is given: then it comes before each attempt. A teardown comes ' +
    'after each attempt, however it ended; its own failure is a warning. A feature whose branch conflicts with the base ' +
    'is failed, and its branch kept.\n' +
    'The first Ctrl-C makes no new claims and waits; the second ends the commands and releases the claims. ' +
    'Exit status 0 if all is complete, 4 over budget, 5 if something failed or waits, 130 when stopped.',
  options: [
    {
      flags: '--workers N',
      description: 'how many side by side (else workers_count of the session, else 1)',
      parse: positive,
    },
    {
      flags: '--per-step',
      description: 'run the command once per step, so that a crash resumes at the first unfinished one',
    },
    { flags: '--base REF', description: 'where new branches start (else HEAD)' },
    {
      flags: '--keep-worktrees WHEN',
      description: 'always, failed (the default) or never; uncommitted work is never removed',
      parse: oneOf('always', 'failed', 'never'),
    },
    { flags: '--lease DUR', description: 'length of a claim between renewals', parse: duration },
    {
      flags: '--timeout DUR',
      description: 'limit of one attempt: then its processes are ended, and it has failed',
      parse: duration,
    },
    { flags: '--retries N', description: 'fewer retries than the session allows', parse: count },
    {
      flags: '--backoff DUR',
      description: 'pause after a first failure (else 5s), twice that after the next one, and so on',
      parse: duration,
    },
    matchOption,
    { flags: '--setup CMD', description: 'shell command, run once in each worktree before the work in it' },
    { flags: '--teardown CMD', description: 'shell command, run in the worktree after each attempt' },
    {
      flags: '--on-complete ACTION',
      description:
        'merge: what is completed goes into the branch of --base, which must be checked out nowhere',
      parse: oneOf('merge'),
    },
  ],
  examples: [
    'git state work --workers 4 -- ./implement.sh',
    "git state work --workers 4 --timeout 30m --setup 'npm ci' --match 'priority=P0,P1' -- ./implement.sh",
    'git state work --base integration --on-complete merge -- ./implement.sh',
    `git state work --per-step -- sh -c 'make "$GITSTATE_STEP"'`,
    'git state work --workers 2 --json -- npm test | jq -c "[.event, .feature]"',
  ],
  writes: true,
  ignores: ['GITSTATE_FEATURE', 'GITSTATE_WORKER', 'GITSTATE_TOKEN'],
  run,
});

async function run({
  options,
  operands,
  store,
  env,
  output,
  interrupts,
}: Invocation<WorkFlags>): Promise<number> {
  const opened = await store();
  const { runWork } = await import('../../runner/work.ts');
  const [stop, kill] = [new AbortController(), new AbortController()];
  let terminated = false;
  interrupts.take((signal) => {
    if (signal === 'SIGTERM') terminated = true;
    if (stop.signal.aborted || terminated) kill.abort();
    stop.abort();
  });
  const view = workView(output, () => opened.runner.progress({ match: options.match }));
  try {
    await view.begin();
    const summary = await runWork({
      ...options,
      store: opened,
      env,
      command: [...operands.rest],
      stop: stop.signal,
      kill: kill.signal,
      onEvent: (event) => view.show(event),
    });
    view.end(summary);
    return terminated ? 143 : summary.exit_status;
  } finally {
    view.dispose();
  }
}
