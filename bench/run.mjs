import { parseArgs } from 'node:util';
import { batches } from './batch.mjs';
import { checkpoints } from './checkpoints.mjs';
import { claims } from './claims.mjs';
import { commandLine } from './command-line.mjs';
import { contention } from './contention.mjs';
import { costs } from './costs.mjs';
import { histories } from './history.mjs';
import { longLife } from './long-life.mjs';
import { isBusy, load, machineOf } from './machine.mjs';
import { packs } from './packs.mjs';
import { inDirectory, isolate } from './repository.mjs';
import { sizes } from './sizes.mjs';
import { formatTable, isMet } from './table.mjs';
import { verification } from './verify.mjs';
import { warmMutation } from './warm.mjs';

const parts = {
  warm: warmMutation,
  command: commandLine,
  claims,
  contention,
  batch: batches,
  packs,
  sizes,
  costs,
  history: histories,
  checkpoints,
  verify: verification,
  life: longLife,
};

const usage = `node bench/run.mjs [--short] [--json] [--only ${Object.keys(parts).join(',')}] [--directory D]
Figures are ratios of one run, its variants taking turns; milliseconds of two runs do not compare.
  --short      fewer rounds: a minute or two
  --json       one JSON document instead of tables
  --only       some of the parts; 'life' alone makes a history of 100,000 operations
  --backlog    the command of Backlog.md to compare with: else $BACKLOG, or \`backlog\` on PATH
  --directory  where the repositories are made; the system's temporary directory by default`;

const { values } = parseArgs({
  options: {
    short: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    only: { type: 'string', default: Object.keys(parts).join(',') },
    backlog: { type: 'string', default: process.env.BACKLOG ?? 'backlog' },
    directory: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
const wanted = values.only.split(',');
const unknown = wanted.filter((name) => !Object.hasOwn(parts, name));

if (values.help || unknown.length > 0) {
  if (unknown.length > 0) console.error(`no part '${unknown.join(', ')}'`);
  console.log(usage);
  process.exitCode = values.help ? 0 : 2;
} else {
  await main();
}

async function main() {
  isolate();
  process.once('SIGINT', () => process.exit(130));
  const { short, json, directory, backlog } = values;
  const say = (text) => json || console.log(text);
  const machine = machineOf(directory);
  const startMs = Date.now();
  const loadBefore = load();
  say(Object.values(machine).join(', ').replace(`, ${machine.memory_gib},`, `, ${machine.memory_gib} GiB,`));
  say(
    `load average ${loadBefore.join(' ')}${isBusy() ? ': the machine is busy, trust the ratios alone' : ''}\n`,
  );
  const tables = await inDirectory(directory, async (path) => {
    const done = [];
    for (const name of wanted) {
      if (json) console.error(name);
      for (const table of await measured(name, {
        directory: path,
        short,
        only: wanted.length === 1,
        backlog,
      })) {
        done.push({ part: name, ...table });
        say(`${formatTable(table)}\n`);
      }
    }
    return done;
  });
  const loadAfter = load();
  const seconds = Math.round((Date.now() - startMs) / 1000);
  say(`${seconds} s, load average ${loadAfter.join(' ')}`);
  if (!json) return;
  const date = new Date(startMs).toISOString();
  const document = { schema_version: 1, date, machine, short, load: [loadBefore, loadAfter], seconds };
  console.log(JSON.stringify({ ...document, tables: tables.map(withVerdicts) }, null, 2));
}

/** The tables of a part. One that fails takes nothing of the others with it. */
async function measured(name, options) {
  try {
    return await parts[name](options);
  } catch (error) {
    console.error(`'${name}' failed:`, error);
    process.exitCode = 1;
    return [];
  }
}

function withVerdicts({ rows, ...table }) {
  return { ...table, rows: rows.map((row) => ({ ...row, met: isMet(row) })) };
}
