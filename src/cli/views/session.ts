import type { SessionView } from '../../core/views.ts';
import type { Field, Ui } from '../output.ts';
import { details, table } from '../table-view.ts';
import { visible } from '../text.ts';
import { limitsText } from './budget.ts';
import { paintStatus } from './feature.ts';
import { localTime } from './time.ts';

export const sessionPipe = 'ID, status, completed features, all features, name';

export function sessionRecord({ id, status, progress, name }: SessionView): Field[] {
  return [id, status, progress.completed, progress.total, name];
}

export function sessionTable(sessions: readonly SessionView[], ui: Ui): string[] {
  return table(
    sessions,
    [
      { title: 'ID', text: ({ id }) => id, paint: (_, text) => ui.colors.bold(text) },
      {
        title: 'STATUS',
        text: ({ status }) => status,
        paint: ({ status }, text) => paintStatus(status, text, ui.colors),
      },
      { title: 'DONE', text: ({ progress }) => `${progress.completed}/${progress.total}` },
      { title: 'STARTED', text: ({ started_at }) => localTime(started_at) },
      { title: 'NAME', text: ({ id, name }) => (name === id ? '' : name), cut: true },
    ],
    ui,
  );
}

export function sessionDetails(session: SessionView, ui: Ui): string[] {
  const { budgets, progress } = session;
  const config = Object.keys(session.config).length === 0 ? null : visible(JSON.stringify(session.config));
  const title = session.name === session.id ? '' : `  ${visible(session.name)}`;
  return [
    `${ui.colors.bold(session.id)}${title}`,
    ...details(
      [
        ['status', paintStatus(session.status, session.status, ui.colors)],
        ['preset', session.preset],
        ['steps', session.steps.join(', ') || null],
        ['features', `${progress.completed} of ${progress.total} completed`],
        ['budgets', limitsText(budgets)],
        ['max retries', String(session.max_retries)],
        ['lease', session.default_lease],
        ['checkpoints', session.auto_checkpoints ? 'made when a step completes' : null],
        ['config', config],
        ['started', localTime(session.started_at)],
        ['completed', session.completed_at === null ? null : localTime(session.completed_at)],
        ['updated', localTime(session.updated_at)],
      ],
      ui,
    ),
  ];
}
