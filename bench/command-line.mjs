import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { backlogScripts } from './backlog.mjs';
import { interleave } from './interleave.mjs';
import { documentOf, JqFile, jqScripts } from './jq.mjs';
import { claimArguments, fillRedis, hasRedis, redisClient, startRedis } from './redis.mjs';
import { featureId, makeRepository, openFilledStore, runChild, session } from './repository.mjs';
import { claimSql, hasSqlite, makeDatabase, sqliteCommand } from './sqlite.mjs';
import { ratio, summary } from './stats.mjs';
import { notesOnMissing, quoted } from './tools.mjs';

const command = fileURLToPath(new URL('../dist/git-state.cjs', import.meta.url));
const features = 1000;

/** Commands from a shell, beside what the shell, Node and Git cost by themselves. */
export async function commandLine({ directory, short, backlog }) {
  const rounds = short ? 5 : 40;
  const repository = makeRepository(directory, 'command-line', { durable: true });
  const store = await openFilledStore(repository.path, { features });
  const document = documentOf(await store.list());
  await store.close();
  writeFileSync(join(repository.path, 'state.json'), document);
  const node = quoted(process.execPath);
  const { gitstate, skipped } = await commandsOf(node, repository);
  const peers = await peersOf(directory, { backlog });
  const scripts = {
    'git version': 'git version',
    'node -e 0': `${node} -e 0`,
    ...(JqFile.isInstalled ? jqScripts : {}),
    ...peers.scripts,
    ...gitstate,
  };
  const variants = Object.entries(scripts).map(([name, script]) => ({
    name,
    run: () => shell(script.cwd ?? repository.path, typeof script === 'function' ? script() : script),
  }));
  const results = await interleave(variants, { rounds, warmups: 2 }).finally(peers.stop);
  const rows = variants.map(({ name }) => ({
    variant: name,
    ...summary([...results[name].values()]),
    to_node: ratio(results[name], results['node -e 0']),
    ...targetOf(name),
  }));
  const size = JqFile.isInstalled
    ? [`state.json, which jq rewrites, has ${Math.round(document.length / 1024)} KiB`]
    : [];
  return [
    {
      title: `from a shell, ${features} features`,
      rows,
      note: [...size, ...peers.notes, ...skipped].join('; '),
    },
  ];
}

function targetOf(name) {
  const most = { 'git-state claim --json': 1.6, 'git-state --version': 1.2 }[name];
  return most === undefined ? {} : { target: { key: 'to_node', most } };
}

/** The commands of gitstate, where the command is built and runs. Each claim is by another worker. */
async function commandsOf(node, repository) {
  const works =
    existsSync(command) &&
    (await shell(repository.path, `${node} ${quoted(command)} --version`).catch(() => ''));
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

/** What other stores' own commands take for the same: a claim of the next ready feature, or of one that is named. */
async function peersOf(directory, { backlog }) {
  const scripts = {};
  const stops = [];
  const has = { sqlite3: hasSqlite, 'redis-server': hasRedis, jq: JqFile.isInstalled };
  let count = 0;
  if (hasSqlite) {
    const file = join(directory, 'command-line.db');
    makeDatabase(file, { features });
    const base = sqliteCommand(file, { durable: true }).map(quoted).join(' ');
    scripts['sqlite3, a claim, durable'] = () => `${base} ${quoted(claimSql(`W${++count}`))}`;
  }
  if (hasRedis && redisClient) {
    const { socket, stop } = await startRedis(directory, 'redis-command', { durable: true });
    stops.push(stop);
    await fillRedis(socket, { features });
    const base = `${quoted(redisClient)} -s ${quoted(socket)}`;
    scripts['redis-cli, a claim, durable'] = () =>
      `${base} ${claimArguments(`W${++count}`).map(quoted).join(' ')}`;
  }
  const task = await backlogScripts(directory, { backlog, features });
  Object.assign(scripts, task?.scripts);
  const notes = notesOnMissing({ ...has, 'backlog.md': task !== null });
  if (task) notes.push(`Backlog.md ${task.version}, its requests to remotes off`);
  return { scripts, notes, stop: () => Promise.all(stops.map((stop) => stop())) };
}

function shell(cwd, script) {
  return runChild('/bin/sh', ['-c', script], { cwd });
}
