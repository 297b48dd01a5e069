import { createReadStream, statSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { budgetExceeded, budgetOf } from '../../core/budgets.ts';
import { tallyFor, totalOf } from '../../core/costs.ts';
import { keyOf, type WorkerId } from '../../core/ids.ts';
import { metricsOf } from '../../core/metrics.ts';
import { Amount, rounded } from '../../core/money.ts';
import { artifactPathFault } from '../../core/operations/artifact-put.ts';
import { featureByPrefix } from '../../core/prefix.ts';
import { requireStep } from '../../core/rules.ts';
import { contentsOf, requireFeature, requireSession } from '../../core/state.ts';
import { stepIn } from '../../core/tally.ts';
import { costsView } from '../../core/views.ts';
import { GitStateError } from '../../errors.ts';
import { streamBlob } from '../../git/reader.ts';
import type { Landed } from '../proposal.ts';
import { artifactPut, costAdd, costSet, qualitySet } from '../proposals/facts.ts';
import { featureOf } from '../proposals/scope.ts';
import {
  type CallOptions,
  type Context,
  featureAnswer,
  nowOf,
  type ReadOptions,
  readSession,
  scoped,
  subjectOf,
  submit,
  writtenOf,
} from './context.ts';

export interface CostOptions extends CallOptions {
  feature?: string;
  amount: number;
  step?: string;
  /** What the money was spent on. */
  operation?: string;
  tokens?: { in?: number; out?: number; cached?: number };
  /** A repeated report under the same key counts once. */
  key?: string;
}

export interface ArtifactRow {
  path: string;
  oid: string;
  /** Bytes. */
  size: number;
}

/** Largest artifact unless `gitstate.artifactMaxBytes` says otherwise; 0 lifts the limit. */
const artifactBytesMax = 100 * 1024 * 1024;

export function factMethods(context: Context) {
  const { engine } = context;

  /** Where the money of a feature stands after an entry. */
  function costAnswer(landed: Landed, step: string | undefined) {
    const { session: sessionId, feature: id } = subjectOf(landed);
    const session = requireSession(landed.state, sessionId);
    const contents = contentsOf(landed.state, sessionId);
    const feature = requireFeature(landed.state, sessionId, id);
    return {
      feature: id,
      step: step ?? null,
      step_total: step === undefined ? null : stepIn(tallyFor(contents, id), step),
      total: totalOf(contents, id),
      budget: session.budgets.feature,
      ...budgetOf(session, contents, feature, nowOf(context)),
    };
  }

  async function spend(proposal: typeof costAdd | typeof costSet, options: CostOptions) {
    const landed = await submit(context, proposal as typeof costAdd, {
      ...withoutForce(scoped(context, options)),
    });
    return { ...costAnswer(landed, options.step), ...writtenOf(landed) };
  }

  async function featureIn(options: ReadOptions & { feature?: string }) {
    const reading = await readSession(context, options);
    const { feature, worker, token } = scoped(context, {
      session: options.session,
      feature: options.feature,
    });
    const view = { state: reading.state, derivedWorker: context.derivedWorker };
    const whole = feature && featureByPrefix(reading.state, reading.session.id, feature).id;
    const request = { feature: whole, token, worker: worker as WorkerId | undefined };
    return { ...reading, feature: featureOf(view, reading.session, request) };
  }

  async function listArtifacts(
    options: ReadOptions & { feature?: string; step?: string },
  ): Promise<ArtifactRow[]> {
    const { contents, feature } = await featureIn(options);
    if (options.step !== undefined) requireStep(feature, options.step);
    const prefix = `${feature.id}/${options.step === undefined ? '' : `${options.step}/`}`;
    const found = [...contents.artifacts.values()].filter(({ path }) =>
      keyOf(path).startsWith(keyOf(prefix)),
    );
    const rows = found.map(async ({ path, oid }) => ({
      path: path.slice(feature.id.length + 1),
      oid,
      size: (await engine.reader.info(oid))?.size ?? 0,
    }));
    return (await Promise.all(rows)).sort((a, b) => (a.path < b.path ? -1 : 1));
  }

  /** Stores a file as a blob without reading it into memory. */
  async function storeFile(path: string, name: string): Promise<ArtifactRow> {
    const { size } = statSync(path);
    const limit = engine.repository.config.int('gitstate.artifactMaxBytes', artifactBytesMax);
    if (limit > 0 && size > limit) {
      throw new GitStateError('INVALID_INPUT', `'${name}' has ${size} bytes, more than ${limit}`, {
        hint: 'raise the limit: git config gitstate.artifactMaxBytes BYTES (0: none)',
      });
    }
    return { path: name, oid: await engine.writeBlob(size, createReadStream(path)), size };
  }

  return {
    /** Records what was spent; never refused, and warns from 80% of a budget on. */
    costAdd: (options: CostOptions) => spend(costAdd, options),

    /** Sets the total of a step. */
    costSet: (options: CostOptions & { step: string }) => spend(costSet, options),

    /** Says what the budgets would say after `amount` more. @throws BUDGET_EXCEEDED with `enforce` */
    async costCheck(
      options: ReadOptions & { feature?: string; amount: number; step?: string; enforce?: boolean },
    ) {
      const { session, contents, feature, at } = await featureIn(options);
      const amount = Amount.safeParse(rounded(options.amount));
      if (!amount.success) throw new GitStateError('INVALID_INPUT', `'${options.amount}' is no amount`);
      if (options.step !== undefined) requireStep(feature, options.step);
      const extra = { more: amount.data, step: options.step };
      const state = budgetOf(session, contents, feature, at, extra);
      if (state.stop && options.enforce) throw budgetExceeded(session, contents, feature, at, extra);
      return {
        feature: feature.id,
        step: options.step ?? null,
        total: totalOf(contents, feature.id),
        budget: session.budgets.feature,
        ...state,
      };
    },

    /** Who spent what, when and on what: of the session, or of one feature. */
    async costShow(options: ReadOptions & { feature?: string } = {}) {
      const { session, contents, state, at } = await readSession(context, options);
      const feature =
        options.feature === undefined ? undefined : featureByPrefix(state, session.id, options.feature);
      return costsView(session, contents, at, feature);
    },

    /** Records scores of a feature's quality. */
    async quality(options: CallOptions & { feature?: string; scores: Record<string, number> }) {
      return featureAnswer(
        context,
        await submit(context, qualitySet, withoutForce(scoped(context, options))),
      );
    },

    /** Times, success rates, costs and quality of the session. */
    async metrics(options: ReadOptions = {}) {
      const { session, contents } = await readSession(context, options);
      return { session: session.id, ...metricsOf(session, contents) };
    },

    /** Keeps files with the state, under the step that produced them; folders are put with all that is in them. */
    async artifactPut(options: CallOptions & { feature?: string; step: string; files: string[] }) {
      const found = (await Promise.all(options.files.map((file) => filesAt(context.cwd, file)))).flat();
      for (const { name } of found) {
        const fault = artifactPathFault(name);
        if (fault)
          throw new GitStateError('INVALID_INPUT', `'${name}' ${fault}`, {
            hint: 'give the file another name',
          });
      }
      const files: ArtifactRow[] = [];
      for (const { path, name } of found) files.push(await storeFile(path, name));
      const landed = await submit(context, artifactPut, { ...scoped(context, options), files });
      const { feature } = subjectOf(landed);
      return { feature, step: options.step, artifacts: files, ...writtenOf(landed) };
    },

    async artifactList(options: ReadOptions & { feature?: string; step?: string } = {}) {
      return { artifacts: await listArtifacts(options) };
    },

    /** The bytes of an artifact. @throws ARTIFACT_NOT_FOUND */
    async artifactGet(
      options: ReadOptions & { feature?: string; step: string; path: string },
    ): Promise<Readable> {
      const wanted = `${options.step}/${options.path}`;
      const rows = await listArtifacts(options);
      const row = rows.find(({ path }) => path === wanted);
      if (row) return streamBlob(engine.repository, row.oid);
      throw new GitStateError('ARTIFACT_NOT_FOUND', `no artifact '${wanted}'`, {
        hint: 'see what there is with `git state artifact list`',
        details: { path: wanted },
      });
    },
  };
}

/** Facts need no claim, so nothing about them can be forced. */
function withoutForce<T extends { force?: boolean; token?: string }>({ force: _force, ...options }: T) {
  return options;
}

/** A file, or all files below a folder, with their names as artifacts. */
async function filesAt(cwd: string, given: string): Promise<{ path: string; name: string }[]> {
  const path = resolve(cwd, given);
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat)
    throw new GitStateError('INVALID_INPUT', `no file '${given}'`, {
      hint: 'give the path of a file or folder',
    });
  if (!stat.isDirectory()) return [{ path, name: basename(path) }];
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .map((file) => ({
      path: file,
      name: `${basename(path)}${file.slice(path.length).replaceAll('\\', '/')}`,
    }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}
