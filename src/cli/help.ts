import type { CommandSpec, OptionSpec } from './command.ts';
import { commandTable, groupTitles } from './commands/table.ts';
import { globalOptions } from './global-options.ts';

const width = 92;

/** What `git state -h` prints. */
export function programHelp(): string {
  const longest = Math.max(...[...commandTable.keys()].map((name) => name.length));
  const groups = Object.entries(groupTitles).map(([group, title]) => {
    const lines = [...commandTable]
      .filter(([, entry]) => entry.group === group)
      .map(([name, { summary }]) => `  ${name.padEnd(longest)}  ${summary}`);
    return [title, ...lines].join('\n');
  });
  return [
    'usage: git state COMMAND [operands] [options]',
    wrap(
      'A state store for parallel development, in the Git repository that you already have: workers claim ' +
        'features, advance them through steps, and stop and resume at any time.',
    ),
    ...groups,
    'Global options, before or after the command',
  ]
    .join('\n\n')
    .concat('\n', optionLines(globalOptions).join('\n'))
    .concat(
      '\n\n',
      [
        'Help of one command: git state help COMMAND, or git state COMMAND -h',
        '(`git state --help` is caught by Git itself, which looks for a manual page: use -h.)',
        'Exit status: 0 done, 1 failure of the system, 2 wrong input, 3 not there, 4 not allowed by the',
        'state, 5 nothing to do, 6 not now, 7 damaged state, 130 and 143 ended by a signal.',
        'Into a pipe, results are tab-separated with the id first; GITSTATE_FORCE_TTY=COLUMNS keeps tables.',
      ].join('\n'),
    );
}

/** Help of one command. */
export function commandHelp(name: string, spec: CommandSpec): string {
  const parts = [
    `usage: git state ${[name, spec.operands, spec.options?.length ? '[options]' : '', '[global options]'].filter(Boolean).join(' ')}`,
    wrap(spec.description),
  ];
  if (spec.options?.length) parts.push(`Options\n${optionLines(spec.options).join('\n')}`);
  if (spec.pipe) parts.push(wrap(`Into a pipe it prints, tab-separated: ${spec.pipe}.`));
  parts.push(`Examples\n${spec.examples.map((line) => `  $ ${line}`).join('\n')}`);
  parts.push('Global options: see `git state -h`');
  return parts.join('\n\n');
}

/** Help of the first word of several commands, such as `step`. */
export function groupHelp(group: string): string {
  const members = [...commandTable].filter(([name]) => name.startsWith(`${group} `));
  const longest = Math.max(...members.map(([name]) => name.length));
  return [
    `usage: git state ${group} COMMAND [operands] [options]`,
    members.map(([name, { summary }]) => `  ${name.padEnd(longest)}  ${summary}`).join('\n'),
    `Help of one of them: git state help ${members[0]![0]}`,
  ].join('\n\n');
}

function optionLines(options: readonly OptionSpec[]): string[] {
  const longest = Math.min(26, Math.max(...options.map(({ flags }) => flags.length)));
  return options.flatMap(({ flags, description }) => {
    const lines = wrap(description, width - longest - 4).split('\n');
    const indent = ' '.repeat(longest + 4);
    const head =
      flags.length > longest
        ? [`  ${flags}`, `${indent}${lines[0]}`]
        : [`  ${flags.padEnd(longest)}  ${lines[0]}`];
    return [...head, ...lines.slice(1).map((line) => indent + line)];
  });
}

/** Breaks text at spaces; paragraphs stay. */
function wrap(text: string, columns = width): string {
  return text
    .split('\n')
    .map((paragraph) => {
      const lines: string[] = [];
      for (const word of paragraph.split(' ')) {
        const last = lines.at(-1);
        if (last === undefined || last.length + word.length + 1 > columns) lines.push(word);
        else lines[lines.length - 1] = `${last} ${word}`;
      }
      return lines.join('\n');
    })
    .join('\n');
}
