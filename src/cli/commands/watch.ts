import type { LogEntry } from '../../store/api/history.ts';
import type { Store } from '../../store/open.ts';
import { command, type Invocation } from '../command.ts';
import { signalStatuses } from '../interrupts.ts';
import { commit } from '../options.ts';
import { Screen } from '../screen.ts';
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
    'Shows the status and draws it again as the state changes, until Ctrl-C. In a pipe it prints one record for each new ' +
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
    const pause = new Pause();
    let status: number | null = null;
    invocation.interrupts.take((signal) => {
      status = signalStatuses[signal];
      pause.end();
    });
    const follow =
      invocation.output.format === 'human' ? redrawing(store, invocation) : printing(store, invocation);
    try {
      while (status === null && !invocation.output.closed) {
        await follow.look();
        await pause.wait(lookMs);
      }
    } finally {
      follow.close();
    }
    return status ?? 0;
  },
});

interface Follower {
  look(): Promise<void>;
  close(): void;
}

function redrawing(store: Store, { output, env }: Invocation<WatchFlags>): Follower {
  const screen = new Screen(output);
  let shown: string | null | undefined;
  let drawnMs = 0;
  return {
    async look() {
      const tip = await store.tip();
      const nowMs = env.now();
      if (tip === shown && nowMs - drawnMs < redrawMs) return;
      const { colors, columns } = output;
      screen.draw(statusLines(await store.status(), { colors, columns, nowMs }));
      [shown, drawnMs] = [tip, nowMs];
    },
    close: () => screen.close(),
  };
}

function printing(store: Store, { output, options, flags, env }: Invocation<WatchFlags>): Follower {
  const session = flags.session ?? (env.variables.GITSTATE_SESSION || undefined);
  const isWanted = (entry: LogEntry) =>
    (session === undefined || entry.session === null || entry.session === session) &&
    (flags.feature === undefined || entry.feature === flags.feature);
  let last: string | null | undefined = options.since;
  return {
    async look() {
      const tip = await store.tip();
      if (tip === null) await store.status();
      last ??= tip;
      if (tip === null || tip === last) return;
      const entries = await entriesAfter(store, last!);
      for (const entry of entries.filter(isWanted)) {
        if (output.format === 'json') output.object(entry);
        else output.record(logRecord(entry));
        await output.ready();
      }
      last = entries.at(-1)?.commit ?? tip;
    },
    close: () => {},
  };
}

/** Oldest first. */
async function entriesAfter(store: Store, after: string): Promise<LogEntry[]> {
  const entries: LogEntry[] = [];
  for await (const entry of store.log({ all: true, after })) entries.push(entry);
  return entries.reverse();
}

/** A wait that can be ended early, for good. */
class Pause {
  #wake: () => void = () => {};
  #ended = false;

  end(): void {
    this.#ended = true;
    this.#wake();
  }

  async wait(lengthMs: number): Promise<void> {
    if (this.#ended) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, lengthMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
