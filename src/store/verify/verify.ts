import type { Checkpoint } from '../../core/entities.ts';
import { keyOf } from '../../core/ids.ts';
import { emptyContents, type State } from '../../core/state.ts';
import { type GitStateError, isGitStateError } from '../../errors.ts';
import type { NewObject } from '../../git/objects.ts';
import { isAncestor } from '../../git/path-history.ts';
import { checkpointFaults, type Writer, writerByHistory, writerByTag } from '../checkpoint-refs.ts';
import { type HistoryCommit, readCommit } from '../commits.ts';
import type { Engine } from '../engine.ts';
import { isInHistory, rootOf, type Seal, sealOf } from '../epochs.ts';
import { emptySnapshot, type Snapshot } from '../snapshot.ts';
import { commitsOf, type Line, lineOf } from './line.ts';
import { VerifiedMark } from './memory.ts';
import type { Problem } from './problem.ts';
import { repeatedIds } from './repeated.ts';
import { Replay, type Step, snapshotAt } from './replay.ts';
import { signatureProblems } from './signatures.ts';

export interface VerifyRange {
  /** The newest commit that is looked at. */
  to: string;
  /** The commit behind which it begins; null for the root, or what was verified before. */
  from: string | null;
  /** Whether nothing is believed that was verified before. */
  full: boolean;
  /** Whether commits made by hand count as problems. */
  strict: boolean;
  signatures: boolean;
  /** Whether it goes on in the epochs before; by itself it does where `from` lies there. */
  epochs: boolean;
}

/** One epoch that was looked at. */
export interface VerifiedEpoch {
  /** Its number; null for the present one, which has none yet. */
  epoch: number | null;
  commits: number;
  /** Its newest commit that was looked at. */
  to: string;
}

export interface Verification {
  /** Commits that were looked at now. */
  commits: number;
  ok: boolean;
  problems: Problem[];
  to: string;
  /** Behind which commit it began: one that was given, one that was verified before, or the edge of a shallow clone;
   *  null for the root. */
  from: string | null;
  /** Whether every commit since the root is verified, now or before. */
  complete: boolean;
  operations: number;
  manual: number;
  restores: number;
  repairs: number;
  /** Newest first. */
  epochs: VerifiedEpoch[];
  /** The epoch before the oldest of them, which was not looked at; null where there is none. */
  behind: { epoch: number; here: boolean } | null;
}

/** Objects that are asked for at a time. */
const objectsMax = 1024;
/** More would hide the first. */
const problemsMax = 100;

/** Replays a range of the history, one epoch after the other.
 *  @param bring fetches the epochs before a commit that are not here, where they can be had.
 *  @throws SCHEMA_TOO_NEW, INVALID_INPUT for a range that is none. */
export async function verifyHistory(
  engine: Engine,
  range: VerifyRange,
  bring: (tip: string) => Promise<void> = async () => {},
): Promise<Verification> {
  if (range.epochs) await bring(range.to);
  const { repository } = engine;
  const isFar = async (to: string) =>
    range.from !== null &&
    !(await isAncestor(repository, range.from, to)) &&
    isInHistory(engine, range.from, to);
  const seen = new Set<string>();
  let far = await isFar(range.to);
  let { result, seal } = await verifyEpoch(engine, far ? { ...range, from: null, full: true } : range, {
    seen,
    isNewest: true,
  });
  while (seal !== null && (range.epochs || far)) {
    if ((await engine.reader.info(seal.tip)) === null) break;
    const { tip: to, epoch, commits } = seal;
    far = await isFar(to);
    const from = far ? null : range.from;
    const older = await verifyEpoch(engine, { ...range, to, from, full: true }, { seen, isNewest: false });
    const counts = older.result.complete && older.result.commits !== commits;
    result = joined(result, { ...older.result, epochs: [{ ...older.result.epochs[0]!, epoch }] });
    if (counts) result.problems.push(miscounted(older.result, commits));
    seal = older.seal;
  }
  result.ok = !result.problems.some(({ fails }) => fails);
  const here = seal !== null && (await engine.reader.info(seal.tip)) !== null;
  return { ...result, behind: seal === null ? null : { epoch: seal.epoch, here } };
}

function miscounted({ to, commits }: Verification, said: number): Problem {
  const message = `its epoch has ${commits} commits, not ${said} as the seal says`;
  return { commit: to, kind: 'operation', fails: true, message, subject: null };
}

/** What was found in two epochs; that of the older one comes first. */
function joined(newer: Verification, older: Verification): Verification {
  const sum = (key: 'commits' | 'operations' | 'manual' | 'restores' | 'repairs') => newer[key] + older[key];
  return {
    ...newer,
    commits: sum('commits'),
    operations: sum('operations'),
    manual: sum('manual'),
    restores: sum('restores'),
    repairs: sum('repairs'),
    problems: [...older.problems, ...newer.problems],
    from: older.from,
    complete: newer.complete && older.complete,
    epochs: [...newer.epochs, ...older.epochs],
  };
}

interface EpochRun {
  result: Verification;
  /** What the root sealed, where the run came to it. */
  seal: Seal | null;
}

/** Replays the part of a range that lies in the epoch of its end. */
async function verifyEpoch(
  engine: Engine,
  range: VerifyRange,
  { seen, isNewest }: { seen: Set<string>; isNewest: boolean },
): Promise<EpochRun> {
  const history = { reader: engine.reader, repository: engine.repository };
  const mark = new VerifiedMark(engine.cacheDirectory, engine.branchRef);
  const remembered = range.full || range.from !== null ? null : await usableMark(engine, mark, range.to);
  const line = await lineOf(history, range.to, range.from ?? remembered);
  const run = new Run(engine, range);
  const start = await run.begin(line);
  const replay = new Replay(history, engine.schema, start, seen);
  const oids = start.commit !== null && line.start.kind === 'shallow' ? line.oids.slice(1) : line.oids;
  try {
    for await (const commit of commitsOf(history, oids)) {
      await run.take(await replay.step(commit));
      if (run.isFull) break;
    }
  } catch (error) {
    run.failed(error);
  }
  if (line.start.kind === 'base') await run.checkRepeated(line.start.commit);
  const end = replay.snapshot;
  const reached = run.result.commits === oids.length;
  if (end && reached) await run.checkEnd(end, { withRefs: isNewest });
  if (range.signatures) run.add(...(await signatureProblems(engine.repository, line.oids)));
  const complete = reached && (line.start.kind === 'root' || (remembered !== null && range.from === null));
  const result = run.conclude(complete);
  const sound = range.from === null ? run.lastSound : null;
  if (isNewest && sound !== null && (line.start.kind === 'root' || remembered !== null))
    await mark.write(sound);
  const root =
    line.start.kind === 'root' ? line.oids[0] : remembered && (await rootOf(history, range.to))?.oid;
  return { result, seal: await sealOf(history, root ? await readCommit(engine.reader, root) : null) };
}

/** The commit up to which was verified before; null where it does not lie in this history. */
async function usableMark(
  { repository, reader }: Engine,
  mark: VerifiedMark,
  tip: string,
): Promise<string | null> {
  const commit = mark.read();
  if (commit === null || !/^[0-9a-f]{40,64}$/.test(commit) || (await reader.info(commit)) === null)
    return null;
  const args = ['merge-base', '--is-ancestor', commit, tip];
  const { status } = await repository.git.run(args, { okStatuses: [0, 1, 128] });
  return status === 0 ? commit : null;
}

/** An object, and the operation that makes it. */
interface Expected {
  oid: string;
  step: Step;
}

class Run {
  readonly result: Verification;
  readonly #engine: Engine;
  readonly #range: VerifyRange;
  readonly #place = new Map<string, number>();
  readonly #writers = new Map<string, Writer>();
  readonly #objects: Expected[] = [];
  #asking: Promise<void> = Promise.resolve();
  readonly #ids = new Map<string, HistoryCommit>();
  #before: State = emptySnapshot.state;

  constructor(engine: Engine, range: VerifyRange) {
    this.#engine = engine;
    this.#range = range;
    this.result = {
      commits: 0,
      ok: true,
      problems: [],
      to: range.to,
      from: null,
      complete: false,
      operations: 0,
      manual: 0,
      restores: 0,
      repairs: 0,
      epochs: [],
      behind: null,
    };
  }

  get isFull(): boolean {
    return this.result.problems.filter(({ fails }) => fails).length >= problemsMax;
  }

  /** The newest commit up to which there is nothing that a later run has to say again. */
  get lastSound(): string | null {
    const places = this.result.problems.map(({ commit }) =>
      commit === null ? undefined : this.#place.get(commit),
    );
    if (this.result.problems.some(({ kind }, index) => kind === 'object' && places[index] === undefined))
      return null;
    const first = Math.min(...places.map((place) => place ?? Number.POSITIVE_INFINITY));
    let found: string | null = null;
    for (const [commit, place] of this.#place) if (place < first) found = commit;
    return found;
  }

  add(...problems: Problem[]): void {
    this.result.problems.push(...problems);
  }

  /** The state from which the line begins. */
  async begin({ start, oids }: Line): Promise<Snapshot> {
    if (start.kind === 'root') return emptySnapshot;
    if (start.kind === 'broken') {
      this.add(general(start.error, { commit: start.commit, kind: 'object' }));
      return { ...emptySnapshot, commit: start.commit };
    }
    const commit = start.kind === 'base' ? start.commit : oids[0]!;
    this.result.from = commit;
    const { reader, repository, schema } = this.#engine;
    const snapshot = await snapshotAt({ reader, repository }, commit, schema);
    this.#before = snapshot.state;
    return snapshot;
  }

  async take(step: Step): Promise<void> {
    const { result } = this;
    const { operation, commit, problems, snapshot, objects } = step;
    result.commits += 1;
    if (operation) result.operations += 1;
    else if (problems.some(({ kind }) => kind === 'foreign' || kind === 'takes_back')) result.manual += 1;
    if (operation?.type === 'state.restore') result.restores += 1;
    if (operation && result.from !== null) this.#ids.set(operation.id, commit);
    this.#place.set(commit.oid, result.commits);
    for (const problem of problems) this.add(problem);
    if (operation?.type === 'state.repair' && problems.length === 0) {
      result.repairs += 1;
      this.#forgive(operation.args.commit, commit.oid);
    }
    // The root of an epoch writes no checkpoint; it says who did.
    if (snapshot && operation?.type === 'store.seal') this.#before = snapshot.state;
    if (snapshot) this.#noteWriters(snapshot.state, { commit: commit.oid, author: commit.author });
    await this.#expect(objects, step);
  }

  /** What a repair left behind is told, and no longer a failure. */
  #forgive(source: string, by: string): void {
    const since = this.#place.get(source) ?? (source === this.result.from ? 0 : undefined);
    for (const problem of this.result.problems) {
      const place = problem.commit === null ? undefined : this.#place.get(problem.commit);
      if (place === undefined || since === undefined || place <= since) continue;
      problem.fails = false;
      problem.repaired_by = by;
    }
  }

  #noteWriters(state: State, writer: Writer): void {
    const before = this.#before;
    this.#before = state;
    for (const session of state.contents.changedSince(before.contents)) {
      const [now, old] = [state.contents, before.contents].map((all) => all.get(session) ?? emptyContents);
      for (const key of now!.checkpoints.changedSince(old!.checkpoints))
        this.#writers.set(`${session} ${key}`, writer);
    }
  }

  /** Objects that the operations make have to be there and whole. Git reads them while the replay goes on. */
  async #expect(objects: readonly NewObject[], step: Step): Promise<void> {
    for (const { oid, type } of objects) if (type !== 'commit') this.#objects.push({ oid, step });
    if (this.#objects.length < objectsMax) return;
    const asked = this.#objects.splice(0);
    await this.#asking;
    this.#asking = this.#askForObjects(asked);
    this.#asking.catch(() => {});
  }

  async #askForObjects(asked: readonly Expected[]): Promise<void> {
    const faults = await Promise.all(asked.map(({ oid }) => this.#faultOf(oid)));
    for (const [index, fault] of faults.entries()) {
      if (fault === null) continue;
      const { oid, step } = asked[index]!;
      const { commit } = step;
      const subject = commit.message.split('\n')[0]!;
      this.add({ commit: commit.oid, kind: 'object', fails: true, message: fault, subject, object: oid });
    }
  }

  async #faultOf(oid: string): Promise<string | null> {
    try {
      return (await this.#engine.reader.read(oid)) ? null : `object ${oid} is missing`;
    } catch (error) {
      if (!isGitStateError(error) || error.code !== 'CORRUPT_STATE') throw error;
      return error.message;
    }
  }

  /** An operation stands in a history once, also where its first part was verified before. */
  async checkRepeated(from: string): Promise<void> {
    const { reader, repository } = this.#engine;
    const repeated = await repeatedIds({ reader, repository }, from, [...this.#ids.keys()]);
    for (const id of repeated) {
      const { oid, message } = this.#ids.get(id)!;
      const text = `operation '${id}' stands there twice`;
      this.add({
        commit: oid,
        kind: 'operation',
        fails: true,
        message: text,
        subject: message.split('\n')[0]!,
      });
    }
  }

  failed(error: unknown): void {
    if (!isGitStateError(error) || error.code === 'SCHEMA_TOO_NEW') throw error;
    const { object } = error.details;
    this.add(general(error, { commit: typeof object === 'string' ? object : null, kind: 'object' }));
  }

  /** The newest state is read from its files, and the refs beside the branch are compared with it. */
  async checkEnd(end: Snapshot, { withRefs }: { withRefs: boolean }): Promise<void> {
    await this.#asking;
    await this.#askForObjects(this.#objects.splice(0));
    const { reader, repository, refs, schema, tagPrefix } = this.#engine;
    const history = { reader, repository, tagPrefix };
    try {
      const there = await snapshotAt(history, this.#range.to, schema);
      await this.#checkBlobs(there);
    } catch (error) {
      this.failed(error);
      return;
    }
    if (!withRefs) return;
    const writersOf = async (session: string, checkpoint: Checkpoint) => {
      const written = this.#writers.get(`${keyOf(session)} ${keyOf(checkpoint.name)}`);
      const tagged = await writerByTag(history, session, checkpoint);
      const known = [written, tagged].flatMap((writer) => writer ?? []);
      if (known.length > 0) return known;
      return [await writerByHistory(history, this.#range.to, session, checkpoint)].flatMap(
        (one) => one ?? [],
      );
    };
    for (const { session, checkpoint, ref, holds } of await checkpointFaults(history, refs, end, writersOf)) {
      const what = holds === null ? 'is missing' : 'is not the tag that its file makes';
      this.add({
        commit: null,
        kind: 'checkpoint',
        // A clone has only the tags that it fetched.
        fails: holds !== null,
        message: `'${ref}' of checkpoint '${checkpoint.name}' in session '${session}' ${what}`,
        subject: null,
        ...(holds === null ? {} : { object: holds }),
      });
    }
  }

  /** Files whose content is not read with the state: artifacts and the README. */
  async #checkBlobs({ state }: Snapshot): Promise<void> {
    const named = [...state.contents.values()].flatMap(({ artifacts }) => [...artifacts.values()]);
    const blobs = [...named, ...(state.readme === null ? [] : [{ path: 'README.md', oid: state.readme }])];
    const faults = await Promise.all(blobs.map(({ oid }) => this.#faultOf(oid)));
    for (const [index, fault] of faults.entries()) {
      if (fault === null) continue;
      const { path, oid } = blobs[index]!;
      this.add({
        commit: this.#range.to,
        kind: 'object',
        fails: true,
        message: `'${path}': ${fault}`,
        subject: null,
        paths: [path],
        object: oid,
      });
    }
  }

  conclude(complete: boolean): Verification {
    const { result } = this;
    const { strict } = this.#range;
    const byHand = (problem: Problem) => problem.kind === 'foreign' || problem.kind === 'takes_back';
    if (strict) for (const problem of result.problems) if (byHand(problem)) problem.fails = true;
    result.complete = complete;
    result.epochs = [{ epoch: null, commits: result.commits, to: this.#range.to }];
    result.ok = !result.problems.some(({ fails }) => fails);
    return result;
  }
}

function general(error: GitStateError, more: Pick<Problem, 'commit' | 'kind'>): Problem {
  const { object } = error.details;
  const named = typeof object === 'string' ? { object } : {};
  return { ...more, fails: true, message: error.message, subject: null, ...named };
}
