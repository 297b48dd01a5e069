import { Command, CommanderError, Option } from 'commander';
import { GitStateError } from '../errors.ts';
import {
  type CommandSpec,
  type GlobalFlags,
  helpHint,
  type Operands,
  type OptionSpec,
  usage,
} from './command.ts';
import { globalOptions, globalSwitches, globalValueOptions } from './global-options.ts';

export interface Split {
  /** The first words that are neither options nor their values: at most two. */
  words: { text: string; index: number }[];
  /** An option that stands before the first word and is no global one. */
  strange: string | null;
  help: boolean;
  version: boolean;
}

/** Finds the words of the command among global options. */
export function splitCommand(argv: readonly string[]): Split {
  const split: Split = { words: [], strange: null, help: false, version: false };
  for (let index = 0; index < argv.length && split.words.length < 2; index += 1) {
    const argument = argv[index]!;
    if (argument === '--') break;
    if (!argument.startsWith('-') || argument === '-') split.words.push({ text: argument, index });
    else if (argument === '--version') split.version = true;
    else if (globalValueOptions.has(argument)) index += 1;
    else if (argument === '-h' || argument === '--help' || isGlobal(argument)) continue;
    else {
      if (split.words.length === 0) split.strange ??= argument;
      break;
    }
  }
  const end = argv.indexOf('--');
  split.help = argv.slice(0, end < 0 ? undefined : end).some((one) => one === '-h' || one === '--help');
  return split;
}

function isGlobal(argument: string): boolean {
  const name = argument.split('=')[0]!;
  return globalSwitches.has(argument) || globalValueOptions.has(name) || /^-C./.test(argument);
}

export interface Parsed {
  operands: Operands;
  flags: GlobalFlags;
  options: Record<string, unknown>;
}

/** Reads the arguments of one command, its words taken out. @throws USAGE, INVALID_INPUT */
export function parseArguments(name: string, spec: CommandSpec, argv: readonly string[]): Parsed {
  const parser = new Command(name)
    .exitOverride()
    .helpOption(false)
    .configureOutput({ writeOut: () => {}, writeErr: () => {} })
    .argument('[operands...]');
  const own = spec.options ?? [];
  for (const option of [...globalOptions, ...own]) parser.addOption(commanderOption(option));
  try {
    parser.parse(withOptionalValues(argv, own), { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) throw usageOf(error, name);
    throw error;
  }
  const options = readValues(name, parser.opts(), [...globalOptions, ...own]);
  const operands = assign(name, spec.operands ?? '', parser.args);
  return { operands, options, flags: options as GlobalFlags };
}

function commanderOption({ flags, description, parse }: OptionSpec): Option {
  const notation = flags.replace(/\[=(\S+)\]$/, ' [$1]').replace(/ ([A-Z][^[\]]*)$/, ' <value>');
  const option = new Option(notation, description);
  // Values are gathered first and read afterwards: a file that one of them names lies where -C leads.
  return parse ? option.argParser((text: string, texts: string[] = []) => [...texts, text]) : option;
}

/** Options with their values read, each by its own reader. */
function readValues(
  name: string,
  given: Record<string, unknown>,
  specs: readonly OptionSpec[],
): Record<string, unknown> {
  const values = { ...given };
  let cwd = process.cwd();
  for (const { flags, parse } of specs) {
    const key = commanderKey(flags);
    const texts = given[key];
    if (!parse || !Array.isArray(texts)) continue;
    values[key] = (texts as string[]).reduce((previous: unknown, text) => {
      return named(name, flags, () => parse(text, previous, cwd));
    }, undefined);
    if (key === 'C') cwd = String(values[key]);
  }
  return values;
}

function commanderKey(flags: string): string {
  return new Option(flags.split(/[ [=]/)[0]!).attributeName();
}

/** Errors of a reader begin with the name of the option. */
function named<T>(name: string, flags: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof GitStateError)) throw error;
    throw new GitStateError(error.code, `${flags.split(/[ [=]/)[0]}: ${error.message}`, {
      hint: error.hint ?? helpHint(name),
    });
  }
}

/** A value that may be left out is never the next word: `--wait 003` waits for feature 003. */
function withOptionalValues(argv: readonly string[], options: readonly OptionSpec[]): string[] {
  const optional = new Set(
    options.filter(({ flags }) => flags.includes('[=')).map(({ flags }) => flags.split('[')[0]!),
  );
  const end = argv.indexOf('--');
  return argv.map((argument, index) =>
    (end < 0 || index < end) && optional.has(argument) ? `${argument}=` : argument,
  );
}

function usageOf(error: CommanderError, name: string): GitStateError {
  const [first = '', second] = error.message.replace(/^error: /, '').split('\n');
  const suggestion = /\(Did you mean (.*)\?\)/.exec(second ?? '')?.[1];
  const message = first.replace(/option '(\S+?)[ ,].*' argument missing/, "option '$1' needs a value");
  return new GitStateError('USAGE', message, {
    hint: suggestion === undefined ? helpHint(name) : `did you mean ${suggestion}? ${helpHint(name)}`,
  });
}

/** Gives operands their names by their number: those in brackets are left out first, from the left. */
function assign(name: string, pattern: string, given: readonly string[]): Operands {
  const slots = pattern.split(' ').filter((slot) => slot !== '');
  const required = slots.filter((slot) => !slot.startsWith('['));
  const open = slots.some((slot) => slot.includes('...'));
  if (given.length < required.length) {
    throw usage(`${name} needs ${required.map((slot) => slot.replace('...', '')).join(' and ')}`, name);
  }
  if (!open && given.length > slots.length) {
    const extra = given[slots.length]!;
    throw usage(
      slots.length === 0
        ? `${name} takes no operand, but '${extra}' is given`
        : `${name} takes ${slots.join(' ')}, but '${extra}' is given too`,
      name,
    );
  }
  const values = new Map<string, string>();
  const rest: string[] = [];
  let spare = given.length - required.length;
  let next = 0;
  for (const slot of slots) {
    if (slot.includes('...')) {
      rest.push(...given.slice(next));
      continue;
    }
    if (slot.startsWith('[') && spare === 0) continue;
    if (slot.startsWith('[')) spare -= 1;
    values.set(slot.replace(/[[\]]/g, ''), given[next]!);
    next += 1;
  }
  return {
    get: (slot) => values.get(slot),
    require(slot) {
      const value = values.get(slot);
      if (value === undefined) throw usage(`${name} needs ${slot}`, name);
      return value;
    },
    rest,
  };
}
