import type { OptionSpec } from '../command.ts';
import { commandTable } from '../commands/table.ts';
import { globalOptions, globalValueOptions } from '../global-options.ts';

/** What the shells are told: words, and the options of each command. */
export interface Vocabulary {
  /** First words, with what they do. */
  first: [string, string][];
  /** Second words of first words that have some. */
  groups: Map<string, [string, string][]>;
  options: Map<string, string[]>;
  globals: string[];
  /** Commands whose operand is a feature. */
  featureCommands: string[];
}

export async function readVocabulary(): Promise<Vocabulary> {
  const first = new Map<string, string>();
  const groups: Vocabulary['groups'] = new Map();
  const options: Vocabulary['options'] = new Map();
  const featureCommands: string[] = [];
  for (const [name, entry] of commandTable) {
    const [word, member] = name.split(' ') as [string, string?];
    if (member === undefined) first.set(word, entry.summary);
    else {
      if (!first.has(word)) first.set(word, `${word}s`);
      groups.set(word, [...(groups.get(word) ?? []), [member, entry.summary]]);
    }
    const spec = await entry.load();
    options.set(name, namesOf(spec.options ?? []));
    if (spec.operands?.startsWith('[ID]') && name !== 'add' && name !== 'session start')
      featureCommands.push(name);
  }
  return { first: [...first], groups, options, globals: namesOf(globalOptions), featureCommands };
}

function namesOf(options: readonly OptionSpec[]): string[] {
  return options.map(({ flags }) => flags.split(/[ [=]/)[0]!);
}

export const names = (pairs: readonly [string, string][]) => pairs.map(([name]) => name).join(' ');
/** Options that are followed by a value, as alternatives of a pattern. */
export const globalsWithValue = [...globalValueOptions].join('|');
/** Prints the ids of all features. */
export const featureIds = 'git-state list 2>/dev/null </dev/null | cut -f1';
