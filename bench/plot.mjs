/** Bars by ratio, on a logarithmic axis that begins at what each group compares with. */

const groups = [
  {
    title: 'Warm mutation: time beside the bare floor',
    table: 'warm mutation',
    key: 'to_floor',
    better: 'shorter is faster',
  },
  {
    title: 'Warm mutation, durable: time beside the durable floor',
    table: 'warm mutation, durable',
    key: 'to_floor',
    better: 'shorter is faster',
  },
  {
    title: 'Warm claim: time beside SQLite, which keeps no history',
    table: /^warm claim/,
    key: 'to_sqlite',
    better: 'shorter is faster',
  },
  {
    title: 'A command from a shell: time beside `node -e 0`',
    table: /^from a shell, \d+ features/,
    key: 'to_node',
    better: 'shorter is faster',
  },
  ...[8, 40].map((processes) => ({
    title: `${processes} processes on one store: rate beside porcelain behind a lock file`,
    table: `contention, ${processes} processes`,
    key: 'to_porcelain',
    better: 'longer is faster',
  })),
  {
    title: 'Batches, durable: rate beside git fast-import of the same commits',
    table: /^batch/,
    key: 'fast_import_to_it',
    better: 'longer is faster',
  },
];

const [width, left, right, line] = [880, 280, 90, 20];

/** @param tables of all parts, as measured. @returns the text of an SVG file that reads well on light and dark pages. */
export function plot(tables) {
  const parts = [];
  let top = 12;
  for (const group of groups) {
    const rows = rowsOf(tables, group);
    if (rows.length === 0) continue;
    parts.push(groupOf(group, rows, top));
    top += (rows.length + 2.4) * line;
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${Math.ceil(top)}" role="img">
<title>gitstate beside its peers, as ratios on a logarithmic axis</title>
<style>
  .page { fill: #ffffff } text { fill: #1f2328; font: 13px system-ui, sans-serif } .title { font-weight: 600 }
  .small { fill: #59636e; font-size: 12px } .axis { stroke: #59636e } .bar { fill: #9aa4af } .own { fill: #2f6fdb }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117 } text { fill: #e6edf3 } .small { fill: #9198a1 } .axis { stroke: #9198a1 }
    .bar { fill: #59636e } .own { fill: #4c8dff }
  }
</style>
<rect class="page" width="100%" height="100%"/>
${parts.join('\n')}
</svg>
`;
}

function rowsOf(tables, { table, key }) {
  const found = tables.find(({ title }) => (typeof table === 'string' ? title === table : table.test(title)));
  return (found?.rows ?? [])
    .filter((row) => row[key] > 0)
    .map((row) => ({ name: row.variant, value: row[key] }));
}

function groupOf({ title, better }, rows, top) {
  const values = rows.map(({ value }) => value);
  const [low, high] = [Math.min(1, ...values), Math.max(1, ...values)].map(Math.log10);
  const x = (value) => left + ((Math.log10(value) - low) / (high - low || 1)) * (width - left - right);
  const bars = rows.map((row, index) => barOf(row, x, top + (index + 1.4) * line));
  const one = x(1).toFixed(1);
  const bottom = top + (rows.length + 1.4) * line;
  return [
    `<text class="title" x="12" y="${top + 14}">${escaped(title)}</text>`,
    `<text class="small" x="${width - 12}" y="${top + 14}" text-anchor="end">${better}</text>`,
    ...bars,
    `<line class="axis" x1="${one}" x2="${one}" y1="${top + 1.2 * line}" y2="${bottom}"/>`,
  ].join('\n');
}

function barOf({ name, value }, x, y) {
  const [from, to] = [x(1), x(value)].sort((a, b) => a - b);
  const own = /^(?:gitstate|git-state|\d+ updates)/.test(name) ? ' own' : '';
  const shown = value < 0.1 ? value.toPrecision(2) : value < 100 ? value.toFixed(2) : value.toFixed(0);
  return [
    `<text x="${left - 12}" y="${y + 14}" text-anchor="end">${escaped(name)}</text>`,
    `<rect class="bar${own}" x="${from.toFixed(1)}" y="${y + 3}" width="${Math.max(to - from, 1).toFixed(1)}" height="${line - 6}"/>`,
    `<text class="small" x="${(to + 6).toFixed(1)}" y="${y + 14}">${shown}x</text>`,
  ].join('\n');
}

function escaped(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
