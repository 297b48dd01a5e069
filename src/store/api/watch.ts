import { GitStateError, isGitStateError } from '../../errors.ts';
import { type Context, freshen } from './context.ts';
import { type LogEntry, logMethods } from './log.ts';

export interface WatchOptions {
  /** Begin behind this commit, a name of at least seven digits; else with what comes after the call. */
  since?: string;
  /** Entries of this session, and those of none; else of the session that the store was opened with, or of all. */
  session?: string;
  /** How often the branch is looked at, in milliseconds; one look is one look at a ref. 500 by default. */
  pollMs?: number;
  /** Ends the sequence, without an error. */
  signal?: AbortSignal;
}

/** How often a remote is asked what others did. */
const freshMs = 10_000;

export function watchMethods(context: Context) {
  const { engine } = context;
  const { log } = logMethods(context);

  async function* follow(begin: Promise<string | null>, options: WatchOptions): AsyncGenerator<LogEntry> {
    const { pollMs = 500, signal, session = context.defaults.session } = options;
    let last = options.since ?? (await begin);
    while (!signal?.aborted) {
      await freshen(context, freshMs);
      const tip = await engine.tip();
      if (tip === null || last === null) throw notInitialized();
      const entries = tip === last ? [] : await entriesAfter(last, tip);
      for (const entry of entries) {
        last = entry.commit;
        if (session !== undefined && entry.session !== null && entry.session !== session) continue;
        yield entry;
        if (signal?.aborted) return;
      }
      await pause(pollMs, signal);
    }
  }

  /** Oldest first, up to `tip`. Where the branch was moved to another line, those behind the point at which the lines
   *  part. @throws COMMIT_NOT_FOUND */
  async function entriesAfter(last: string, tip: string): Promise<LogEntry[]> {
    try {
      return await collect(last, tip);
    } catch (error) {
      if (!isGitStateError(error) || error.code !== 'COMMIT_NOT_FOUND') throw error;
      const fork = await forkOf(last, tip);
      if (fork === null) throw error;
      return fork === tip ? [] : collect(fork, tip);
    }
  }

  async function collect(after: string, tip: string): Promise<LogEntry[]> {
    const entries: LogEntry[] = [];
    for await (const entry of log({ all: true, after, at: tip })) entries.push(entry);
    return entries.reverse();
  }

  /** The newest commit that two lines share; null where there is none. */
  async function forkOf(a: string, b: string): Promise<string | null> {
    // An abbreviated name comes from the caller and was never met.
    if (!/^(.{40}|.{64})$/.test(a) || (await engine.reader.info(a)) === null) return null;
    const { git } = engine.repository;
    const fork = await git.text(['merge-base', '--end-of-options', a, b]).catch(() => '');
    return fork.trim() || null;
  }

  return {
    /** The commits of the state as they come, oldest first and each once: what triggers anything else. It goes on
     *  until `signal` says so, and again behind the `commit` of any entry with `since`.
     *  @throws NOT_INITIALIZED, COMMIT_NOT_FOUND */
    watch(options: WatchOptions = {}): AsyncGenerator<LogEntry> {
      // Looked up at once: what is written between this call and the first `next` is new already.
      const begin = context.transactor.tip();
      begin.catch(() => {});
      return follow(begin, options);
    },
  };
}

function notInitialized(): GitStateError {
  return new GitStateError('NOT_INITIALIZED', 'this repository has no state branch yet', {
    hint: 'git state init',
  });
}

/** Waits, but no longer than until `signal` is given. */
export async function pause(lengthMs: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return;
  await new Promise<void>((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, lengthMs);
    signal?.addEventListener('abort', end);
  });
}
