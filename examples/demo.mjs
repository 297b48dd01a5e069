// The main job, from an empty repository to "all complete": real repository, real worktrees, four workers that are
// processes of their own, one of them killed in the middle. Exits non-zero if anything is not as it should be.
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const command = fileURLToPath(new URL('../dist/git-state.cjs', import.meta.url));
const plan = fileURLToPath(new URL('plan.yaml', import.meta.url));
const startedAt = Date.now();
const folder = realpathSync(mkdtempSync(join(tmpdir(), 'gitstate-demo-')));
const repository = join(folder, 'shop');
const env = {
  ...process.env,
  GITSTATE_FORCE_TTY: '100',
  PATH: `${join(folder, 'bin')}${delimiter}${process.env.PATH}`,
};
for (const name of Object.keys(env))
  if (/^GIT(STATE)?_/.test(name) && name !== 'GITSTATE_FORCE_TTY') delete env[name];
const children = new Set();

/** Shows what is about to happen, and why. */
function say(text) {
  console.log(`\n\x1b[1m${text}\x1b[0m`);
}

/** Runs a command line as a person would type it; shows it and what it prints. */
function run(line, { quiet = false, lines = Number.POSITIVE_INFINITY, expect: status = 0 } = {}) {
  const {
    stdout,
    stderr,
    status: actual,
  } = spawnSync('sh', ['-c', line], { cwd: repository, env, encoding: 'utf8' });
  const text = stdout.trimEnd().split('\n');
  if (!quiet) {
    console.log(`\x1b[36m$ ${line}\x1b[0m`);
    for (const row of text.slice(0, lines)) if (row !== '') console.log(`  ${row}`);
    if (text.length > lines) console.log(`  ... ${text.length - lines} more lines`);
    if (stderr.trim() !== '') console.log(stderr.trimEnd().replace(/^/gm, '  '));
  }
  check(actual === status, `\`${line}\` ended with ${actual}, not ${status}: ${stderr}`);
  return stdout;
}

const json = (line) => JSON.parse(run(`${line} --json`, { quiet: true }));

function check(holds, what) {
  if (!holds) throw new Error(`the demo went wrong: ${what}`);
}

const sleep = (delayMs) => new Promise((resolve) => setTimeout(resolve, delayMs));

/** One worker: a runner of its own, which works until nothing is left. */
function startWorker(number) {
  // Not through `git`, which would stand between: it is the runner itself that is to be killed.
  const child = spawn(
    command,
    ['work', '--workers', '1', '--per-step', '--', 'sh', join(folder, 'build.sh')],
    {
      cwd: repository,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  children.add(child);
  const worker = { child, number, out: '', err: '' };
  child.stdout.on('data', (chunk) => {
    worker.out += chunk;
  });
  child.stderr.on('data', (chunk) => {
    worker.err += chunk;
  });
  worker.ended = new Promise((resolve) => {
    child.on('close', (status, signal) => {
      children.delete(child);
      resolve({ status, signal });
    });
  });
  return worker;
}

/** Waits until `test` gives something. */
async function until(what, test, limitMs = 30_000) {
  for (const deadline = Date.now() + limitMs; Date.now() < deadline; await sleep(100)) {
    const found = test();
    if (found) return found;
  }
  throw new Error(`the demo went wrong: ${what} did not happen within ${limitMs / 1000} s`);
}

/** What each worker does for each step of a feature: a little real work, and a commit on the feature's branch. */
const buildScript = `#!/bin/sh
set -e
echo "$GITSTATE_STEP of $GITSTATE_FEATURE_NAME, by $GITSTATE_WORKER" >> "$GITSTATE_FEATURE.md"
sleep 0.3
git add "$GITSTATE_FEATURE.md"
git -c user.name="$GITSTATE_WORKER" -c user.email=worker@example.com commit -q -m "$GITSTATE_STEP $GITSTATE_FEATURE_NAME"
`;

function prepare() {
  mkdirSync(join(folder, 'bin'));
  symlinkSync(command, join(folder, 'bin', 'git-state'));
  writeFileSync(join(folder, 'build.sh'), buildScript);
  chmodSync(join(folder, 'build.sh'), 0o755);
  mkdirSync(repository);
  run('git init -q -b main && echo "# A shop" > README.md && git add README.md', { quiet: true });
  run('git -c user.name=Demo -c user.email=demo@example.com commit -q -m "Begin the shop"', { quiet: true });
  symlinkSync(plan, join(folder, 'plan.yaml'));
}

async function main() {
  prepare();
  say('1. A store in the repository, a session with three steps per feature, a plan of twelve features');
  run('git state init');
  run('git state session start shop --steps plan,build,test');
  run('git state plan load ../plan.yaml');
  run('git state ready');

  say('2. Four workers, each a process with a worktree of its own');
  const workers = [1, 2, 3, 4].map(startWorker);
  console.log('  4 x $ git state work --workers 1 --per-step -- sh build.sh');
  const busy = await until('a feature in the middle of its steps', () =>
    json('git state list --status in_progress').features.find(
      ({ claim, steps_completed }) =>
        steps_completed.length > 0 && workers.some(({ child }) => child.pid === claim?.pid),
    ),
  );
  const victim = workers.find(({ child }) => child.pid === busy.claim.pid);
  run('git state status');

  say(`3. kill -9: ${busy.worker_id}, in the middle of ${busy.id}, is gone without a word`);
  victim.child.kill('SIGKILL');
  await victim.ended;
  const takeover = await until('a takeover', () =>
    run(`git state log --op feature.claim --feature ${busy.id} --json`, { quiet: true })
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line))
      .find(({ args }) => args.takeover?.reason === 'dead'),
  );
  console.log(`  ${takeover.subject}`);

  say('4. A checkpoint, while the others go on');
  run(`git state checkpoint create halfway --data '{"why":"before the second half"}'`);

  say('5. All workers come to their end');
  const ends = await Promise.all(workers.filter((worker) => worker !== victim).map(({ ended }) => ended));
  const output = workers.map(({ out, err }) => out + err).join('\n');
  check(
    ends.every(({ status }) => status === 0),
    `workers ended with ${JSON.stringify(ends)}:\n${output}`,
  );
  run('git state status --check');

  say('6. What happened since the checkpoint');
  run('git state diff halfway', { lines: 12 });

  say('7. Back to the checkpoint - a new commit, history is not rewound - and on to the end once more');
  run('git state restore halfway', { lines: 6 });
  run('git state status --check', { expect: 5 });
  run(`git state work --workers 4 --per-step -- sh ${join(folder, 'build.sh')}`, { lines: 8 });
  run('git state status --check');

  say('8. The trail: who did what, and when');
  run('git state log -n 8');
  run("git log gitstate --reverse --format='%h %an: %s'", { lines: 8 });

  say('9. Is all of it so?');
  const { features } = json('git state list');
  check(
    features.length === 12 && features.every(({ status }) => status === 'completed'),
    'not all are complete',
  );
  for (const { id, branch } of features) {
    const commits = run(`git rev-list --count main..${branch}`, { quiet: true }).trim();
    check(Number(commits) >= 3, `branch ${branch} of ${id} has ${commits} commits`);
  }
  const trail = run("git log gitstate --format='%(trailers:key=gitstate-op,valueonly,separator=)'", {
    quiet: true,
  });
  const completed = trail.split('\n').filter((op) => op === 'feature.complete').length;
  check(completed >= 12, `only ${completed} completions in the trail`);
  check(run('git fsck --strict --no-dangling', { quiet: true }).trim() === '', 'git fsck complains');
  check(run('git status --porcelain', { quiet: true }) === '', 'the work tree was touched');
  console.log(`  12 of 12 features completed, each on its own branch; git fsck is clean.`);
  console.log(`\nDone in ${((Date.now() - startedAt) / 1000).toFixed(1)} s.`);
}

try {
  await main();
} catch (error) {
  console.error(`\n${error.message}`);
  process.exitCode = 1;
} finally {
  for (const child of children) child.kill('SIGKILL');
  await sleep(200);
  rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
}
