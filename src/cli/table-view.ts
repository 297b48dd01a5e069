import type { Ui } from './output.ts';
import { padEnd, truncate, visible, widthOf } from './text.ts';

export interface Column<T> {
  title: string;
  /** Plain text; escaping and cutting are the table's business. */
  text(row: T): string;
  /** Whether the text is cut where the line would be too long; of the last column only. */
  cut?: boolean;
  /** Colour for the cell once it has its width. */
  paint?: (row: T, text: string) => string;
}

const gap = '  ';

/** An aligned table for people: empty columns are left out. */
export function table<T>(
  rows: readonly T[],
  columns: readonly Column<T>[],
  { columns: width, colors }: Ui,
): string[] {
  const cells = columns
    .map((column) => ({ column, texts: rows.map((row) => visible(column.text(row))) }))
    .filter(({ texts }) => texts.some((text) => text !== ''));
  const widths = cells.map(({ column, texts }) => Math.max(widthOf(column.title), ...texts.map(widthOf)));
  const last = cells.length - 1;
  const before = widths.slice(0, last).reduce((sum, one) => sum + one + gap.length, 0);
  const room = Math.max(12, width - before);
  const header = cells.map(({ column }, index) => padEnd(column.title, index === last ? 0 : widths[index]!));
  const lines = rows.map((row, at) =>
    cells
      .map(({ column, texts }, index) => {
        const text =
          index === last && column.cut ? truncate(texts[at]!, room) : padEnd(texts[at]!, widths[index]!);
        return column.paint ? column.paint(row, text) : text;
      })
      .join(gap)
      .trimEnd(),
  );
  return [colors.dim(header.join(gap).trimEnd()), ...lines];
}

/** Lines of `label  value`, aligned; what has no value is left out. */
export function details(pairs: readonly (readonly [string, string | null])[], { colors }: Ui): string[] {
  const shown = pairs.filter((pair): pair is readonly [string, string] => pair[1] !== null && pair[1] !== '');
  const width = Math.max(0, ...shown.map(([label]) => label.length));
  return shown.map(([label, value]) => `  ${colors.dim(padEnd(label, width))}  ${value}`);
}
