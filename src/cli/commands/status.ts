import { atOf, command } from '../command.ts';
import { statusLines, statusRecords, workerPipe, workerRecord, workerTable } from '../views/status.ts';

export const status = command<{ check?: boolean }>({
  description:
    'Says where everything stands: progress, who works on what, what waits for what, costs.\n' +
    'With --check the exit status is 0 only if all is complete, else 5.',
  options: [{ flags: '--check', description: 'exit status 5 unless all is complete' }],
  examples: [
    'git state status',
    'git state status --json | jq .progress',
    'git state status --check && echo done',
  ],
  pipe: 'a name and its value, one pair a line',
  writes: false,
  async run(invocation) {
    const value = await (await invocation.store()).status(atOf(invocation));
    const { total, completed, archived } = value.progress;
    const complete = completed + archived === total;
    return {
      value,
      human: (ui) => statusLines(value, ui),
      plain: statusRecords(value),
      exitStatus: invocation.options.check && !complete ? 5 : 0,
    };
  },
});

export const workerList = command({
  description: 'Lists every worker that ever claimed something, idle ones too.',
  examples: [
    'git state worker list',
    'git state worker list --json | jq ".workers[] | select(.status == \\"busy\\")"',
  ],
  pipe: workerPipe,
  writes: false,
  async run(invocation) {
    const value = await (await invocation.store()).workerList(atOf(invocation));
    return {
      value,
      human: (ui) =>
        value.workers.length > 0 ? workerTable(value.workers, ui) : ['no worker has claimed anything yet'],
      plain: value.workers.map(workerRecord),
    };
  },
});
