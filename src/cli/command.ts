import type { Env } from '../env.ts';
import { GitStateError } from '../errors.ts';
import type { Store } from '../store/open.ts';
import type { Interrupts } from './interrupts.ts';
import type { Answer, Output } from './output.ts';

/** An option of one command. */
export interface OptionSpec {
  /** `--name`, `--name VALUE`, `--name[=VALUE]` or `-n VALUE`. */
  flags: string;
  description: string;
  /** Reads the value; `previous` is what an earlier use of the same option gave, `cwd` where files are looked for.
   *  @throws INVALID_INPUT */
  parse?: (text: string, previous: unknown, cwd: string) => unknown;
}

/** A command: what people type, what is said about it, and what it does. */
export interface CommandSpec<Options = Record<string, unknown>> {
  /** Operands in order: `[ID] STEP`, `A [B]`, `COMMAND...`. Which one is left out is told by their number. */
  operands?: string;
  description: string;
  options?: readonly OptionSpec[];
  /** Each a whole line as it is typed. */
  examples: readonly string[];
  /** What it prints into a pipe, field by field. */
  pipe?: string;
  /** Whether it changes anything. Then `--at` is no option of it. */
  writes: boolean;
  /** `--at` is understood: always by those that only read, unless they say false; by others if they say true. */
  at?: boolean;
  /** What the environment says about a claim and is not meant for this command. */
  ignores?: readonly ('GITSTATE_FEATURE' | 'GITSTATE_WORKER' | 'GITSTATE_TOKEN')[];
  run(invocation: Invocation<Options>): Promise<Answer | number>;
}

/** Options that every command has; they stand before or after it. */
export interface GlobalFlags {
  C?: string;
  branch?: string;
  session?: string;
  worker?: string;
  token?: string;
  opId?: string;
  feature?: string;
  at?: string;
  remote?: string;
  offline?: boolean;
  force?: boolean;
  json?: boolean;
  quiet?: boolean;
  color?: boolean;
}

/** One use of a command. */
export interface Invocation<Options = Record<string, unknown>> {
  /** The command's name, such as `step done`. */
  readonly name: string;
  readonly options: Options;
  readonly operands: Operands;
  readonly flags: GlobalFlags;
  readonly env: Env;
  readonly output: Output;
  readonly interrupts: Interrupts;
  /** Current directory, or that of `-C`. */
  readonly cwd: string;
  /** Opens the store, once. */
  store(): Promise<Store>;
}

export interface Operands {
  /** The operand of that name; undefined where it was left out. */
  get(name: string): string | undefined;
  /** An operand that cannot be left out. */
  require(name: string): string;
  /** Those of `NAME...`. */
  rest: readonly string[];
}

/** Declares a command, with the type of its options. */
export function command<Options = Record<string, never>>(spec: CommandSpec<Options>): CommandSpec {
  return spec as CommandSpec<never> as CommandSpec;
}

/** `--force` and `--op-id`, as the methods of the store take them. */
export function callOf({ flags }: Pick<Invocation, 'flags'>): { force?: boolean; opId?: string } {
  return { ...(flags.force ? { force: true } : {}), ...opIdOf({ flags }) };
}

export function opIdOf({ flags }: Pick<Invocation, 'flags'>): { opId?: string } {
  return flags.opId === undefined ? {} : { opId: flags.opId };
}

/** `--at`, as the methods of the store take it. */
export function atOf({ flags }: Pick<Invocation, 'flags'>): { at?: string } {
  return flags.at === undefined ? {} : { at: flags.at };
}

/** The feature that was named on the command line, as an operand or with `--feature`.
 *  @throws USAGE where both are given and differ. */
export function namedFeature({ name, operands, flags }: Pick<Invocation, 'name' | 'operands' | 'flags'>): {
  feature?: string;
} {
  const operand = operands.get('ID');
  if (operand !== undefined && flags.feature !== undefined && operand !== flags.feature) {
    throw usage(`two features are named: '${operand}' and '${flags.feature}'`, name);
  }
  const feature = operand ?? flags.feature;
  return feature === undefined ? {} : { feature };
}

/** As `namedFeature`, for commands that need one. @throws USAGE */
export function requireFeatureId(
  invocation: Pick<Invocation, 'name' | 'operands' | 'flags' | 'env'>,
): string {
  const feature = namedFeature(invocation).feature;
  if (feature !== undefined) return feature;
  throw usage(`${invocation.name} needs ID`, invocation.name);
}

/** The feature of `--feature` or of the environment, for facts that may belong to one. */
export function subjectFeature({ flags, env }: Pick<Invocation, 'flags' | 'env'>): { feature?: string } {
  const feature = flags.feature ?? (env.variables.GITSTATE_FEATURE || undefined);
  return feature === undefined ? {} : { feature };
}

/** The input is wrong; the hint names the help of the command. */
export function usage(message: string, name: string): GitStateError {
  return new GitStateError('USAGE', message, { hint: helpHint(name) });
}

export function helpHint(name: string): string {
  return `see \`git state help ${name}\``;
}
