import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { plot } from './plot.mjs';
import { linesOf, meets, targetsOf, targetText } from './table.mjs';

/** Writes docs/performance.md and its plot from what `run.mjs --json` has said. Figures of parts that were measured
 *  before stay until they are measured anew, so that several runs, each of some parts, make one report. */

const fileAt = (path) => fileURLToPath(new URL(path, import.meta.url));
const kept = fileAt('results.json');
const page = fileAt('../docs/performance.md');
const picture = fileAt('../docs/performance.svg');

/** Processes that wait for a processor, from which on figures are to be doubted. */
const busyFrom = 2.5;

const titles = {
  warm: 'Warm mutation',
  command: 'Commands from a shell',
  claims: 'Claims beside SQLite and Redis',
  contention: 'Contention',
  batch: 'Batches',
  sizes: 'Size of the store',
  packs: 'Loose and packed objects',
  history: 'Length of the history',
  verify: 'Verifying',
  life: 'A long life',
  checkpoints: 'Checkpoints',
  costs: 'Costs',
};

const results = existsSync(kept) ? JSON.parse(readFileSync(kept, 'utf8')) : { schema_version: 1, parts: {} };
for (const path of process.argv.slice(2)) take(JSON.parse(readFileSync(path, 'utf8')));
writeFileSync(kept, `${JSON.stringify(results, null, 1)}\n`);
const parts = Object.keys(titles).filter((name) => results.parts[name]);
const blocks = { machine: machine(), targets: targets(), figures: parts.map(figures).join('\n\n') };
const text = Object.entries(blocks).reduce(replaced, readFileSync(page, 'utf8'));
writeFileSync(page, text);
writeFileSync(picture, plot(parts.flatMap((name) => results.parts[name].tables)));
const missed = parts.flatMap((name) => verdicts(name)).filter(({ met }) => !met);
console.log(`${parts.length} parts, ${missed.length} targets missed`);
for (const { table, variant, verdict, figure } of missed)
  console.log(`  ${table}: ${variant}: ${verdict} (${figure})`);

function take({ tables, ...run }) {
  const { date, machine, short, load } = run;
  for (const name of new Set(tables.map(({ part }) => part))) {
    const own = tables.filter(({ part }) => part === name);
    results.parts[name] = { date, machine, short, load, tables: own };
  }
}

/** What stands between the comments `bench:NAME` and `/bench:NAME`. */
function replaced(text, [name, block]) {
  const [begin, end] = [`<!-- bench:${name} -->`, `<!-- /bench:${name} -->`];
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`docs/performance.md has no place '${begin}'`);
  return `${text.slice(0, from + begin.length)}\n\n${block}\n\n${text.slice(to)}`;
}

/** Each machine and set of versions that figures are from; mostly one. */
function machine() {
  const runs = new Map();
  for (const name of parts) {
    const { date, machine: own, short } = results.parts[name];
    const key = JSON.stringify([date.slice(0, 10), own, short]);
    runs.set(key, [...(runs.get(key) ?? []), titles[name]]);
  }
  const texts = [...runs].map(([key, of]) => {
    const [day, own, short] = JSON.parse(key);
    const rows = [['date', `${day}${short ? ', short form' : ''}`], ...Object.entries(own)];
    const lines = rows.map(([what, value]) => `| ${what.replaceAll('_', ' ')} | ${value} |`);
    const which = runs.size === 1 ? '' : `${of.join(', ')}:\n\n`;
    return `${which}| | |\n| --- | --- |\n${lines.join('\n')}`;
  });
  return texts.join('\n\n');
}

function verdicts(name) {
  return results.parts[name].tables.flatMap(({ title, rows }) =>
    rows.flatMap((row) =>
      targetsOf(row).map((target) => ({
        table: title,
        variant: row.variant,
        figure: row[target.key]?.toFixed(2) ?? '',
        verdict: targetText(row, target),
        met: meets(row, target),
      })),
    ),
  );
}

function targets() {
  const lines = parts.flatMap((name) => {
    const all = verdicts(name);
    const missed = all.filter(({ met }) => !met).length;
    if (all.length === 0) return [];
    const rows = all.map(({ table, variant, figure, verdict, met }) => {
      const [bound, word] = verdict.split(': ');
      return `| ${table} | ${variant} | ${bound} | ${figure} | ${met ? word : `**${word}**`} |`;
    });
    const head = `### ${titles[name]}: ${all.length - missed} of ${all.length} met`;
    return [`${head}\n\n| | | target | measured | |\n| --- | --- | --- | ---: | --- |\n${rows.join('\n')}`];
  });
  return lines.join('\n\n');
}

function figures(name) {
  const { date, load, tables } = results.parts[name];
  const texts = tables.map((table) => {
    const [heads, ...rows] = linesOf(table);
    const rule = heads.map((head, index) => (index === 0 || head === 'target' ? '---' : '---:'));
    const lines = [heads, rule, ...rows].map((cells) => `| ${cells.join(' | ')} |`);
    return `**${table.title}**\n\n${lines.join('\n')}${table.note ? `\n\n${table.note}.` : ''}`;
  });
  const [[before], [after]] = load;
  const busy = Math.max(before, after) > busyFrom ? ': the machine was busy, only the ratios count' : '';
  const when = `${date.slice(0, 16).replace('T', ' ')} UTC, load average ${before} before and ${after} after the run${busy}.`;
  return `### ${titles[name]}\n\n${when}\n\n${texts.join('\n\n')}`;
}
