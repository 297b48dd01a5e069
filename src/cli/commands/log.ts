import type { LogEntry } from '../../store/api/log.ts';
import { command, type Invocation, usage } from '../command.ts';
import { count } from '../options.ts';
import type { Output } from '../output.ts';
import { visible } from '../text.ts';
import { logPipe, logRecord } from '../views/log.ts';
import { localTime, shortOid } from '../views/time.ts';

interface LogFlags {
  n?: number;
  op?: string;
  since?: string;
  until?: string;
  all?: boolean;
  oneline?: boolean;
}

const onTerminal = 20;

export const log = command<LogFlags>({
  description:
    'Shows who did what when, newest first: of the session, or of all sessions where none is selected. On a terminal ' +
    `it stops after ${onTerminal} entries. --feature and --worker show only theirs. With --json it prints one object a line.`,
  options: [
    { flags: '-n N', description: 'at most so many entries', parse: count },
    { flags: '--op TYPE', description: 'only operations of this type, such as feature.claim or step' },
    { flags: '--since T', description: "only entries after a date or age, such as 2h or '2026-01-31'" },
    { flags: '--until T', description: 'only entries before it' },
    { flags: '--all', description: 'every session, every entry' },
    { flags: '--oneline', description: 'the short name of the commit and its subject, and no more' },
  ],
  examples: [
    'git state log',
    'git state log --feature 003 -n 5',
    'git state log --op step --since 2h --json',
    "git state log --oneline --since '3 days ago'",
  ],
  pipe: logPipe,
  writes: false,
  async run(invocation) {
    const { output, options } = invocation;
    const store = await invocation.store();
    const limit = options.n ?? (output.format === 'human' && !options.all ? onTerminal : undefined);
    const write = writerFor(output, options.oneline);
    let entries = 0;
    for await (const entry of store.log({
      ...filterOf(invocation),
      ...(limit === undefined ? {} : { limit }),
    })) {
      write(entry);
      entries += 1;
      await output.ready();
      if (output.closed) break;
    }
    if (entries === 0 && output.format === 'human') output.line('no entry is like that');
    return 0;
  },
});

function filterOf({ options, flags, name }: Invocation<LogFlags>) {
  const { op, since, until, all } = options;
  if (all && flags.session !== undefined) throw usage('--all and --session exclude each other', name);
  const { feature, worker, at } = flags;
  const filter = { op, since, until, all, feature, worker, at };
  return Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined));
}

function writerFor(output: Output, oneline = false): (entry: LogEntry) => void {
  if (output.format === 'json') return (entry) => output.object(entry);
  if (oneline) {
    return ({ commit, subject }) =>
      output.line(`${output.colors.yellow(shortOid(commit))} ${visible(subject)}`);
  }
  if (output.format === 'plain') {
    return (entry) => output.record(logRecord(entry));
  }
  const { dim, yellow, cyan } = output.colors;
  return ({ commit, at, actor, op, subject }) =>
    output.line(
      `${yellow(shortOid(commit))} ${dim(localTime(at))} ${cyan(visible(actor))}  ${visible(subject)}${op === null ? dim(' (by hand)') : ''}`,
    );
}
