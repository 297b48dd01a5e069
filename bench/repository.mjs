import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { openStore } from '../dist/index.js';

const run = promisify(execFile);

/** The settings of whoever runs the benchmark, and the repository it is started in, stay out of it. */
export function isolate() {
  for (const name of Object.keys(process.env)) if (/^(?:GIT|GITSTATE)_/.test(name)) delete process.env[name];
  Object.assign(process.env, { GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1', LC_ALL: 'C' });
}

/** Runs `use` with a new empty directory, which is removed afterwards.
 *  @param parent where it is made; the system's temporary directory by default. */
export async function inDirectory(parent, use) {
  const path = realpathSync(mkdtempSync(join(parent ?? tmpdir(), 'gitstate-bench-')));
  const remove = () => rmSync(path, { recursive: true, force: true, maxRetries: 5 });
  process.once('exit', remove);
  try {
    return await use(path);
  } finally {
    process.off('exit', remove);
    remove();
  }
}

/** A repository with one commit of code, in `directory`. Nothing in it starts Git's own maintenance.
 *  @returns its path and `git`, which runs a command in it, with a text for its standard input. */
export function makeRepository(directory, name, { durable }) {
  const path = join(directory, name);
  mkdirSync(path);
  const git = (args, input) => execFileSync('git', args, { cwd: path, input }).toString().trim();
  git(['init', '-q', '--initial-branch=main']);
  const settings = {
    'user.name': 'A User',
    'user.email': 'user@example.com',
    'gc.auto': '0',
    'maintenance.auto': 'false',
    'gitstate.durable': String(durable),
  };
  for (const [key, value] of Object.entries(settings)) git(['config', key, value]);
  writeFileSync(join(path, 'README'), 'a project\n');
  git(['add', 'README']);
  git(['commit', '-q', '-m', 'begin']);
  return { path, git };
}

export const session = 's';
export const steps = ['specify', 'plan', 'tasks', 'implement', 'verify', 'merge'];

export function featureId(number) {
  return `F${String(number).padStart(4, '0')}`;
}

/** A feature as it is planned. */
export function featureOf(index) {
  return {
    id: featureId(index),
    name: `Feature ${index} of the benchmark`,
    priority: `P${index % 4}`,
    phase: (index % 5) + 1,
    data: { owner: 'nobody', points: index % 13 },
  };
}

/** A store with one session of `features` features, as a planner would have left it. The caller closes it. */
export async function openFilledStore(path, { features }) {
  const store = await openStore({ cwd: path, session });
  await store.init();
  await store.sessionStart({ session, steps });
  await store.planLoad({ features: Array.from({ length: features }, (_, index) => featureOf(index)) });
  return store;
}

/** The path of a feature's file on the state branch. */
export function featureFile(git, id) {
  const files = git(['ls-tree', '-r', '--name-only', 'gitstate', `sessions/${session}/features/`]).split(
    '\n',
  );
  return files.find((file) => file.endsWith(`/${id}.json`));
}

/** Runs a child process to its end. @returns its standard output. @throws if it fails. */
export async function runChild(command, args, options) {
  return (await runChildFully(command, args, options)).stdout;
}

/** As `runChild`. @returns what it said on both streams. */
export async function runChildFully(command, args, { cwd, input } = {}) {
  const pending = run(command, args, { cwd, maxBuffer: 2 ** 28 });
  if (input !== undefined) pending.child.stdin.end(input);
  return pending;
}
