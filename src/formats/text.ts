import { type IsStopped, neverStopped } from '../core/budgets.ts';
import { totalCost, totalOf } from '../core/costs.ts';
import type { Feature, Session } from '../core/entities.ts';
import { compareNatural, keyOf } from '../core/ids.ts';
import { metricsOf } from '../core/metrics.ts';
import { blockersOf, currentStep, progressOf, stepsCompleted, workersOf } from '../core/select.ts';
import { type Contents, contentsOf, featuresInOrder, requireSession, type State } from '../core/state.ts';
import { featureView, type Renewals, sessionView } from '../core/views.ts';

/** A session written for people and for other programs. */

export interface Subject {
  state: State;
  session: string;
  /** Says whether the budget keeps a feature from being claimed; nothing does unless told so. */
  isStopped?: IsStopped;
}

/** The whole state of a session, as the objects that commands print. @throws SESSION_NOT_FOUND */
export function exportJson(subject: Subject & { renewals?: Renewals }) {
  const { session, contents, isStopped } = loaded(subject);
  return {
    schema_version: 1,
    session: sessionView(session, contents, isStopped),
    features: featuresInOrder(contents).map((feature) =>
      featureView(contents, feature, isStopped, subject.renewals),
    ),
    workers: workersOf(contents),
    checkpoints: [...contents.checkpoints.values()].sort((a, b) => compareNatural(a.name, b.name)),
    artifacts: [...contents.artifacts.values()].sort((a, b) => compareNatural(a.path, b.path)),
  };
}

function loaded({ state, session: id, isStopped = neverStopped }: Subject): {
  session: Session;
  contents: Contents;
  isStopped: IsStopped;
} {
  return { session: requireSession(state, id), contents: contentsOf(state, id), isStopped };
}

type Column = [name: string, value: (feature: Feature, contents: Contents) => string | number | null];

const columns: Column[] = [
  ['id', ({ id }) => id],
  ['name', ({ name }) => name],
  ['status', ({ status }) => status],
  ['priority', ({ priority }) => priority],
  ['phase', ({ phase }) => phase],
  ['dependencies', ({ dependencies }) => dependencies.join(' ')],
  ['current_step', (feature) => currentStep(feature)],
  ['steps_completed', (feature) => stepsCompleted(feature).join(' ')],
  ['worker_id', ({ worker_id }) => worker_id],
  ['branch', ({ branch }) => branch],
  ['pr_number', ({ pr_number }) => pr_number],
  ['retry_count', ({ retry_count }) => retry_count],
  ['total_cost', ({ id }, contents) => totalOf(contents, id)],
  ['created_at', ({ created_at }) => created_at],
  ['started_at', ({ started_at }) => started_at],
  ['completed_at', ({ completed_at }) => completed_at],
  ['updated_at', ({ updated_at }) => updated_at],
  ['error', ({ error }) => error],
  ['summary', ({ summary }) => summary],
];

/** One record a feature, names first (RFC 4180, but records end in a line feed). Values stand as they are, in quotes
 *  where they have to; lists are joined by spaces, null is empty. @throws SESSION_NOT_FOUND */
export function exportCsv(subject: Subject): string {
  const { contents } = loaded(subject);
  const records = featuresInOrder(contents).map((feature) =>
    columns.map(([, value]) => csvField(value(feature, contents))),
  );
  return [columns.map(([name]) => name), ...records].map((record) => `${record.join(',')}\n`).join('');
}

function csvField(value: string | number | null): string {
  const text = value === null ? '' : String(value);
  return /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
}

/** The dependencies as a Mermaid flowchart: arrows lead from what has to be done first. @throws SESSION_NOT_FOUND */
export function exportMermaid(subject: Subject): string {
  const { contents } = loaded(subject);
  const features = featuresInOrder(contents);
  const nodes = new Map(features.map(({ id }, index) => [keyOf(id), `f${index + 1}`]));
  const lines = features.map((feature) => {
    const label = feature.name === feature.id ? feature.id : `${feature.id}: ${feature.name}`;
    return `  ${nodes.get(keyOf(feature.id))}["${mermaidText(label)}"]:::${feature.status}`;
  });
  for (const { dependencies } of features) {
    for (const id of dependencies) {
      if (nodes.has(keyOf(id))) continue;
      nodes.set(keyOf(id), `u${nodes.size + 1}`);
      lines.push(`  ${nodes.get(keyOf(id))}["${mermaidText(id)}?"]:::unknown`);
    }
  }
  const arrows = features.flatMap(({ id, dependencies }) =>
    dependencies.map((from) => `  ${nodes.get(keyOf(from))} --> ${nodes.get(keyOf(id))}`),
  );
  return `${['flowchart LR', ...lines, ...arrows, ...mermaidClasses].join('\n')}\n`;
}

const mermaidClasses = [
  '  classDef pending fill:#eeeeee,stroke:#888888,color:#000000',
  '  classDef in_progress fill:#cfe2ff,stroke:#0a58ca,color:#000000',
  '  classDef completed fill:#d1e7dd,stroke:#146c43,color:#000000',
  '  classDef failed fill:#f8d7da,stroke:#b02a37,color:#000000',
  '  classDef archived fill:#dddddd,stroke:#888888,color:#555555',
  '  classDef unknown fill:#ffffff,stroke:#b02a37,color:#b02a37,stroke-dasharray: 4',
];

/** Mermaid reads `#35;` as a character; nothing but letters, digits and a few signs is safe in a label. */
function mermaidText(text: string): string {
  const line = text.replace(/\s+/gu, ' ').trim();
  return line.replace(/[^\p{L}\p{N} .:,_-]/gu, (character) => `#${character.codePointAt(0)};`);
}

/** A summary for people in Markdown, such as a job's summary on a Git host. @throws SESSION_NOT_FOUND */
export function exportMarkdown(subject: Subject): string {
  const { session, contents, isStopped } = loaded(subject);
  const progress = progressOf(contents, isStopped);
  const minutes = metricsOf(session, contents).average_time_minutes;
  const cost = totalCost(session, contents);
  const done = progress.completed + progress.archived;
  const facts = [
    `${done} of ${progress.total} done`,
    ...(['ready', 'blocked', 'in_progress', 'failed'] as const)
      .filter((key) => progress[key] > 0)
      .map((key) => `${progress[key]} ${key.replace('_', ' ')}`),
    ...(minutes > 0 ? [`${minutes} ${minutes === 1 ? 'minute' : 'minutes'} on average`] : []),
    ...(cost === 0 ? [] : [`cost ${cost}`]),
  ];
  const rows = featuresInOrder(contents).map((feature) => markdownRow(contents, feature));
  const title = session.name === session.id ? session.id : `${session.name} (${session.id})`;
  const table = [['Feature', 'Name', 'Status', 'Step', 'Worker', 'Cost', 'Remark'], markdownRule, ...rows];
  return [
    `## ${markdownText(title)}`,
    '',
    `**${session.status}**: ${facts.join(', ')}`,
    ...(rows.length === 0 ? [] : ['', ...table.map((cells) => `| ${cells.join(' | ')} |`)]),
    '',
  ].join('\n');
}

const markdownRule = ['---', '---', '---', '---', '---', '---:', '---'];

function markdownRow(contents: Contents, feature: Feature): string[] {
  const waits = feature.status === 'pending' ? blockersOf(contents, feature) : [];
  const remark =
    waits.length > 0
      ? `waits for ${waits.map(({ id }) => id).join(', ')}`
      : (feature.error ?? feature.summary);
  const cost = totalOf(contents, feature.id);
  return [
    markdownText(feature.id),
    feature.name === feature.id ? '' : markdownText(feature.name),
    feature.status.replace('_', ' '),
    markdownText(currentStep(feature) ?? ''),
    markdownText(feature.worker_id ?? ''),
    cost === 0 ? '' : String(cost),
    markdownText(firstLine(remark ?? '')),
  ];
}

function firstLine(text: string): string {
  const [line = '', ...more] = text.trim().split(/[\r\n]+/);
  return more.length > 0 || line.length > 200 ? `${[...line].slice(0, 200).join('')}…` : line;
}

/** Text in which nothing is markup, a link or a mention. */
function markdownText(text: string): string {
  const line = text.replace(/[\s\p{Cc}]+/gu, ' ').trim();
  return line
    .replace(/[\\`*_{}[\]#|~$]/g, (sign) => `\\${sign}`)
    .replace(/&/g, '&amp;')
    .replace(/</g, '&lt;')
    .replace(/>/g, '&gt;')
    .replace(/@/g, '&#64;')
    .replace(/:\/\//g, '&#58;//')
    .replace(/www\./gi, (start) => `${start.slice(0, 3)}&#46;`);
}
