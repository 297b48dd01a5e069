import { sessionByPrefix, wholeId } from '../../core/prefix.ts';
import { contentsBySession } from '../../core/select.ts';
import { contentsOf } from '../../core/state.ts';
import { GitStateError, isGitStateError } from '../../errors.ts';
import { type HistoryCommit, operationOf } from '../commits.ts';
import { sealOf, wayToEpoch } from '../epochs.ts';
import { walk } from '../history.ts';
import { parseMoment } from '../moment.ts';
import { noStore } from '../moved.ts';
import { noteAdd } from '../proposals/store.ts';
import { type CallOptions, type Context, pastSnapshot, scoped, submit, writtenOf } from './context.ts';

export interface LogEntry {
  commit: string;
  at: string;
  /** Type of the operation; null for a commit made by hand. */
  op: string | null;
  session: string | null;
  feature: string | null;
  worker: string | null;
  actor: string;
  id: string | null;
  subject: string;
  args: unknown;
}

export interface LogOptions {
  session?: string;
  feature?: string;
  worker?: string;
  /** Operation type, such as `feature.claim`, or its first part. */
  op?: string;
  since?: string;
  until?: string;
  /** Entries of every session. */
  all?: boolean;
  /** At most so many entries. */
  limit?: number;
  /** Entries newer than this commit only: a name of at least seven digits. @throws COMMIT_NOT_FOUND */
  after?: string;
  /** The newest entry is the one at this point: checkpoint, commit, date or age. */
  at?: string;
}

/** What a log is narrowed to. */
interface Filter {
  /** False where the text of a commit alone shows that it is not meant. */
  commit(commit: HistoryCommit): boolean;
  entry(entry: LogEntry): boolean;
}

export function logMethods(context: Context) {
  const { engine, transactor } = context;
  const history = { reader: engine.reader, repository: engine.repository };

  async function* log(options: LogOptions = {}): AsyncGenerator<LogEntry> {
    const { limit = Number.POSITIVE_INFINITY } = options;
    const tip = await transactor.tip();
    if (tip === null) throw await noStore(engine);
    const newest = (await pastSnapshot(context, options))?.commit ?? tip;
    const accepts = filterOf(context, await withWholeNames(options));
    const sinceMs = momentOf(options.since);
    let count = 0;
    let last: HistoryCommit | null = null;
    for await (const commit of walk(history, newest)) {
      last = commit;
      if (options.after !== undefined && commit.oid.startsWith(options.after)) return;
      if (count >= limit || (sinceMs !== null && commit.author.at * 1000 < sinceMs)) return;
      // Most commits of a long history can be told from their text, without reading the operation.
      if (!accepts.commit(commit)) continue;
      const entry = await entryOf(commit);
      if (!accepts.entry(entry)) continue;
      count += 1;
      yield entry;
    }
    const seal = await sealOf(engine, last);
    if (seal !== null) {
      const behind = `epoch ${seal.epoch} (${seal.commits} commits up to ${seal.tip.slice(0, 12)})`;
      context.warn(`${behind} is not in this clone; bring it with: ${wayToEpoch(seal)}`);
    }
    if (options.after === undefined) return;
    throw new GitStateError('COMMIT_NOT_FOUND', `no commit '${options.after}' in the history of the state`, {
      hint: 'see what there is with `git state log`',
    });
  }

  /** Names that are short for something that is there now. What was removed since is found by its whole name. */
  async function withWholeNames(options: LogOptions): Promise<LogOptions> {
    const { feature, worker, all } = options;
    const named = all ? undefined : scoped(context, { session: options.session }).session;
    if (named === undefined && feature === undefined && worker === undefined) return options;
    try {
      return await transactor.ask(({ state }) => {
        const session = named === undefined ? undefined : sessionByPrefix(state, named);
        const contents =
          session === undefined
            ? contentsBySession(state).map((one) => one.contents)
            : [contentsOf(state, session)];
        const ids = (table: 'features' | 'workers') =>
          new Set<string>(contents.flatMap((one) => [...one[table].values()].map(({ id }) => id)));
        return {
          ...options,
          ...(session === undefined ? {} : { session }),
          ...(feature === undefined ? {} : { feature: wholeId(ids('features'), feature, 'feature') }),
          ...(worker === undefined ? {} : { worker: wholeId(ids('workers'), worker, 'worker') }),
        };
      });
    } catch (error) {
      // The trail can be read where the state cannot.
      if (isGitStateError(error, 'CORRUPT_STATE')) return options;
      throw error;
    }
  }

  async function entryOf(commit: HistoryCommit): Promise<LogEntry> {
    const operation = await operationOf(engine.reader, commit, engine.schema);
    const args = operation?.args as { feature?: string; worker?: string } | undefined;
    return {
      commit: commit.oid,
      at: timeOf(commit.author.at),
      op: operation?.type ?? null,
      session: operation?.session ?? null,
      feature: args?.feature ?? null,
      worker: args?.worker ?? null,
      actor: commit.author.name,
      id: operation?.id ?? null,
      subject: commit.message.split('\n')[0]!,
      args: operation?.args ?? null,
    };
  }

  function momentOf(text: string | undefined): number | null {
    if (text === undefined) return null;
    const timeMs = parseMoment(text, engine.env.now());
    if (timeMs !== null) return timeMs;
    throw new GitStateError('INVALID_INPUT', `'${text}' is no date`, {
      hint: "a date looks like 2026-01-31T12:00:00Z, an age like 2h or '2 hours ago'",
    });
  }

  function filterOf(owner: Context, options: LogOptions): Filter {
    const session = options.all ? undefined : scoped(owner, { session: options.session }).session;
    const { feature, worker, op } = options;
    const untilMs = momentOf(options.until);
    return {
      commit: ({ message, author }) =>
        (untilMs === null || author.at * 1000 <= untilMs) &&
        (op === undefined || message.includes(`\ngitstate-op: ${op}`)) &&
        (session === undefined ||
          !/^gitstate-session: /m.test(message) ||
          message.includes(`\ngitstate-session: ${session}\n`)) &&
        (worker === undefined ||
          author.name === worker ||
          message.includes(`\ngitstate-worker: ${worker}\n`)) &&
        (feature === undefined || message.includes(feature) || /^gitstate-args-oid: /m.test(message)),
      entry: (entry) =>
        (session === undefined || entry.session === null || entry.session === session) &&
        (feature === undefined || namesFeature(entry, feature)) &&
        (worker === undefined || entry.worker === worker || entry.actor === worker) &&
        (op === undefined || entry.op === op || entry.op?.startsWith(`${op}.`) === true),
    };
  }

  return {
    /** The audit trail, newest first. */
    log,

    /** Adds a log entry: a commit that changes no file. */
    async note(options: CallOptions & { message: string; level?: string; feature?: string }) {
      const { session, worker } = scoped(context, { session: options.session, worker: options.worker });
      const { message, level, feature, opId } = options;
      return writtenOf(await submit(context, noteAdd, { session, worker, message, level, feature, opId }));
    },
  };
}

/** ISO 8601; the seconds themselves where somebody wrote a time beyond what can be told. */
function timeOf(seconds: number): string {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? `@${seconds}` : date.toISOString().replace('.000Z', 'Z');
}

/** Whether an entry is about a feature: by its trailer, or as one of many. */
function namesFeature({ feature, args }: LogEntry, id: string): boolean {
  if (feature === id) return true;
  const { features, released, sessions } = (args ?? {}) as Record<string, unknown>;
  return [
    features,
    released,
    ...listOf(sessions).map((one) => (one as { features?: unknown })?.features),
  ].some((many) =>
    listOf(many).some((one) => (one as unknown) === id || [one?.id, one?.feature].includes(id)),
  );
}

function listOf(value: unknown): { id?: unknown; feature?: unknown }[] {
  return Array.isArray(value) ? value : [];
}
