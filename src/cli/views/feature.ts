import type { FeatureView } from '../../core/views.ts';
import type { Field, Ui } from '../output.ts';
import { details, table } from '../table-view.ts';
import { type Colors, visible } from '../text.ts';
import { clockTime, localTime } from './time.ts';

/** A feature in a pipe: id, status, priority, phase, worker, current step, name. */
export const featurePipe = 'ID, status, priority, phase, worker, current step, name';

export function featureRecord(feature: FeatureView): Field[] {
  const { id, status, priority, phase, worker_id, current_step, name } = feature;
  return [id, status, priority, phase, worker_id, current_step, name];
}

const statusColors = {
  pending: 'blue',
  in_progress: 'yellow',
  active: 'yellow',
  completed: 'green',
  failed: 'red',
  archived: 'dim',
  skipped: 'dim',
} as const;

export function paintStatus(status: string, text: string, colors: Colors): string {
  const color = statusColors[status as keyof typeof statusColors];
  return color ? colors[color](text) : text;
}

export function featureTable(features: readonly FeatureView[], ui: Ui): string[] {
  return table(
    features,
    [
      { title: 'ID', text: ({ id }) => id, paint: (_, text) => ui.colors.bold(text) },
      {
        title: 'STATUS',
        text: ({ status }) => status,
        paint: ({ status }, text) => paintStatus(status, text, ui.colors),
      },
      { title: 'PRIO', text: ({ priority }) => priority ?? '' },
      { title: 'PHASE', text: ({ phase }) => (phase === null ? '' : String(phase)) },
      { title: 'WORKER', text: ({ worker_id }) => worker_id ?? '' },
      { title: 'STEP', text: stepText },
      { title: 'WAITS FOR', text: ({ blocked_by }) => blocked_by.map(({ id }) => id).join(',') },
      { title: 'NAME', text: ({ id, name }) => (name === id ? '' : name), cut: true },
    ],
    ui,
  );
}

function stepText({ steps, current_step, status }: FeatureView): string {
  if (steps.length === 0) return '';
  const done = steps.filter((step) => step.status === 'completed' || step.status === 'skipped').length;
  const current = status === 'in_progress' ? current_step : null;
  return `${done}/${steps.length}${current === null ? '' : ` ${current}`}`;
}

/** Everything there is to say about one feature. */
export function featureDetails(feature: FeatureView, ui: Ui): string[] {
  const { colors, nowMs } = ui;
  const optional = (time: string | null) => (time === null ? null : localTime(time));
  const json = (value: object) => (Object.keys(value).length === 0 ? null : visible(JSON.stringify(value)));
  const title = feature.name === feature.id ? '' : `  ${visible(feature.name)}`;
  return [
    `${colors.bold(feature.id)}${title}`,
    ...details(
      [
        ['status', paintStatus(feature.status, feature.status, colors) + readiness(feature)],
        ['claim', claimText(feature, nowMs)],
        ['priority', feature.priority === null ? null : visible(feature.priority)],
        ['phase', feature.phase === null ? null : String(feature.phase)],
        ['needs', feature.dependencies.join(', ') || null],
        ['branch', feature.branch && visible(feature.branch)],
        ['worktree', feature.worktree && visible(feature.worktree)],
        ['pull request', feature.pr_number === null ? null : `#${feature.pr_number}`],
        ['failed attempts', feature.retry_count === 0 ? null : String(feature.retry_count)],
        ['error', feature.error && visible(feature.error)],
        ['summary', feature.summary && visible(feature.summary)],
        ['cost', feature.total_cost === 0 ? null : String(feature.total_cost)],
        ['started', optional(feature.started_at)],
        ['completed', optional(feature.completed_at)],
        ['updated', optional(feature.updated_at)],
        ['scores', json(feature.quality_scores)],
        ['metrics', json(feature.metrics)],
        ['data', json(feature.data)],
      ],
      ui,
    ),
    ...stepLines(feature, ui),
  ];
}

function readiness({ ready, blocked_by, status }: FeatureView): string {
  if (ready) return ', ready';
  if (status !== 'pending' || blocked_by.length === 0) return '';
  return `, waits for ${blocked_by.map((one) => `${one.id} (${one.status})`).join(', ')}`;
}

function claimText({ worker_id, claim }: FeatureView, nowMs: number): string | null {
  if (claim === null || worker_id === null) return null;
  const over = Date.parse(claim.expires_at) <= nowMs;
  return `${worker_id} on ${visible(claim.host)}, ${over ? 'expired at' : 'until'} ${clockTime(claim.expires_at, nowMs)}`;
}

const stepMarks = { pending: '○', active: '●', completed: '✓', failed: '✗', skipped: '-' } as const;

function stepLines({ steps }: FeatureView, { colors }: Ui): string[] {
  if (steps.length === 0) return [];
  const lines = steps.map((step) => {
    const { status, name, error, cost } = step;
    const end = [cost === 0 ? '' : ` cost ${cost}`, error === null ? '' : ` ${visible(error)}`].join('');
    return `    ${paintStatus(status, `${stepMarks[status]} ${name}`, colors)}${end && colors.dim(` ${end}`)}`;
  });
  return [`  ${colors.dim('steps')}`, ...lines];
}
