import { command, type Invocation } from '../command.ts';
import { count, duration, oneOf, positive } from '../options.ts';
import { workView } from '../work-view.ts';

interface WorkFlags {
  workers?: number;
  perStep?: boolean;
  base?: string;
  keepWorktrees?: 'always' | 'failed' | 'never';
  lease?: string;
  retries?: number;
}

export const work = command<WorkFlags>({
  operands: 'COMMAND...',
  description:
    'Runs COMMAND once for every feature that is or becomes ready, with N workers side by side. Each claims a feature, ' +
    'gets a worktree on a branch of its own, runs the command there and renews the lease meanwhile. Exit status 0 of ' +
    'the command completes the feature, anything else fails it. The command learns from its environment what to do: ' +
    'GITSTATE_FEATURE, GITSTATE_FEATURE_NAME, GITSTATE_STEP, GITSTATE_ATTEMPT, GITSTATE_WORKTREE and others; what it ' +
    'writes to the file GITSTATE_SUMMARY_FILE becomes the summary.\n' +
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
    { flags: '--retries N', description: 'fewer retries than the session allows', parse: count },
  ],
  examples: [
    'git state work --workers 4 -- ./implement.sh',
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
  const view = workView(output, () => opened.status());
  try {
    await view.begin();
    const { workers, perStep, base, keepWorktrees, lease, retries } = options;
    const summary = await runWork({
      store: opened,
      env,
      ...{ workers, perStep, base, keepWorktrees, lease, retries },
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
