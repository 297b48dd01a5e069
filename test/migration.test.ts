import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

/** docs/migration.md names every item of the three documents, and a test for each. */

const read = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8');
const rows = read('../docs/migration.md')
  .split('\n')
  .filter((line) => /^\| [ABC]\d+ \|/.test(line))
  .map((line) => line.split(/(?<!\\)\|/).map((cell) => cell.trim()))
  .map((cells) => ({ id: cells[1]!, cells: cells.slice(2, -1) }));

const numbered = (letter: string, last: number) =>
  Array.from({ length: last }, (_, index) => `${letter}${index + 1}`);

describe('the page', () => {
  test.each([
    ['A', 56],
    ['B', 58],
    ['C', 104],
  ])('has every item of %s once, in order', (letter, last) => {
    const ids = rows.map(({ id }) => id).filter((id) => id.startsWith(letter));
    expect(ids).toEqual(numbered(letter, last));
  });

  test('says something in every column', () => {
    const short = rows.filter(({ cells }) => cells.length !== 4 || cells.includes(''));
    expect(short.map(({ id }) => id)).toEqual([]);
  });

  test('names tests that exist', () => {
    const wrong = rows.flatMap(({ id, cells }) => {
      const named = [...(cells[3] ?? '').matchAll(/`([\w/-]+) "([^"]+)"`/g)];
      if (named.length === 0) return [`${id}: no test`];
      return named.flatMap(([, file, name]) => (exists(file!, name!) ? [] : [`${id}: ${file} "${name}"`]));
    });
    expect(wrong).toEqual([]);
  });
});

const titles = new Map<string, string[]>();

/** Whether a test or group of the file has a title with these words in it: `A4` is not in `A43`. */
function exists(file: string, name: string): boolean {
  if (!titles.has(file)) titles.set(file, titlesOf(file));
  const words = new RegExp(`(?<!\\w)${name.replace(/[^\w\s]/g, '\\$&')}(?!\\w)`);
  return titles.get(file)!.some((title) => words.test(title));
}

/** The first arguments of `test`, `it`, `describe` and what their `.each` gives: text before a function or options. */
function titlesOf(file: string): string[] {
  const source = read(`./${file}.test.ts`);
  return [...source.matchAll(/\(\s*(['"])((?:\\.|(?!\1).)*)\1,\s*(?:async )?[({]/g)].map(
    ([, , title]) => title!,
  );
}
