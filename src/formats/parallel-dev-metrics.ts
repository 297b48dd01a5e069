import type { JsonObject } from '../core/json.ts';
import { objectAt } from './keeping.ts';
import { isObject, own } from './reading.ts';

export type SessionMetrics = Record<
  'total_tasks' | 'completed' | 'in_progress' | 'failed' | 'average_time_minutes',
  number
>;

/** Counts the tasks of a session of the document. The average is over every task that has both times, in whole
 *  minutes; 0 if none has. Needs no store, and takes sessions that were made by hand. */
export function calculateSessionMetrics(session: unknown): SessionMetrics {
  const tasks = Object.values(objectAt(isObject(session) ? session : {}, 'tasks')).filter(isObject);
  const count = (status: string) => tasks.filter((task) => own(task, 'status') === status).length;
  const timesMs = tasks
    .map((task) => timeOf(task, 'completed_at') - timeOf(task, 'started_at'))
    .filter((timeMs) => !Number.isNaN(timeMs));
  const sumMs = timesMs.reduce((sum, timeMs) => sum + timeMs, 0);
  return {
    total_tasks: tasks.length,
    completed: count('completed'),
    in_progress: count('in_progress'),
    failed: count('failed'),
    average_time_minutes: timesMs.length === 0 ? 0 : Math.round(sumMs / timesMs.length / 60_000) + 0,
  };
}

function timeOf(task: JsonObject, key: string): number {
  const value = own(task, key);
  return typeof value === 'string' ? Date.parse(value) : Number.NaN;
}
