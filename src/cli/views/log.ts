import type { LogEntry } from '../../store/api/log.ts';
import type { Field } from '../output.ts';

export const logPipe = 'commit, time, actor, operation, session, feature, subject';

export function logRecord({ commit, at, actor, op, session, feature, subject }: LogEntry): Field[] {
  return [commit, at, actor, op, session, feature, subject];
}
