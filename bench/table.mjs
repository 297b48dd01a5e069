const headings = {
  variant: '',
  samples: 'runs',
  commits_per_s: 'commits/s',
  operations_per_s: 'operations/s',
  median_ms: 'median ms',
  p95_ms: 'p95 ms',
  p99_ms: 'p99 ms',
  max_ms: 'max ms',
  all_ms: 'together ms',
  to_floor: 'x floor',
  porcelain_to_it: 'porcelain / it',
  to_plain: 'x plain',
  to_node: 'x node',
  to_git: 'x fsck',
  to_one: 'x one',
  to_few: 'x few',
  to_porcelain: 'x porcelain',
  to_short: 'x short',
  attempts_per_commit: 'attempts/commit',
  slowest_to_fastest: 'slowest/fastest',
  target: 'target',
};

/** A table as text, aligned for a terminal; columns that no row has are left out. */
export function formatTable({ title, rows, note }) {
  const columns = Object.keys(headings).filter((key) => rows.some((row) => row[key] !== undefined));
  const lines = [
    columns.map((key) => headings[key]),
    ...rows.map((row) => columns.map((key) => cell(row, key))),
  ];
  const widths = columns.map((_, index) => Math.max(...lines.map((line) => line[index].length)));
  const text = lines.map((line) =>
    line.map((value, index) => padded(value, widths[index], index)).join('  '),
  );
  return [`${title}`, ...text.map((line) => `  ${line.trimEnd()}`), ...(note ? [`  (${note})`] : [])].join(
    '\n',
  );
}

/** Whether a row meets its target; null where it has none. */
export function isMet({ target, ...row }) {
  if (!target) return null;
  const value = row[target.key];
  return target.most === undefined ? value >= target.least : value <= target.most;
}

function cell(row, key) {
  const value = row[key];
  if (value === undefined || value === null) return '';
  if (key === 'target') return targetText(row);
  if (typeof value !== 'number' || key === 'samples') return String(value);
  if (key.endsWith('_ms')) return value.toFixed(value < 100 ? 2 : 0);
  return value.toFixed(value < 100 ? 2 : 0);
}

function targetText(row) {
  const { key, most, least } = row.target;
  const bound = most === undefined ? `at least ${least}` : `at most ${most}`;
  return `${headings[key]} ${bound}: ${isMet(row) ? 'met' : 'MISSED'}`;
}

/** Names and targets stand to the left, numbers to the right. */
function padded(value, width, index) {
  return index === 0 || /[a-z]{3}.*:/.test(value) ? value.padEnd(width) : value.padStart(width);
}
