const headings = {
  variant: '',
  samples: 'runs',
  operations_per_s: 'operations/s',
  median_ms: 'median ms',
  p95_ms: 'p95 ms',
  p99_ms: 'p99 ms',
  max_ms: 'max ms',
  all_ms: 'together ms',
  to_floor: 'x floor',
  to_sqlite: 'x SQLite',
  rate_to_sqlite: "x SQLite's rate",
  porcelain_to_it: 'porcelain / it',
  to_plain: 'x plain',
  to_node: 'x node',
  to_git: 'x fsck',
  to_100: 'x 100 features',
  to_archive: 'x archive',
  max_rss_mib: 'max RSS MiB',
  to_one: 'x one',
  fast_import_to_it: 'fast-import / it',
  to_loose: 'x loose',
  per_10000_ms: 'ms per 10,000',
  to_few: 'x few',
  to_porcelain: 'x porcelain',
  to_short: 'x short',
  operations: 'operations',
  bytes_per_operation: 'bytes/operation',
  least_bytes: 'least possible',
  to_least: 'x least',
  bytes: 'bytes',
  attempts_per_commit: 'attempts/commit',
  slowest_to_fastest: 'slowest/fastest',
  target: 'target',
};

/** The lines of a table, the first with its headings, as texts; columns that no row has are left out. */
export function linesOf({ rows }) {
  const columns = Object.keys(headings).filter((key) =>
    rows.some((row) => (key === 'target' ? targetsOf(row).length > 0 : row[key] !== undefined)),
  );
  return [columns.map((key) => headings[key]), ...rows.map((row) => columns.map((key) => cell(row, key)))];
}

/** A table as text, aligned for a terminal. */
export function formatTable({ title, rows, note }) {
  const lines = linesOf({ rows });
  const widths = lines[0].map((_, index) => Math.max(...lines.map((line) => line[index].length)));
  const text = lines.map((line) =>
    line.map((value, index) => padded(value, widths[index], index)).join('  '),
  );
  return [`${title}`, ...text.map((line) => `  ${line.trimEnd()}`), ...(note ? [`  (${note})`] : [])].join(
    '\n',
  );
}

/** What a row is to reach: none, one or some of `{ key, most | least }`. */
export function targetsOf({ target, targets }) {
  return targets ?? (target ? [target] : []);
}

/** Whether a row meets a target of its own. */
export function meets(row, { key, most, least }) {
  return most === undefined ? row[key] >= least : row[key] <= most;
}

/** Whether a row meets all its targets; null where it has none. */
export function isMet(row) {
  const targets = targetsOf(row);
  return targets.length === 0 ? null : targets.every((target) => meets(row, target));
}

/** A target and its verdict, for people to read: `x floor at most 1.25: met`. */
export function targetText(row, target) {
  const { key, most, least } = target;
  const bound = most === undefined ? `at least ${least}` : `at most ${most}`;
  return `${headings[key]} ${bound}: ${meets(row, target) ? 'met' : 'MISSED'}`;
}

const whole = new Set(['samples', 'operations', 'bytes', 'max_rss_mib']);

function cell(row, key) {
  if (key === 'target')
    return targetsOf(row)
      .map((target) => targetText(row, target))
      .join(', ');
  const value = row[key];
  if (value === undefined || value === null) return '';
  if (typeof value !== 'number' || whole.has(key)) return String(value);
  if (value > 0 && value < 0.1) return value.toPrecision(2);
  return value.toFixed(value < 100 ? 2 : 0);
}

/** Names and targets stand to the left, numbers to the right. */
function padded(value, width, index) {
  return index === 0 || /[a-z]{3}.*:/.test(value) ? value.padEnd(width) : value.padStart(width);
}
