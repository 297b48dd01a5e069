import { statSync } from 'node:fs';
import { systemEnv } from '../env.ts';
import { GitStateError } from '../errors.ts';
import { parseArguments, splitCommand } from './arguments.ts';
import type { CommandSpec, GlobalFlags, Invocation } from './command.ts';
import { usage } from './command.ts';
import { commandTable } from './commands/table.ts';
import { commandHelp, groupHelp, programHelp } from './help.ts';
import { Interrupts } from './interrupts.ts';
import { type Answer, Output, print } from './output.ts';
import { OpenStore } from './store.ts';
import { suggest } from './text.ts';
import { packageVersion } from './version.ts';
import { clockTime } from './views/time.ts';

/** Runs the command that `argv` asks for. @returns its exit status. */
export async function runProgram(argv: readonly string[]): Promise<number> {
  const env = systemEnv(process.argv[1]);
  const { stdout, stderr } = process;
  const end = argv.indexOf('--');
  const given = new Set(argv.slice(0, end < 0 ? undefined : end));
  const output = new Output({
    json: given.has('--json'),
    quiet: given.has('--quiet'),
    color: !given.has('--no-color'),
    stdout,
    stderr,
    variables: env.variables,
  });
  const fail = (error: unknown) => process.exit(report(output, error, env.variables));
  process.on('uncaughtException', fail).on('unhandledRejection', fail);
  const interrupts = new Interrupts((status) => process.exit(status));
  let status: number;
  try {
    status = await dispatch(argv, { env, output, interrupts });
  } catch (error) {
    status = report(output, error, env.variables);
  }
  await output.flush();
  return status;
}

type Surroundings = Pick<Invocation, 'env' | 'output' | 'interrupts'>;

async function dispatch(argv: readonly string[], surroundings: Surroundings): Promise<number> {
  const { output } = surroundings;
  const split = splitCommand(argv);
  const [first, second] = split.words;
  if (split.strange !== null) throw strangeOption(split.strange);
  if (!first) {
    if (split.version) return tell(output, { version: packageVersion() }, `git-state ${packageVersion()}`);
    if (!split.help && output.format === 'json') throw noCommand();
    if (split.help) return tell(output, { help: programHelp() }, programHelp());
    output.aside(programHelp());
    return 2;
  }
  const name =
    second && commandTable.has(`${first.text} ${second.text}`) ? `${first.text} ${second.text}` : first.text;
  const entry = commandTable.get(name);
  if (!entry) {
    const members = membersOf(first.text);
    if (members.length === 0) throw unknownCommand(first.text);
    if (split.help) return tell(output, { help: groupHelp(first.text) }, groupHelp(first.text));
    throw unknownMember(first.text, second?.text, members);
  }
  await import('./schemas.ts');
  const spec = await entry.load();
  if (split.help) {
    const help = commandHelp(name, spec);
    return tell(output, { help }, help);
  }
  const used = new Set(name.includes(' ') ? [first.index, second!.index] : [first.index]);
  return runCommand(
    name,
    spec,
    argv.filter((_, index) => !used.has(index)),
    surroundings,
  );
}

async function runCommand(
  name: string,
  spec: CommandSpec,
  argv: readonly string[],
  surroundings: Surroundings,
): Promise<number> {
  const { output, env } = surroundings;
  const { operands, flags, options } = parseArguments(name, spec, argv);
  checkAt(name, spec, flags);
  const cwd = directoryOf(flags);
  const opened = new OpenStore({ spec, flags, env, output, cwd });
  try {
    const answer = await spec.run({
      name,
      operands,
      flags,
      options,
      cwd,
      ...surroundings,
      store: () => opened.get(),
    });
    if (typeof answer === 'number') return answer;
    print(output, spec.writes ? answer : { essential: true, ...withAge(answer, opened) }, env.now());
    if (!spec.writes) sayAge(opened, output, env.now());
    return answer.exitStatus ?? 0;
  } catch (error) {
    throw opened.explain(error);
  } finally {
    await opened.close();
  }
}

/** Answers come from this clone; where others write to the state, too, its age matters. */
function withAge(answer: Answer, opened: OpenStore): Answer {
  const asOf = opened.asOf();
  return asOf === null ? answer : { ...answer, value: { ...answer.value, as_of: asOf } };
}

function sayAge(opened: OpenStore, output: Output, nowMs: number): void {
  const asOf = opened.asOf();
  const ref = opened.standsOn();
  if (asOf !== null && output.format === 'human' && !output.quiet)
    output.aside(`as of ${clockTime(asOf, nowMs)}, when the remote was last heard`);
  else if (asOf === null && ref !== null)
    output.warning(`this clone has no state branch yet: read from ${ref}, as it was fetched`);
}

function checkAt(name: string, spec: CommandSpec, flags: GlobalFlags): void {
  if (flags.at === undefined || (spec.at ?? !spec.writes)) return;
  throw usage(
    spec.writes
      ? `--at is for commands that only read; '${name}' writes to the present`
      : `'${name}' does not take --at`,
    name,
  );
}

function directoryOf({ C }: GlobalFlags): string {
  if (C === undefined) return process.cwd();
  if (statSync(C, { throwIfNoEntry: false })?.isDirectory()) return C;
  throw new GitStateError('USAGE', `no directory '${C}'`, { hint: 'give -C the path of a repository' });
}

function tell(output: Output, value: object, text: string): number {
  if (output.format === 'json') output.object(value);
  else output.line(text);
  return 0;
}

function membersOf(word: string): string[] {
  return [...commandTable.keys()]
    .filter((name) => name.startsWith(`${word} `))
    .map((name) => name.split(' ')[1]!);
}

function noCommand(): GitStateError {
  return new GitStateError('USAGE', 'no command is given', { hint: 'see `git state -h`' });
}

function strangeOption(option: string): GitStateError {
  return new GitStateError('USAGE', `unknown option '${option}' before the command`, {
    hint: 'options of a command stand behind it; see `git state -h`',
  });
}

function unknownCommand(word: string): GitStateError {
  const words = new Set([...commandTable.keys()].flatMap((name) => [name, name.split(' ')[0]!]));
  const meant = suggest(word, words);
  return new GitStateError('USAGE', `no command '${word}'`, {
    hint:
      meant.length > 0 ? `did you mean ${meant.join(' or ')}? see \`git state -h\`` : 'see `git state -h`',
  });
}

function unknownMember(group: string, word: string | undefined, members: string[]): GitStateError {
  const choice = members.join(', ');
  if (word === undefined) return usage(`${group} needs one of ${choice}`, group);
  const meant = suggest(word, members).map((member) => `${group} ${member}`);
  return new GitStateError('USAGE', `no command '${group} ${word}'; there are ${choice}`, {
    hint: meant.length > 0 ? `did you mean ${meant.join(' or ')}?` : `see \`git state help ${group}\``,
  });
}

/** Prints an error as people and programs expect it; a stack only where it was asked for. */
function report(output: Output, error: unknown, variables: Record<string, string | undefined>): number {
  const known =
    error instanceof GitStateError
      ? error
      : new GitStateError('INTERNAL', error instanceof Error ? error.message : String(error), {
          hint: 'this is a bug in gitstate: run it again with GITSTATE_DEBUG=1 and report what it prints',
        });
  output.error(known);
  if (variables.GITSTATE_DEBUG && error instanceof Error) output.aside(error.stack ?? '');
  return known.exitStatus;
}
