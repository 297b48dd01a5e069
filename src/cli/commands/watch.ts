import { pause } from '../../store/api/watch.ts';
import type { Store } from '../../store/open.ts';
import { command, type Invocation } from '../command.ts';
import { signalStatuses } from '../interrupts.ts';
import { commit } from '../options.ts';
import { Screen } from '../screen.ts';
import { Estimate } from '../views/estimate.ts';
import { logPipe, logRecord } from '../views/log.ts';
import { statusLines } from '../views/status.ts';

interface WatchFlags {
  since?: string;
}

/** How often the branch is looked at: one look is one look at a ref. */
const lookMs = 500;
/** Leases are renewed and end without a commit. */
const redrawMs = 5000;

export const watch = command<WatchFlags>({
  description:
    'Shows the status and draws it again as the state changes, until Ctrl-C, with an estimate of what is left. In a pipe it prints one record for each new ' +
    'commit instead, with --json one object, as `git state log` does but oldest first: of the session that is named, ' +
    'else of all.',
  options: [
    { flags: '--since COMMIT', description: 'begin behind this commit, not at the present', parse: commit },
  ],
  examples: [
    'git state watch',
    'git state watch --json --since "$last" | while read -r entry; do handle "$entry"; done',
  ],
  pipe: logPipe,
  writes: false,
  at: false,
  async run(invocation) {
    const store = await invocation.store();
    const { interrupts, output } = invocation;
    const end = new AbortController();
    let status = 0;
    interrupts.take((signal) => {
      status = signalStatuses[signal];
      end.abort();
    });
    // That the reader is gone turns out some time after the write, when no further entry may come.
    const listening = setInterval(() => output.closed && end.abort(), lookMs);
    try {
      await (output.format === 'human' ? redraw : print)(store, invocation, end.signal);
    } finally {
      clearInterval(listening);
    }
    return status;
  },
});

async function redraw(
  store: Store,
  { output, env }: Invocation<WatchFlags>,
  signal: AbortSignal,
): Promise<void> {
  const screen = new Screen(output);
  const estimate = new Estimate();
  let shown: string | null | undefined;
  let drawnMs = 0;
  try {
    while (!signal.aborted) {
      const tip = await store.tip();
      const nowMs = env.now();
      if (tip !== shown || nowMs - drawnMs >= redrawMs) {
        const { colors, columns } = output;
        const status = await store.status();
        const { total, completed, archived, failed } = status.progress;
        const done = completed + archived;
        const leftMs = estimate.leftMs({ atMs: nowMs, done, open: total - done - failed });
        screen.draw(statusLines(status, { colors, columns, nowMs }, leftMs));
        [shown, drawnMs] = [tip, nowMs];
      }
      await pause(lookMs, signal);
    }
  } finally {
    screen.close();
  }
}

async function print(
  store: Store,
  { output, options, flags }: Invocation<WatchFlags>,
  signal: AbortSignal,
): Promise<void> {
  const since = options.since === undefined ? {} : { since: options.since };
  for await (const entry of store.watch({ ...since, pollMs: lookMs, signal })) {
    if (flags.feature !== undefined && entry.feature !== flags.feature) continue;
    if (output.format === 'json') output.object(entry);
    else output.record(logRecord(entry));
    await output.ready();
    if (output.closed) return;
  }
}
