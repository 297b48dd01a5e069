import type { Change, DiffSummary } from '../../core/diff.ts';
import type { Field, Ui } from '../output.ts';
import { visible } from '../text.ts';
import { counted } from './time.ts';

export const changePipe = 'ID, entity, session, field, from, to; values are JSON';

export function changeRecord({ id, entity, session, path, from, to }: Change): Field[] {
  return [id, entity, session, path, JSON.stringify(from), JSON.stringify(to)];
}

/** Fields that say nothing to people which others do not say, too: who holds what stands in `worker_id`. */
const bookkeeping = /^\/(updated_at|claim|claim_count|ended_claim)(\/|$)/;

/** The changes that people want to see. */
export function telling(changes: readonly Change[]): Change[] {
  return changes.filter(({ path }) => !bookkeeping.test(path));
}

/** Changes line by line: `+` came, `-` went, `~` became another value. */
export function changeLines(changes: readonly Change[], { colors }: Ui): string[] {
  const sessions = new Set(changes.map(({ session }) => session).filter((session) => session !== null));
  return changes.map((change) => {
    const { entity, id, session, path, from, to } = change;
    const place = sessions.size > 1 && entity !== 'session' && session !== null ? ` (${session})` : '';
    const subject = `${entity} ${visible(id)}${place}`;
    if (path !== '')
      return `${colors.yellow('~')} ${subject} ${visible(path)}: ${colors.red(shown(from))} -> ${colors.green(shown(to))}`;
    return from === null ? colors.green(`+ ${subject}`) : colors.red(`- ${subject}`);
  });
}

/** What changed, in the words that a summary line and a comment begin with. */
export function summaryText({ changes, completed, failed, progress, cost }: DiffSummary): string {
  const [then, now] = [progress.from, progress.to].map(
    (counts) => `${counts.completed + counts.archived} of ${counts.total}`,
  );
  const parts = [
    changes === 0 ? 'no change' : counted(changes, 'change'),
    completed > 0 ? `${completed} completed` : '',
    failed > 0 ? `${failed} failed` : '',
    then === now ? '' : `progress ${then} -> ${now}`,
    cost.delta === 0 ? '' : `cost ${cost.from} -> ${cost.to}`,
  ];
  return parts.filter(Boolean).join(', ');
}

const lengthMax = 60;

/** A value in one short line. */
export function shown(value: unknown): string {
  if (value === null) return 'none';
  const text = visible(typeof value === 'string' ? value : JSON.stringify(value));
  return text.length > lengthMax ? `${text.slice(0, lengthMax - 1)}…` : text || "''";
}
