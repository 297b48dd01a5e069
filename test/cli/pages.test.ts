import { readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { execute, withCommand } from '../support/cli.ts';
import { makeRepository, userEnvironment } from '../support/repo.ts';

/** Pages in Markdown that run. In a `console` block each line that begins with `$ ` is given to a shell, lines that
 *  begin with `> ` go on with it, and what follows is what has to be printed; `[4]` is an exit status. A page has one
 *  shell in one new repository, on a terminal of 90 columns. */

const folder = fileURLToPath(new URL('./pages/', import.meta.url));
const recipes = fileURLToPath(new URL('../../docs/recipes.md', import.meta.url));
const mark = '\u001e';

/** What differs from run to run, and the word that stands for it on a page. */
const placeholders: [RegExp, string][] = [
  [/\b\d+-[0-9a-f]{32,}\b/g, '<token>'],
  [/\b([0-9a-f]{40}|[0-9a-f]{9}|[0-9a-f]{7})\b/g, '<oid>'],
  [/\b\d{4}-\d\d-\d\dT[\d:.]+Z/g, '<time>'],
  [/\b\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?\b/g, '<time>'],
  [/\b\d{4}-\d\d-\d\d\b/g, '<day>'],
  [/\b\d\d:\d\d\b/g, '<time>'],
  [/\bin \d+s\b/g, 'in <duration>'],
];

function commandsOf(page: string): string[] {
  const blocks = [...page.matchAll(/^```console\n(.*?)^```$/gms)].map(([, block]) => block!);
  return blocks.flatMap((block) =>
    block
      .split(/^\$ /m)
      .slice(1)
      .map((one) => /^(.*\n(?:> .*\n)*)/.exec(one)![1]!.replace(/^> /gm, '')),
  );
}

/** Runs the commands in one shell. @returns what each printed, with its exit status where that is not 0. */
async function outputsOf(commands: string[]): Promise<string[]> {
  const { path } = makeRepository({ name: 'project' });
  const script = commands.map((command) => `${command}printf '${mark}%s${mark}' $?\n`).join('');
  const { PATH: _path, ...user } = userEnvironment;
  const env = { ...user, GITSTATE_FORCE_TTY: '90', HOME: path };
  const { stdout } = await execute('sh', ['-c', `exec 2>&1\n${script}`], withCommand({ cwd: path, env }));
  const parts = stdout.replaceAll(path, '<project>').split(mark);
  return commands.map((_, index) => {
    const [text, status] = [parts[2 * index] ?? '', parts[2 * index + 1]];
    const ended = text === '' || text.endsWith('\n') ? text : `${text}\n`;
    return status === '0' ? ended : `${ended}[${status}]\n`;
  });
}

function withPlaceholders(text: string): string {
  return placeholders.reduce((one, [pattern, word]) => one.replace(pattern, word), text);
}

/** The page as it would have to be. */
async function rewritten(page: string): Promise<string> {
  const outputs = await outputsOf(commandsOf(page));
  return page.replace(/^```console\n(.*?)^```$/gms, (_, block: string) => {
    const lines = block.split('\n').filter((line) => line.startsWith('$ ') || line.startsWith('> '));
    const printed = lines.flatMap((line, index) => {
      const last = !lines[index + 1]?.startsWith('> ');
      return last ? [`${line}\n`, withPlaceholders(outputs.shift()!)] : [`${line}\n`];
    });
    return `\`\`\`console\n${printed.join('')}\`\`\``;
  });
}

describe('pages', () => {
  const pages = readdirSync(folder).filter((name) => name.endsWith('.md'));
  const files = [recipes, ...pages.map((name) => folder + name)];
  it.each(files.map((file) => [basename(file), file]))('%s', async (_, file) => {
    const page = readFileSync(file!, 'utf8');
    expect(commandsOf(page).length).toBeGreaterThan(3);
    expect(page).toBe(await rewritten(page));
  });
});
