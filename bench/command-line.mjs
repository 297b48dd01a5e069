import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { interleave } from './interleave.mjs';
import { featureId, makeRepository, openFilledStore, runChild, session } from './repository.mjs';
import { ratio, summary } from './stats.mjs';

const command = fileURLToPath(new URL('../dist/git-state.cjs', import.meta.url));
const features = 1000;

/** Commands from a shell, beside what the shell, Node and Git cost by themselves. */
export async function commandLine({ directory, short }) {
  const rounds = short ? 8 : 40;
  const repository = makeRepository(directory, 'command-line', { durable: true });
  const store = await openFilledStore(repository.path, { features });
  const document = await documentOf(store);
  await store.close();
  writeFileSync(join(repository.path, 'state.json'), document);
  const node = quoted(process.execPath);
  const { gitstate, skipped } = await commandsOf(node, repository);
  const scripts = {
    'git version': 'git version',
    'node -e 0': `${node} -e 0`,
    ...jqScripts(),
    ...gitstate,
  };
  const variants = Object.entries(scripts).map(([name, script]) => ({
    name,
    run: () => shell(repository, typeof script === 'function' ? script() : script),
  }));
  const results = await interleave(variants, { rounds, warmups: 2 });
  const rows = variants.map(({ name }) => ({
    variant: name,
    ...summary([...results[name].values()]),
    to_node: ratio(results[name], results['node -e 0']),
    ...targetOf(name),
  }));
  const size = `state.json, which jq rewrites, has ${Math.round(document.length / 1024)} KiB`;
  return [{ title: `from a shell, ${features} features`, rows, note: [size, ...skipped].join('; ') }];
}

function targetOf(name) {
  const most = { 'git-state claim --json': 1.6, 'git-state --version': 1.2 }[name];
  return most === undefined ? {} : { target: { key: 'to_node', most } };
}

/** All features in one file, with no more in it than a script needs. */
async function documentOf(store) {
  const { features: list } = await store.list();
  const rows = list.map(({ id, name, status, priority, phase, worker_id, steps }) => {
    const plainSteps = Object.fromEntries(steps.map((step) => [step.name, step.status]));
    return { id, name, status, priority, phase, worker_id, steps: plainSteps };
  });
  return JSON.stringify({ features: rows }, null, 2);
}

/** The commands of gitstate, where the command is built and runs. Each claim is by another worker. */
async function commandsOf(node, repository) {
  const works =
    existsSync(command) && (await shell(repository, `${node} ${quoted(command)} --version`).catch(() => ''));
  if (!works) return { gitstate: {}, skipped: ['no working dist/git-state.cjs: its rows are left out'] };
  const base = `${node} ${quoted(command)}`;
  let claims = 0;
  const claim = () => {
    claims += 1;
    return `${base} claim ${featureId(claims)} --session ${session} --worker W${claims} --json`;
  };
  const gitstate = {
    'git-state --version': `${base} --version`,
    'git-state status --json': `${base} status --session ${session} --json`,
    'git-state claim --json': claim,
  };
  return { gitstate, skipped: [] };
}

/** One JSON file for all features, rewritten for each change. */
function jqScripts() {
  const edit = `jq '.features[7].status = "in_progress"' state.json > state.tmp && mv state.tmp state.json`;
  const hasJq = (process.env.PATH ?? '').split(':').some((folder) => existsSync(join(folder, 'jq')));
  const commit = 'git add state.json && git commit -q --allow-empty -m claim';
  return hasJq ? { 'jq > tmp && mv': edit, 'jq, mv, git add, git commit': `${edit} && ${commit}` } : {};
}

function shell({ path }, script) {
  return runChild('/bin/sh', ['-c', script], { cwd: path });
}

function quoted(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
