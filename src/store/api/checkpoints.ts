import { checkpointPath } from '../../codec/paths.ts';
import { tagName } from '../../codec/tag.ts';
import type { Checkpoint } from '../../core/entities.ts';
import { compareNatural } from '../../core/ids.ts';
import { checkpointByPrefix, featureByPrefix } from '../../core/prefix.ts';
import { findFeature, requireCheckpoint } from '../../core/state.ts';
import type { CheckpointView } from '../../core/views.ts';
import { writerOf } from '../point.ts';
import { checkpointCreate, checkpointDelete } from '../proposals/checkpoint.ts';
import {
  type CallOptions,
  type Context,
  type Reading,
  type ReadOptions,
  readSession,
  scoped,
  submit,
  writtenOf,
} from './context.ts';

/** Looks up in Git what a checkpoint's file cannot say. */
interface Finder {
  /** The commit that last wrote the checkpoint's file. */
  writer(checkpoint: Checkpoint): Promise<string | null>;
  /** Whether an object is there. */
  stands(oid: string): Promise<boolean>;
}

export function checkpointMethods(context: Context) {
  const { engine } = context;
  const history = { reader: engine.reader, repository: engine.repository };

  /** A checkpoint as it is printed: with its commit, and whether work can go on from it. */
  async function viewOf(
    reading: Reading,
    checkpoint: Checkpoint,
    finder = finderOf(reading),
  ): Promise<CheckpointView> {
    const { name, automatic, commit, ...fields } = checkpoint;
    return {
      name,
      tag: automatic ? null : tagName(engine.tagPrefix, reading.session.id, name),
      commit: (commit ?? (await finder.writer(checkpoint)))!,
      ...fields,
      automatic,
      can_resume: await canResume(reading, checkpoint, finder),
    };
  }

  async function canResume(
    { state, session }: Reading,
    { feature, heads }: Checkpoint,
    { stands }: Finder,
  ): Promise<boolean> {
    const owner = feature === null ? undefined : findFeature(state, session.id, feature);
    if (owner?.status === 'completed' || owner?.status === 'archived') return false;
    const found = await Promise.all(Object.values(heads).map(({ oid }) => stands(oid)));
    return found.every(Boolean);
  }

  /** For one checkpoint: its tag tells its commit, else the history of its file. */
  function finderOf({ session, snapshot }: Reading): Finder {
    const { branchRef, tagPrefix } = engine;
    const writers = engine.writers.bind(engine);
    const place = { ...history, branchRef, tagPrefix, writers, tip: snapshot.commit, state: snapshot.state };
    return {
      writer: ({ name, automatic }) =>
        writerOf({ ...place, session: session.id, nowMs: 0 }, session.id, name, automatic),
      stands: async (oid) => (await engine.reader.info(oid)) !== null,
    };
  }

  /** For many: one walk tells all commits, and a head that many share is looked for once. */
  async function finderOfAll(reading: Reading): Promise<Finder> {
    const { session, snapshot } = reading;
    const one = finderOf(reading);
    // Where the history is cut off, its last commit seems to have written everything; tags know better.
    const cut = snapshot.commit === null || engine.repository.shallow();
    const writers = cut ? null : await engine.writers(snapshot.commit!, session.id);
    const known = new Map<string, Promise<boolean>>();
    return {
      writer: async (checkpoint) =>
        writers?.get(checkpointPath(session.id, checkpoint.name)) ?? one.writer(checkpoint),
      stands(oid) {
        const found = known.get(oid) ?? one.stands(oid);
        known.set(oid, found);
        return found;
      },
    };
  }

  return {
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
      const finder = await finderOfAll(reading);
      return { checkpoints: await Promise.all(all.map((checkpoint) => viewOf(reading, checkpoint, finder))) };
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
  };
}
