import type { Change, DiffSummary } from '../../core/diff.ts';
import { shown, summaryText, telling } from './changes.ts';
import { counted, shortOid } from './time.ts';

/** Rows that a comment holds; hosts limit its length. */
const rowsMax = 200;

/** A comparison as a comment for a pull request. Text of users stands in code, with every character of Markdown and
 *  HTML as a number: it can neither link, mention, nor leave its cell. */
export function markdownOf({
  from,
  to,
  changes,
  summary,
}: {
  from: string;
  to: string;
  changes: readonly Change[];
  summary: DiffSummary;
}): string {
  const rows = telling(changes);
  const lines = [
    `### State ${code(shortOid(from))} → ${code(shortOid(to))}`,
    '',
    `${summaryText({ ...summary, changes: rows.length }).replaceAll('->', '→')}`,
  ];
  if (rows.length > 0) {
    lines.push('', '| | what | field | from | to |', '| --- | --- | --- | --- | --- |');
    const sessions = new Set(rows.map(({ session }) => session).filter((session) => session !== null));
    for (const change of rows.slice(0, rowsMax)) lines.push(rowOf(change, sessions.size > 1));
    if (rows.length > rowsMax) lines.push('', `… and ${counted(rows.length - rowsMax, 'more change')}`);
  }
  return `${lines.join('\n')}\n`;
}

function rowOf({ entity, id, session, path, from, to }: Change, namesSession: boolean): string {
  const place = namesSession && session !== null && entity !== 'session' ? ` of ${code(session)}` : '';
  const what = `${entity} ${code(id)}${place}`;
  if (path !== '') return `| ~ | ${what} | ${code(path)} | ${code(shown(from))} | ${code(shown(to))} |`;
  return from === null ? `| + | ${what} | | | |` : `| − | ${what} | | | |`;
}

function code(text: string): string {
  const safe = text.replace(/[^A-Za-z0-9 /,-]/gu, (character) => `&#${character.codePointAt(0)};`);
  return `<code>${safe}</code>`;
}
