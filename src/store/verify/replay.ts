import { splitDigest } from '../../codec/digest.ts';
import type { Schema } from '../../codec/migrate.ts';
import { changedFiles, type FileChange } from '../../codec/tree.ts';
import { apply } from '../../core/apply.ts';
import type { Operation } from '../../core/operation.ts';
import type { State } from '../../core/state.ts';
import { GitStateError, isGitStateError } from '../../errors.ts';
import { encodeCommit } from '../../git/commit.ts';
import { hashObject, type NewObject } from '../../git/objects.ts';
import { type History, type HistoryCommit, operationOf, readCommit } from '../commits.ts';
import { keepsFiles, type Seal } from '../epochs.ts';
import { Facts, withFacts } from '../facts.ts';
import { digested, record } from '../record.ts';
import { emptySnapshot, readSnapshot, type Snapshot } from '../snapshot.ts';
import type { Problem, ProblemKind } from './problem.ts';
import { takenBack } from './taken-back.ts';

/** What a commit made of the state before it. */
export interface Step {
  commit: HistoryCommit;
  /** Null for a commit that was made by hand, or whose operation cannot be read. */
  operation: Operation | null;
  problems: Problem[];
  /** The state after it, as it stands there; null where its tree is no valid state. */
  snapshot: Snapshot | null;
  /** The objects that the operation makes, where it was replayed. */
  objects: readonly NewObject[];
}

/** States that operations name are kept, as the next one often names the same. */
const pastMax = 8;

/** Applies the operations of a line one by one. Each tree is built anew, from what the operation changes alone, and has
 *  to be the one that stands there; each commit is written anew, and has to have the same bytes. */
export class Replay {
  readonly #history: History;
  readonly #schema: Schema;
  readonly #seen: Set<string>;
  readonly #past = new Map<string, Snapshot>();
  /** What stands behind the last commit; null where that is no valid state. */
  #snapshot: Snapshot | null;
  #previous: string | null;

  /** @param start the state from which it begins, which is taken as it is.
   *  @param seen ids of operations that stand elsewhere in the same history. */
  constructor(history: History, schema: Schema, start: Snapshot, seen = new Set<string>()) {
    this.#seen = seen;
    this.#history = history;
    this.#schema = schema;
    this.#snapshot = start;
    this.#previous = start.commit;
  }

  get snapshot(): Snapshot | null {
    return this.#snapshot;
  }

  /** @throws SCHEMA_TOO_NEW */
  async step(commit: HistoryCommit): Promise<Step> {
    const step: Step = { commit, operation: null, problems: [], snapshot: null, objects: [] };
    this.#checkParents(step);
    const before = this.#snapshot;
    try {
      step.operation = await operationOf(this.#history.reader, commit, this.#schema);
      if (step.operation) step.snapshot = await this.#replayed(step, step.operation, before);
      else await this.#describeForeign(step, before);
    } catch (error) {
      if (this.#isBeyondEdge(error))
        add(step, 'unchecked', 'it names a commit beyond the edge of this clone', { fails: false });
      else report(step, error);
    }
    // What does not follow is taken as it stands, so that what comes after it is judged by itself.
    step.snapshot ??= await this.#asItStands(step, before);
    this.#snapshot = step.snapshot;
    this.#previous = commit.oid;
    return step;
  }

  #checkParents(step: Step): void {
    const { parents } = step.commit;
    if (parents.length > 1)
      add(step, 'merge', `it joins ${parents.length} lines: an operation has one parent`);
    else if ((parents[0] ?? null) !== this.#previous)
      add(step, 'parent', 'its parent is not the commit before it');
  }

  /** @returns the snapshot after the operation; null where it does not lead to what stands there. */
  async #replayed(step: Step, operation: Operation, before: Snapshot | null): Promise<Snapshot | null> {
    const { commit } = step;
    checkDigest(step);
    if (this.#seen.has(operation.id))
      add(step, 'operation', `operation '${operation.id}' stands there twice`);
    this.#seen.add(operation.id);
    const base = await this.#baseOf(operation, before, commit);
    if (base === null) {
      add(step, 'unchecked', 'the state before it is damaged');
      return null;
    }
    if (commit.author.at < base.at && operation.type !== 'state.repair')
      add(step, 'message', 'it is older than the commit before it');
    const stored = schemaOf(commit);
    const after = await this.#apply(base.state, operation, stored);
    if (stored < this.#schema.version) return this.#comparedByMeaning(step, base, after);
    const { format, identity } = { format: this.#format, identity: commit.committer };
    const recorded = record({ format, identity, schema: stored }, base, operation, after);
    step.objects = recorded.objects;
    if (recorded.snapshot.tree!.oid !== commit.tree) {
      await this.#nameFiles(step, recorded.snapshot, base);
      return null;
    }
    // Signatures come after everything else and change nothing of it.
    const bare = { ...commit, extraHeaders: '' };
    if (
      recorded.snapshot.commit !== hashObject(format, 'commit', encodeCommit(bare)) &&
      step.problems.length === 0
    )
      add(step, 'message', 'author, committer or message are not as gitstate writes them');
    return { ...recorded.snapshot, commit: commit.oid, at: commit.author.at };
  }

  /** Whether something is missing here because the history is cut off. */
  #isBeyondEdge(error: unknown): boolean {
    return isGitStateError(error, 'COMMIT_NOT_FOUND') && this.#history.repository.shallow();
  }

  get #format() {
    return this.#history.repository.objectFormat;
  }

  /** What the operation changes: the state before it, but for a repair, which goes on from an earlier one. */
  async #baseOf(
    operation: Operation,
    before: Snapshot | null,
    commit: HistoryCommit,
  ): Promise<Snapshot | null> {
    const parent = commit.parents[0] ?? null;
    if (operation.type === 'store.seal') return this.#sealedBy(operation.args, commit);
    if (operation.type !== 'state.repair') return before && { ...before, commit: parent };
    return { ...(await this.#stateAt(operation.args.commit)), commit: parent };
  }

  /** A root goes on from the commit that it sealed. Where that is not here its own files are taken as they stand. */
  async #sealedBy(seal: Seal, commit: HistoryCommit): Promise<Snapshot> {
    const here = (await this.#history.reader.info(seal.tip)) !== null;
    const base = await this.#stateAt(here ? seal.tip : commit.oid);
    if (here && !(await keepsFiles(this.#history, commit, seal))) {
      throw new GitStateError('VERIFY_FAILED', `its files are not those of commit ${seal.tip.slice(0, 12)}`);
    }
    return { ...base, commit: null };
  }

  async #apply(state: State, operation: Operation, schema: number): Promise<State> {
    const facts = new Facts();
    const stateAt = (oid: string) => facts.get(oid, async () => (await this.#stateAt(oid)).state);
    await this.#checkNamedTree(operation);
    return withFacts(() => apply(state, operation, { stateAt, schema }));
  }

  /** Whoever names a commit and its tree has to name those that belong together. */
  async #checkNamedTree({ args }: Operation): Promise<void> {
    const { commit, tree } = args as { commit?: unknown; tree?: unknown };
    if (typeof commit !== 'string' || typeof tree !== 'string') return;
    const named = await this.#stateAt(commit);
    if (named.tree?.oid === tree) return;
    throw new GitStateError('VERIFY_FAILED', `commit ${commit.slice(0, 12)} does not have the tree ${tree}`);
  }

  async #stateAt(oid: string): Promise<Snapshot> {
    const known = this.#past.get(oid);
    if (known) return known;
    const { reader } = this.#history;
    const found = await readSnapshot(reader, oid, this.#snapshot ?? emptySnapshot, 'all', this.#schema);
    if (this.#past.size >= pastMax) this.#past.delete([...this.#past.keys()][0]!);
    this.#past.set(oid, found);
    return found;
  }

  /** What an older schema wrote is read in the newest, and has to mean what the operation leads to. */
  async #comparedByMeaning(step: Step, base: Snapshot, after: State): Promise<Snapshot | null> {
    const { reader } = this.#history;
    const there = await readSnapshot(reader, step.commit.oid, base, 'all', this.#schema);
    const paths = differing(changedFiles(base.state, after), changedFiles(base.state, there.state));
    if (paths.length > 0) addTree(step, paths);
    return there;
  }

  /** Says which files are not what the operation makes. */
  async #nameFiles(step: Step, expected: Snapshot, base: Snapshot): Promise<void> {
    const { reader } = this.#history;
    const there = await readSnapshot(reader, step.commit.oid, base, 'all', this.#schema).catch(() => null);
    if (!there) return addTree(step, []);
    addTree(step, differing(changedFiles(base.state, expected.state), changedFiles(base.state, there.state)));
  }

  async #describeForeign(step: Step, before: Snapshot | null): Promise<void> {
    const { commit } = step;
    const back = before?.tree ? await takenBack(this.#history, commit) : [];
    if (back.length === 0) {
      add(step, 'foreign', 'it was made by hand', { fails: false });
      return;
    }
    const message = `it was made by hand and takes back what operations had changed in ${back.length} files`;
    add(step, 'takes_back', message, { fails: false, paths: back });
  }

  async #asItStands(step: Step, before: Snapshot | null): Promise<Snapshot | null> {
    try {
      const { reader } = this.#history;
      return await readSnapshot(reader, step.commit.oid, before ?? emptySnapshot, 'all', this.#schema);
    } catch (error) {
      report(step, error);
      return null;
    }
  }
}

function schemaOf({ message }: HistoryCommit): number {
  return Number(/^gitstate-schema: (\d+)$/m.exec(message)![1]);
}

function checkDigest(step: Step): void {
  const { commit } = step;
  const { message, digest } = splitDigest(commit.message);
  if (digest === null) add(step, 'digest', 'it carries no digest');
  else if (digested({ ...commit, message }).message !== commit.message)
    add(step, 'digest', 'it is not as gitstate wrote it: its digest does not match');
}

/** The paths at which two sets of changes differ. */
function differing(a: readonly FileChange[], b: readonly FileChange[]): string[] {
  const [left, right] = [textsOf(a), textsOf(b)];
  const paths = new Set([...left.keys(), ...right.keys()]);
  return [...paths].filter((path) => left.get(path) !== right.get(path)).sort();
}

function textsOf(changes: readonly FileChange[]): Map<string, string> {
  return new Map(
    changes.map((change) => [
      change.path,
      'gone' in change ? 'gone' : 'oid' in change ? change.oid : `=${change.text}`,
    ]),
  );
}

function add(step: Step, kind: ProblemKind, message: string, more: Partial<Problem> = {}): void {
  const subject = step.commit.message.split('\n')[0]!;
  step.problems.push({ commit: step.commit.oid, kind, fails: true, message, subject, ...more });
}

function addTree(step: Step, paths: string[]): void {
  const where =
    paths.length > 0 ? ` in ${paths.slice(0, 3).join(', ')}${paths.length > 3 ? ' ...' : ''}` : '';
  add(step, 'tree', `its tree is not what the operation makes of the one before${where}`, { paths });
}

/** Turns what was thrown while a commit was looked at into a problem of it. */
function report(step: Step, error: unknown): void {
  if (!isGitStateError(error) || error.code === 'SCHEMA_TOO_NEW') throw error;
  const { object, path } = error.details;
  const more: Partial<Problem> = {
    ...(typeof object === 'string' ? { object } : {}),
    ...(typeof path === 'string' ? { paths: [path] } : {}),
  };
  const known = step.problems.some(({ message }) => message === error.message);
  if (known) return;
  if (error.code === 'VERIFY_FAILED') add(step, 'message', error.message, more);
  else if (error.code === 'CORRUPT_STATE') add(step, more.object ? 'object' : 'state', error.message, more);
  else if (error.code === 'COMMIT_NOT_FOUND') add(step, 'object', error.message, more);
  else if (error.code === 'GIT_FAILED') throw error;
  else add(step, 'operation', `it was not possible then: ${error.message} (${error.code})`, more);
}

/** The commit a line begins behind, as a snapshot to go on from. @throws CORRUPT_STATE */
export async function snapshotAt(history: History, oid: string, schema: Schema): Promise<Snapshot> {
  if (!(await readCommit(history.reader, oid)))
    throw new GitStateError('COMMIT_NOT_FOUND', `no commit '${oid}'`, { details: { object: oid } });
  return readSnapshot(history.reader, oid, emptySnapshot, 'all', schema);
}
