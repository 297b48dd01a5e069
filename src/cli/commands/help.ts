import { command, usage } from '../command.ts';
import { commandHelp, groupHelp, programHelp } from '../help.ts';
import { suggest } from '../text.ts';
import { commandTable } from './table.ts';

export const help = command({
  operands: '[COMMAND] [SUBCOMMAND]',
  description: 'Shows the help of a command, or the list of all commands.',
  examples: ['git state help', 'git state help claim', 'git state help step done'],
  writes: false,
  at: false,
  async run({ operands, name }) {
    const words = [operands.get('COMMAND'), operands.get('SUBCOMMAND')].filter((word) => word !== undefined);
    const text = await helpOf(words.join(' '), name);
    return {
      value: { help: text },
      human: () => text.split('\n'),
      plain: text.split('\n').map((line) => [line]),
    };
  },
});

async function helpOf(topic: string, name: string): Promise<string> {
  if (topic === '') return programHelp();
  const entry = commandTable.get(topic);
  if (entry) return commandHelp(topic, await entry.load());
  if ([...commandTable.keys()].some((one) => one.startsWith(`${topic} `))) return groupHelp(topic);
  const meant = suggest(topic, commandTable.keys());
  const error = usage(`no command '${topic}'`, name);
  if (meant.length === 0) throw error;
  throw usage(`no command '${topic}'; did you mean ${meant.join(' or ')}`, meant[0]!);
}
