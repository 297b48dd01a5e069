import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { storePath } from '../codec/paths.ts';
import { epochRefs } from '../codec/tag.ts';
import { isGitStateError } from '../errors.ts';
import { isOid } from '../git/ids.ts';
import type { BranchHome } from './branch-home.ts';
import { readCommit } from './commits.ts';
import { reflogTail } from './reflog.ts';
import { VerifiedMark } from './verify/memory.ts';

/** What tells of a store whose branch is gone, or does not stand where it stood. */
export interface Trace {
  /** Where it was found: a ref, or `reflog`, `cache`, `verified`, `dangling`. */
  source: string;
  /** The state commit that it names; null where it only shows that there was a store. */
  commit: string | null;
}

/** Finds traces of a store on a branch that does not exist. In a repository that never had one this looks at a few
 *  files and starts no Git. */
export async function tracesOf(engine: BranchHome): Promise<Trace[]> {
  if (!mayHaveTraces(engine)) return [];
  const named = [
    ...reflogTraces(engine),
    { source: 'cache', commit: await engine.cachedCommit() },
    { source: 'verified', commit: new VerifiedMark(engine.cacheDirectory, engine.branchRef).read() },
    ...(await checkpointTraces(engine)),
  ];
  const found: Trace[] = [];
  for (const trace of named) if (await isStateCommit(engine, trace.commit)) found.push(trace);
  return found.length > 0 ? found : leaseTraces(engine);
}

function mayHaveTraces({
  repository: { commonDir, refFormat },
  cacheDirectory,
  branchRef,
}: BranchHome): boolean {
  if (refFormat !== 'files') return true;
  const places = ['refs/gitstate', 'refs/tags/gitstate', join('logs', branchRef)];
  if (places.some((place) => existsSync(join(commonDir, place)))) return true;
  const kept = existsSync(cacheDirectory) && lstatSync(cacheDirectory).isDirectory();
  if (kept && readdirSync(cacheDirectory).some((name) => /^(?:state|verified)-/.test(name))) return true;
  try {
    return / refs\/(?:tags\/)?gitstate\//.test(readFileSync(join(commonDir, 'packed-refs'), 'latin1'));
  } catch {
    return false;
  }
}

/** Newest first. */
export function reflogTraces({ repository, branchRef }: BranchHome): Trace[] {
  const entries = reflogTail(repository, branchRef).reverse();
  const oids = new Set(entries.flatMap(({ to, from }) => [to, from]).filter((oid) => /[^0]/.test(oid)));
  return [...oids].map((commit) => ({ source: 'reflog', commit }));
}

/** Checkpoints of a store that stands on no other branch. */
async function checkpointTraces({ repository: { git } }: BranchHome): Promise<Trace[]> {
  const format = '--format=%(refname) %(objectname) %(*objectname)';
  const prefixes = ['refs/gitstate/checkpoints', 'refs/tags/gitstate'];
  const args = ['for-each-ref', '--sort=-creatordate', `--count=${tracesMax}`, format, ...prefixes];
  const { stdout } = await git.run(args, { okStatuses: [0, 1, 128] });
  const traces: Trace[] = [];
  for (const line of stdout.toString().split('\n').slice(0, -1)) {
    const [source = '', object = '', peeled] = line.split(' ');
    const commit = peeled || object;
    const contains = ['for-each-ref', '--count=1', '--contains', commit, ...holders];
    const held = await git.run(contains, { okStatuses: [0, 1, 128, 129] });
    if (held.stdout.length === 0) traces.push({ source, commit });
  }
  return traces;
}

/** What holds the history of stores that are there. */
const holders = ['refs/heads', 'refs/remotes', epochRefs];

const tracesMax = 20;

/** Leases say nothing of their store, so they count only where there is no other. */
async function leaseTraces(engine: BranchHome): Promise<Trace[]> {
  const leases = await engine.refs.list('refs/gitstate/leases/');
  if (leases.size === 0) return [];
  for (const oid of (await engine.refs.list('refs/heads/')).values())
    if (await isStateCommit(engine, oid)) return [];
  return [{ source: [...leases.keys()][0]!, commit: null }];
}

/** Whether a commit can be read and holds a store. */
export async function isStateCommit({ reader }: BranchHome, oid: string | null): Promise<boolean> {
  if (oid === null || !isOid(oid)) return false;
  try {
    const commit = await readCommit(reader, oid);
    return commit !== null && (await reader.info(`${commit.oid}:${storePath}`)) !== null;
  } catch (error) {
    if (!isGitStateError(error)) throw error;
    return false;
  }
}

/** Commits that nothing names any more and that hold a store, such as the tip of a branch that was deleted. It looks at
 *  every object of the repository. */
export async function danglingTraces(engine: BranchHome): Promise<Trace[]> {
  const { git } = engine.repository;
  const args = ['fsck', '--no-reflogs', '--no-progress', '--connectivity-only'];
  const { stdout } = await git.run(args, { okStatuses: [...Array(32).keys(), 128], timeoutMs: 600_000 });
  const commits = [...stdout.toString().matchAll(/^dangling commit ([0-9a-f]+)$/gm)].map(([, oid]) => oid!);
  const found: Trace[] = [];
  for (const commit of commits)
    if (await isStateCommit(engine, commit)) found.push({ source: 'dangling', commit });
  return found;
}
