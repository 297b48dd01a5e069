import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { checkpointPath } from '../../codec/paths.ts';
import { apply } from '../../core/apply.ts';
import type { Checkpoint } from '../../core/entities.ts';
import { Operation } from '../../core/operation.ts';
import { contentsBySession } from '../../core/select.ts';
import { instantOf } from '../../core/time.ts';
import { GitStateError, isGitStateError } from '../../errors.ts';
import { isOid } from '../../git/ids.ts';
import { newObject } from '../../git/objects.ts';
import { lockPath, type RefMove } from '../../git/refs.ts';
import { writerByHistory, writerByTag } from '../checkpoint-refs.ts';
import { operationOf, readCommit } from '../commits.ts';
import type { Engine } from '../engine.ts';
import { movedFault } from '../moved.ts';
import { record } from '../record.ts';
import type { Snapshot } from '../snapshot.ts';
import { danglingTraces, reflogTraces, tracesOf } from '../traces.ts';
import { commitsOf, lineOf } from '../verify/line.ts';
import type { Action } from './action.ts';
import { assess, gapBehind, newestWhole } from './assess.ts';
import { healObjects } from './heal.ts';

/** Brings the branch back to a state that can be read, as a commit that says so. */

/** What is wrong with the branch. */
interface Damage {
  fault: string;
  /** Where the branch stands; null where it is gone or cannot be told. */
  tip: string | null;
  /** Where to look for the newest state that can be read, most promising first. */
  starts: string[];
}

/** @returns what was done; nothing where the branch is as it should be.
 *  @throws CORRUPT_STATE where no state is left that can be read. */
export async function repairBranch(engine: Engine): Promise<Action[]> {
  const actions = setAsideBrokenRef(engine);
  // Also where only older files are damaged: nobody reads them today, and Git cannot pass them on.
  const [start = null] = (await damageOf(engine))?.starts ?? [await engine.reader.resolve(engine.branchRef)];
  const healed = start === null ? [] : await healObjects(engine, start);
  if (healed.length > 0) {
    const detail = `made ${healed.length} objects again from the operations: ${healed.join(', ')}`;
    actions.push({ name: 'objects', detail });
  }
  const damage = await damageOf(engine);
  if (damage === null) return actions;
  const source = await newestState(engine, damage);
  if (!source) {
    throw new GitStateError('CORRUPT_STATE', `${damage.fault}, and no commit is left that can be read`, {
      hint: 'fetch the branch from another clone, then run `git state doctor` again',
      details: { ref: engine.branchRef, commit: damage.tip },
    });
  }
  return [...actions, ...(await goBack(engine, damage, source))];
}

/** What is wrong with the branch; null where nothing is. */
export async function damageOf(engine: Engine): Promise<Damage | null> {
  const { reader, branchRef, trackingRefs } = engine;
  let tip: string | null;
  try {
    tip = await reader.resolve(branchRef);
  } catch (error) {
    if (!isGitStateError(error, 'CORRUPT_STATE')) throw error;
    const { oid } = error.details;
    const named = typeof oid === 'string' && isOid(oid) ? oid : null;
    const starts = await newestFirst(engine, commitsIn(await otherTraces(engine)));
    return { fault: error.message, tip: named, starts };
  }
  if (tip === null) {
    for (const ref of trackingRefs) if ((await reader.resolve(ref)) !== null) return null;
    const traces = await tracesOf(engine);
    if (traces.length === 0) return null;
    const starts = await newestFirst(engine, commitsIn([...traces, ...(await danglingTraces(engine))]));
    return { fault: `the branch '${branchRef}' is gone`, tip: null, starts };
  }
  const moved = await movedFault(engine, tip);
  if (moved) return { fault: moved.message, tip, starts: [moved.details.commit as string, tip] };
  const read = await assess(engine, tip);
  const fault = read instanceof Error ? read : await gapBehind(engine, tip);
  if (fault === null) return null;
  return { fault: fault.message, tip, starts: [tip, ...commitsIn(await otherTraces(engine))] };
}

async function otherTraces(engine: Engine) {
  return [...reflogTraces(engine), ...(await tracesOf(engine))];
}

function commitsIn(traces: readonly { commit: string | null }[]): string[] {
  return [...new Set(traces.flatMap(({ commit }) => commit ?? []))];
}

/** The commits that can be read: first those that are behind no other, and of these the latest. */
async function newestFirst(engine: Engine, oids: readonly string[]): Promise<string[]> {
  const read = await Promise.all(oids.map((oid) => readCommit(engine.reader, oid).catch(() => null)));
  const commits = read.flatMap((commit) => commit ?? []).sort((a, b) => b.author.at - a.author.at);
  const sorted = commits.map(({ oid }) => oid);
  const args = ['merge-base', '--independent', ...sorted.slice(0, 200)];
  const { stdout } = await engine.repository.git.run(args, { okStatuses: [0, 1, 128, 129] });
  const heads = new Set(stdout.toString().split('\n').slice(0, -1));
  return [...sorted.filter((oid) => heads.has(oid)), ...sorted.filter((oid) => !heads.has(oid))];
}

/** The newest commit whose state can be read, on the first line that has one. */
async function newestState(engine: Engine, { starts }: Damage): Promise<Snapshot | null> {
  const { reader, repository } = engine;
  for (const start of starts) {
    const { oids } = await lineOf({ reader, repository }, start, null);
    const found = await newestWhole(engine, oids);
    if (found) return found;
  }
  return null;
}

async function goBack(engine: Engine, { fault, tip, starts }: Damage, source: Snapshot): Promise<Action[]> {
  const { repository, identity, env, branchRef, schema } = engine;
  const from = source.commit!;
  const gap = await gapBehind(engine, from);
  const forward = tip !== null && gap === null && (await isCompleteBehind(engine, tip, from));
  // Whoever has the damaged commit can follow; where its objects are not all there, nobody can build upon it.
  const parent = gap ? null : forward ? tip : from;
  const behind = parent === tip && tip !== null ? await readCommit(engine.reader, tip) : null;
  const at = Math.max(env.now(), source.at * 1000, (behind?.author.at ?? 0) * 1000);
  const operation = Operation.parse({
    type: 'state.repair',
    session: null,
    actor: identity.name,
    at: instantOf(at),
    id: env.randomId(),
    request: null,
    args: {
      damaged: tip,
      commit: from,
      tree: source.tree!.oid,
      fault,
      lost: await lostSince(engine, from, tip ?? starts[0] ?? null),
      checkpoints: parent === from ? [] : await namedCheckpoints(engine, source, parent),
    },
  });
  const after = apply(source.state, operation, { stateAt: () => source.state });
  const recorder = { format: repository.objectFormat, identity, schema: schema.version };
  const { snapshot, objects } = record(recorder, { ...source, commit: parent }, operation, after);
  const kept = tip === null || forward ? null : await keepDamaged(engine, tip, fault);
  const moves: RefMove[] = [
    { ref: branchRef, oldOid: tip, newOid: snapshot.commit },
    ...(kept ? [{ ref: kept.ref, newOid: kept.oid }] : []),
  ];
  await engine.write(objects);
  if ((await engine.refs.transact(moves)) !== 'moved') {
    throw new GitStateError('GIT_FAILED', `git could not move '${branchRef}': ${engine.refs.lastFailure}`, {
      hint: 'nothing was changed; see `git state doctor`',
      details: { path: lockPath(repository, branchRef) },
    });
  }
  engine.landed(snapshot);
  const where = kept
    ? `; what stood there is kept at ${kept.ref}`
    : forward
      ? '; it stays in the history'
      : '';
  const lost =
    operation.type === 'state.repair' && operation.args.lost > 0
      ? `, ${operation.args.lost} operations or fewer behind it are not taken over`
      : '';
  const back = `${fault}: went on from commit ${from.slice(0, 12)} with ${snapshot.commit.slice(0, 12)}${lost}${where}`;
  return [{ name: 'branch', detail: back }];
}

/** Whether `tip` and all behind it down to `from` are there, so that only what they mean is wrong. */
async function isCompleteBehind(engine: Engine, tip: string, from: string): Promise<boolean> {
  const { git } = engine.repository;
  const list = ['rev-list', '--objects', '--end-of-options', tip, `^${from}`];
  const listed = await git.run(list, { okStatuses: [0, 128] });
  const ancestor = await git.run(['merge-base', '--is-ancestor', from, tip], { okStatuses: [0, 1, 128] });
  if (listed.status !== 0 || ancestor.status !== 0) return false;
  const oids = listed.stdout.toString().split('\n').slice(0, -1);
  try {
    const found = await Promise.all(oids.map((line) => engine.reader.read(line.split(' ')[0]!)));
    return found.every((object) => object !== null);
  } catch (error) {
    if (!isGitStateError(error, 'CORRUPT_STATE')) throw error;
    return false;
  }
}

/** At most so many operations share one move of the branch. */
const groupMax = 256;

/** How many operations at most came after `from`, as far as that can be told. */
async function lostSince(engine: Engine, from: string, tip: string | null): Promise<number> {
  if (tip === null || tip === from) return 0;
  const { reader, repository, schema } = engine;
  const history = { reader, repository };
  const line = await lineOf(history, tip, null);
  const at = line.oids.indexOf(from);
  if (at < 0) return groupMax * Math.max(1, reflogTraces(engine).length);
  let lost = 0;
  for await (const commit of commitsOf(history, line.oids.slice(at + 1))) {
    const operation = await operationOf(reader, commit, schema).catch(() => undefined);
    if (operation !== null) lost += 1;
  }
  return lost;
}

/** Checkpoints whose files the new commit writes, though they were written before: they name the commits they named. */
async function namedCheckpoints(engine: Engine, source: Snapshot, parent: string | null) {
  const { reader, repository, tagPrefix } = engine;
  const history = { reader, repository, tagPrefix };
  const rows: { session: string; name: string; commit: string }[] = [];
  const written = async (session: string, { name }: Checkpoint) => {
    if (parent === null) return true;
    const path = checkpointPath(session, name);
    const [now, there] = await Promise.all(
      [source.commit, parent].map((oid) => reader.info(`${oid}:${path}`)),
    );
    return now?.oid !== there?.oid;
  };
  for (const { session, contents } of contentsBySession(source.state)) {
    for (const checkpoint of contents.checkpoints.values()) {
      if (checkpoint.commit !== null || !(await written(session.id, checkpoint))) continue;
      const writer =
        (await writerByTag(history, session.id, checkpoint)) ??
        (await writerByHistory(history, source.commit!, session.id, checkpoint));
      if (writer) rows.push({ session: session.id, name: checkpoint.name, commit: writer.commit });
    }
  }
  return rows;
}

/** A ref that holds what the branch stood at: the commit itself, or where that cannot be read a note of it. */
async function keepDamaged(
  engine: Engine,
  tip: string,
  fault: string,
): Promise<{ ref: string; oid: string }> {
  const ref = `refs/gitstate/damaged/${tip.slice(0, 12)}`;
  const commit = await engine.reader.read(tip).catch(() => null);
  if (commit) return { ref, oid: tip };
  const note = newObject(engine.repository.objectFormat, 'blob', `${engine.branchRef} ${tip}\n${fault}\n`);
  await engine.write([note]);
  return { ref, oid: note.oid };
}

/** Git refuses to touch a ref whose file holds no object id; the file is kept beside our own. */
function setAsideBrokenRef({ repository, branchRef, directory, env }: Engine): Action[] {
  if (repository.refFormat !== 'files') return [];
  const path = join(repository.commonDir, branchRef);
  if (!existsSync(path)) return [];
  const text = readFileSync(path, 'latin1');
  if (/^([0-9a-f]{40}|[0-9a-f]{64})\n?$/.test(text) || text.startsWith('ref: ')) return [];
  const aside = join(directory, `damaged-ref-${env.now()}`);
  mkdirSync(directory, { recursive: true });
  renameSync(path, aside);
  return [{ name: 'ref', detail: `'${path}' held no object id; it is kept as '${aside}'` }];
}
