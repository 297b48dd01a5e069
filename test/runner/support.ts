import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterAll } from 'vitest';
import { systemEnv } from '../../src/env.ts';
import { runWork, type WorkEvent, type WorkOptions, type WorkSummary } from '../../src/runner/work.ts';
import type { PlannedFeature } from '../../src/store/api/features.ts';
import { openStoreIn, type Store } from '../../src/store/open.ts';
import { makeRepository, type TestRepository, temporaryDirectory } from '../support/repo.ts';

const env = systemEnv();
const stores: Store[] = [];
const children: ChildProcess[] = [];
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await Promise.all(stores.map((store) => store.close()));
});

export async function openStore(cwd: string, variables = env.variables): Promise<Store> {
  const { identity, userName } = env;
  const store = await openStoreIn({ cwd }, { env: { ...env, identity, userName, variables }, cwd });
  stores.push(store);
  return store;
}

export interface Project {
  repository: TestRepository;
  store: Store;
  /** A directory of the test's own, outside the repository. */
  scratch: string;
}

interface ProjectOptions {
  name?: string;
  steps?: string[];
  maxRetries?: number;
  lease?: string;
  config?: Record<string, unknown>;
}

/** A repository with a session `s` and the features of a plan. */
export async function makeProject(
  features: PlannedFeature[],
  options: ProjectOptions = {},
): Promise<Project> {
  const { name, ...session } = options;
  const repository = makeRepository(name === undefined ? {} : { name });
  const store = await openStore(repository.path);
  await store.init();
  await store.sessionStart({ session: 's', ...session });
  if (features.length > 0) await store.planLoad({ features });
  return { repository, store, scratch: temporaryDirectory() };
}

export interface Work {
  summary: WorkSummary;
  events: WorkEvent[];
}

type Options = Partial<WorkOptions> & Pick<WorkOptions, 'store'>;

/** Runs `script` with `sh` for every feature; its arguments follow as `$1`... */
export async function work(options: Options, script: string, ...args: string[]): Promise<Work> {
  const events: WorkEvent[] = [];
  const summary = await runWork({
    env,
    backoff: '0s',
    command: ['sh', '-c', script, 'sh', ...args],
    stop: new AbortController().signal,
    kill: new AbortController().signal,
    ...options,
    onEvent(event) {
      events.push(event);
      options.onEvent?.(event);
    },
  });
  return { summary, events };
}

/** The events of one name. */
export function only(events: readonly WorkEvent[], ...names: string[]): WorkEvent[] {
  return events.filter(({ event }) => names.includes(event));
}

export function linesOf(path: string): string[] {
  return existsSync(path) ? readFileSync(path, 'utf8').split('\n').slice(0, -1) : [];
}

/** Waits until `condition` holds; fails with `what` after 20 seconds. */
export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 800; tries += 1) {
    if (await condition()) return;
    await env.sleep(25);
  }
  throw new Error(`never came: ${what}`);
}

export interface RunnerProcess {
  pid: number;
  events: WorkEvent[];
  kill(signal: NodeJS.Signals): void;
  /** Its exit status; 128 and the number of the signal is not made of a signal: that is null. */
  exit: Promise<number | null>;
}

let script: Promise<string> | undefined;

/** Builds the script behind `startRunner`. */
export function buildRunner(): Promise<string> {
  script ??= (async () => {
    const outfile = join(temporaryDirectory(), 'runner.cjs');
    await build({
      entryPoints: [fileURLToPath(new URL('runner-process.ts', import.meta.url))],
      outfile,
      bundle: true,
      platform: 'node',
      format: 'cjs',
      logLevel: 'error',
    });
    return outfile;
  })();
  return script;
}

/** Starts a runner in a process of its own. */
export async function startRunner(
  cwd: string,
  options: Omit<Partial<WorkOptions>, 'store' | 'env' | 'stop' | 'kill' | 'onEvent'>,
  variables: Record<string, string> = {},
): Promise<RunnerProcess> {
  const child = spawn(process.execPath, [await buildRunner(), cwd, JSON.stringify(options)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...variables },
  });
  children.push(child);
  const events: WorkEvent[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => events.push(JSON.parse(line) as WorkEvent));
  const exit = new Promise<number | null>((resolve) => child.once('close', (status) => resolve(status)));
  return { pid: child.pid!, events, kill: (signal) => void child.kill(signal), exit };
}

/** Whether a process runs; one that ended and was not collected yet does not. Linux. */
export function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
