import { tagName } from '../../codec/tag.ts';
import { type Change, type DiffSummary, diffStates, summarize } from '../../core/diff.ts';
import type { Checkpoint } from '../../core/entities.ts';
import { compareNatural } from '../../core/ids.ts';
import { checkpointByPrefix, featureByPrefix, sessionByPrefix, wholeId } from '../../core/prefix.ts';
import { contentsBySession } from '../../core/select.ts';
import { contentsOf, findFeature, requireCheckpoint } from '../../core/state.ts';
import type { CheckpointView } from '../../core/views.ts';
import { GitStateError, isGitStateError } from '../../errors.ts';
import { type HistoryCommit, operationOf, walk } from '../history.ts';
import { noStore } from '../moved.ts';
import { parseMoment, writerOf } from '../point.ts';
import { checkpointCreate, checkpointDelete } from '../proposals/checkpoint.ts';
import { noteAdd, stateRestore } from '../proposals/store.ts';
import type { Snapshot } from '../snapshot.ts';
import {
  type CallOptions,
  type Context,
  namedSession,
  pastSnapshot,
  type Reading,
  type ReadOptions,
  readSession,
  scoped,
  submit,
  writtenOf,
} from './context.ts';

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

export function historyMethods(context: Context) {
  const { engine, transactor } = context;
  const history = { reader: engine.reader, repository: engine.repository };

  async function* log(options: LogOptions = {}): AsyncGenerator<LogEntry> {
    const { limit = Number.POSITIVE_INFINITY } = options;
    const tip = await context.transactor.tip();
    if (tip === null) throw await noStore(engine);
    const newest = (await pastSnapshot(context, options))?.commit ?? tip;
    const accepts = filterOf(context, await withWholeNames(options));
    const sinceMs = momentOf(options.since);
    let count = 0;
    for await (const commit of walk(history, newest)) {
      if (options.after !== undefined && commit.oid.startsWith(options.after)) return;
      if (count >= limit || (sinceMs !== null && commit.author.at * 1000 < sinceMs)) return;
      const entry = await entryOf(commit);
      if (!accepts(entry)) continue;
      count += 1;
      yield entry;
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

  function filterOf(owner: Context, options: LogOptions): (entry: LogEntry) => boolean {
    const session = options.all ? undefined : scoped(owner, { session: options.session }).session;
    const untilMs = momentOf(options.until);
    return (entry) =>
      (session === undefined || entry.session === null || entry.session === session) &&
      (options.feature === undefined || namesFeature(entry, options.feature)) &&
      (options.worker === undefined || entry.worker === options.worker || entry.actor === options.worker) &&
      (options.op === undefined ||
        entry.op === options.op ||
        entry.op?.startsWith(`${options.op}.`) === true) &&
      (untilMs === null || Date.parse(entry.at) <= untilMs);
  }

  /** A checkpoint as it is printed: with its commit, and whether work can go on from it. */
  async function viewOf(reading: Reading, checkpoint: Checkpoint): Promise<CheckpointView> {
    const { session, snapshot } = reading;
    const { name, automatic, commit, ...fields } = checkpoint;
    const place = { ...history, branchRef: engine.branchRef, tip: snapshot.commit, state: snapshot.state };
    const written =
      commit ?? (await writerOf({ ...place, session: session.id, nowMs: 0 }, session.id, name, automatic));
    return {
      name,
      tag: automatic ? null : tagName(session.id, name),
      commit: written!,
      ...fields,
      automatic,
      can_resume: await canResume(reading, checkpoint),
    };
  }

  async function canResume({ state, session }: Reading, { feature, heads }: Checkpoint): Promise<boolean> {
    const owner = feature === null ? undefined : findFeature(state, session.id, feature);
    if (owner?.status === 'completed' || owner?.status === 'archived') return false;
    const found = await Promise.all(Object.values(heads).map(({ oid }) => engine.reader.info(oid)));
    return found.every((info) => info !== null);
  }

  async function pointSnapshot(text: string | undefined, session: string | undefined): Promise<Snapshot> {
    const now = await transactor.read('all');
    if (text === undefined) return now;
    const { commit } = await engine.point(now, text, namedSession(context, now, session));
    return engine.past(commit);
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

    /** Makes a checkpoint: an annotated tag on the commit that this makes, or on an older one. */
    async checkpointCreate(
      options: CallOptions & {
        name: string;
        feature?: string;
        step?: string;
        data?: unknown;
        at?: string;
        /** One of the same name and feature gives way; by default a name is given once. */
        replace?: boolean;
        automatic?: boolean;
      },
    ) {
      const { session, worker } = scoped(context, { session: options.session, worker: options.worker });
      const { token: _token, force: _force, ...request } = options;
      const landed = await submit(context, checkpointCreate, { ...request, session, worker });
      const reading = await readSession(context, { session: landed.operation!.session! });
      const { commit: state_commit, ...written } = writtenOf(landed);
      const { name } = landed.operation!.args as { name: string };
      return {
        ...(await viewOf(reading, requireCheckpoint(landed.state, reading.session.id, name))),
        ...written,
        state_commit,
      };
    },

    async checkpointList(
      options: ReadOptions & { feature?: string } = {},
    ): Promise<{ checkpoints: CheckpointView[] }> {
      const reading = await readSession(context, options);
      const { feature: text } = options;
      const owner =
        text === undefined ? undefined : featureByPrefix(reading.state, reading.session.id, text).id;
      const all = [...reading.contents.checkpoints.values()]
        .filter(({ feature }) => owner === undefined || feature === owner)
        .sort((a, b) =>
          a.created_at < b.created_at ? -1 : a.created_at > b.created_at ? 1 : compareNatural(a.name, b.name),
        );
      const checkpoints = [];
      for (const checkpoint of all) checkpoints.push(await viewOf(reading, checkpoint));
      return { checkpoints };
    },

    async checkpointShow(options: ReadOptions & { name: string }): Promise<CheckpointView> {
      const reading = await readSession(context, options);
      return viewOf(reading, checkpointByPrefix(reading.state, reading.session.id, options.name));
    },

    /** Gives a checkpoint's name up; the commit stays in the history. Answers with what it was. */
    async checkpointDelete(options: CallOptions & { name: string }) {
      const { session, worker } = scoped(context, { session: options.session, worker: options.worker });
      const reading = await readSession(context, { session }, { whole: true });
      const view = await viewOf(reading, requireCheckpoint(reading.state, reading.session.id, options.name));
      const landed = await submit(context, checkpointDelete, {
        session,
        worker,
        name: options.name,
        opId: options.opId,
      });
      const { commit: state_commit, ...written } = writtenOf(landed);
      return { ...view, ...written, state_commit };
    },

    /** Puts a session, or one feature, back to what it was at a point of the history, as a new commit. */
    async restore(options: CallOptions & { point: string; feature?: string; dryRun?: boolean }) {
      const { session, worker } = scoped(context, { session: options.session, worker: options.worker });
      const request = { session, worker, point: options.point, feature: options.feature };
      const given = Object.fromEntries(Object.entries(request).filter(([, value]) => value !== undefined));
      const { before, after } = await transactor.preview(stateRestore, given);
      if (options.dryRun) {
        return {
          commit: null,
          changed: false,
          durability: 'local' as const,
          changes: diffStates(before, after),
        };
      }
      const landed = await submit(context, stateRestore, { ...request, opId: options.opId });
      const then = landed.commit === null ? landed.state : ((await parentState(landed.commit)) ?? before);
      return {
        ...writtenOf(landed),
        changes: diffStates(then, landed.state, landed.operation?.session ?? undefined),
      };
    },

    /** Compares two points by meaning; the second is the tip by default. */
    async diff(options: { from: string; to?: string; session?: string }): Promise<{
      from: string;
      to: string;
      changes: Change[];
      summary: DiffSummary;
    }> {
      const from = await pointSnapshot(options.from, options.session);
      const to = await pointSnapshot(options.to, options.session);
      const { session } = options;
      const changes = diffStates(from.state, to.state, session);
      return {
        from: from.commit!,
        to: to.commit!,
        changes,
        summary: summarize(from.state, to.state, changes, session),
      };
    },
  };

  async function parentState(commit: string) {
    for await (const { parents } of walk(history, commit)) {
      return parents[0] === undefined ? null : (await engine.past(parents[0])).state;
    }
    return null;
  }
}

/** ISO 8601; the seconds themselves where somebody wrote a time beyond what can be told. */
function timeOf(seconds: number): string {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? `@${seconds}` : date.toISOString().replace('.000Z', 'Z');
}

/** Whether an entry is about a feature: by its trailer, or as one of many. */
function namesFeature(entry: LogEntry, feature: string): boolean {
  if (entry.feature === feature) return true;
  const many = (entry.args as { features?: { id: string }[] } | null)?.features;
  return Array.isArray(many) && many.some(({ id }) => id === feature);
}
