/** Text as a terminal shows it: nothing in it can move the cursor, end a line or hide what follows. */

const controls =
  /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]/g;
const short: Record<string, string> = { '\n': '\\n', '\t': '\\t', '\r': '\\r' };

/** `text` with control characters and invisible ones written as escapes. */
export function visible(text: string): string {
  return text.replace(
    controls,
    (character) => short[character] ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** `text` in one line: the lines that it had are joined by semicolons. */
export function oneLine(text: string): string {
  return visible(text.trim().replace(/\s*[\r\n]+\s*/g, '; '));
}

const wide =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}/u;
const zero = /^(\p{Mn}|\p{Me}|[\ufe00-\ufe0f])$/u;
const styles = /\u001b\[[0-9;]*m/g;

/** Columns that `text` takes on a terminal; the escapes of our own colours take none. */
export function widthOf(text: string): number {
  let width = 0;
  for (const character of text.replace(styles, '')) {
    if (zero.test(character)) continue;
    width += wide.test(character) ? 2 : 1;
  }
  return width;
}

export function padEnd(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - widthOf(text)));
}

/** The beginning of plain `text` that fits into `width` columns, with an ellipsis where something is cut. */
export function truncate(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  let cut = '';
  for (const character of text) {
    if (widthOf(cut + character) > width - 1) break;
    cut += character;
  }
  return `${cut}…`;
}

/** As `truncate`, for text with our own colours in it. */
export function clip(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  let cut = '';
  let room = width - 1;
  for (const part of text.split(/(\u001b\[[0-9;]*m)/)) {
    if (part.startsWith('\u001b')) cut += part;
    else {
      const fitting = widthOf(part) <= room ? part : truncate(part, room + 1).slice(0, -1);
      cut += room > 0 ? fitting : '';
      room = fitting === part ? room - widthOf(part) : 0;
    }
  }
  return `${cut}…`;
}

export type Colors = Record<'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'blue' | 'cyan', Paint>;
type Paint = (text: string) => string;

/** Functions that colour a text, or leave it alone. */
export function colorsOf(enabled: boolean): Colors {
  const paint =
    (on: number, off: number): Paint =>
    (text) =>
      enabled && text !== '' ? `\u001b[${on}m${text}\u001b[${off}m` : text;
  return {
    bold: paint(1, 22),
    dim: paint(2, 22),
    red: paint(31, 39),
    green: paint(32, 39),
    yellow: paint(33, 39),
    blue: paint(34, 39),
    cyan: paint(36, 39),
  };
}

/** The words of `known` that are nearest to `word`, if any is near. */
export function suggest(word: string, known: Iterable<string>): string[] {
  const near = [...known]
    .map((one) => ({ one, distance: distanceOf(word.toLowerCase(), one.toLowerCase()) }))
    .filter(({ one, distance }) => distance <= Math.max(1, Math.floor(Math.max(word.length, one.length) / 3)))
    .sort((a, b) => a.distance - b.distance);
  return near.filter(({ distance }) => distance === near[0]!.distance).map(({ one }) => one);
}

/** Changes of one letter, neighbours swapped among them, that lead from `a` to `b` (optimal string alignment). */
function distanceOf(a: string, b: string): number {
  const rows: number[][] = [];
  for (let i = 0; i <= a.length; i += 1) {
    const row: number[] = [i];
    for (let j = 1; j <= b.length; j += 1) {
      if (i === 0) {
        row.push(j);
        continue;
      }
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let best = Math.min(rows[i - 1]![j]! + 1, row[j - 1]! + 1, rows[i - 1]![j - 1]! + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        best = Math.min(best, rows[i - 2]![j - 2]! + 1);
      }
      row.push(best);
    }
    rows.push(row);
  }
  return rows[a.length]![b.length]!;
}
