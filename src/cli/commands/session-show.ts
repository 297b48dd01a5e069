import { atOf, command } from '../command.ts';
import { sessionDetails, sessionPipe, sessionRecord, sessionTable } from '../views/session.ts';

export const sessionList = command<{ all?: boolean; active?: boolean }>({
  description: 'Lists the active sessions in the order of their start.',
  options: [
    { flags: '--all', description: 'the completed, failed and archived ones, too' },
    { flags: '--active', description: 'only the active ones (this is the default)' },
  ],
  examples: ['git state session list', 'git state session list --all --json | jq -r ".sessions[].id"'],
  pipe: sessionPipe,
  writes: false,
  async run(invocation) {
    const { all = false, active = false } = invocation.options;
    const value = await (await invocation.store()).sessionList({ all: all && !active, ...atOf(invocation) });
    const { sessions } = value;
    return {
      value,
      human: (ui) =>
        sessions.length > 0
          ? sessionTable(sessions, ui)
          : [
              all
                ? 'no sessions yet: start one with `git state session start`'
                : 'no active session: start one with `git state session start`, or see them --all',
            ],
      plain: sessions.map(sessionRecord),
    };
  },
});

export const sessionShow = command({
  description: 'Shows one session: its rules, its budgets, how far it is.',
  examples: ['git state session show', 'git state session show --session 2026-01-31-001 --json'],
  pipe: sessionPipe,
  writes: false,
  async run(invocation) {
    const value = await (await invocation.store()).sessionShow(atOf(invocation));
    return { value, human: (ui) => sessionDetails(value, ui), plain: [sessionRecord(value)] };
  },
});
