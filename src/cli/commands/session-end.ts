import { callOf, command } from '../command.ts';
import { sessionPipe, sessionRecord } from '../views/session.ts';
import { counted } from '../views/time.ts';

interface Ending {
  method: 'sessionComplete' | 'sessionFail' | 'sessionArchive';
  done: string;
  description: string;
}

function ending(word: string, { method, done, description }: Ending) {
  return command({
    description: `${description} With live claims it is refused unless --force is given.`,
    examples: [`git state session ${word}`, `git state session ${word} --session 2026-01-31-001`],
    pipe: sessionPipe,
    writes: true,
    async run(invocation) {
      const store = await invocation.store();
      const value = await store[method](callOf(invocation));
      const { total, completed, archived } = value.progress;
      const left = total - completed - archived;
      return {
        value,
        human: () => [
          `${done} session ${value.id}${left > 0 ? `; ${counted(left, 'feature')} of ${total} not finished` : ''}`,
        ],
        plain: [sessionRecord(value)],
      };
    },
  });
}

export const sessionComplete = ending('complete', {
  method: 'sessionComplete',
  done: 'completed',
  description: 'Ends a session that has done its work; unfinished features stay as they are.',
});

export const sessionFail = ending('fail', {
  method: 'sessionFail',
  done: 'failed',
  description: 'Ends a session that did not succeed.',
});

export const sessionArchive = ending('archive', {
  method: 'sessionArchive',
  done: 'archived',
  description: 'Puts a session away: it is listed no more, and its history stays.',
});
