import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { exportCsv, exportJson, exportMarkdown, exportMermaid } from '../../src/formats/text.ts';
import { text } from '../support/arbitraries.ts';
import { claiming, Scene } from '../support/scene.ts';
import { refusalOf } from './support.ts';

function planned(): Scene {
  const scene = Scene.started({ name: 'Release 1', steps: ['plan', 'code'] });
  scene.do('feature.add', { feature: '001', name: 'first' });
  scene.do('feature.add', {
    feature: '002',
    name: 'second, "quoted"',
    dependencies: ['001'],
    priority: 'P0',
    phase: 2,
  });
  scene.do('feature.add', { feature: '003', dependencies: ['002', '001'] });
  scene.do('feature.claim', claiming('001', 'W1'));
  scene.do('step.done', { feature: '001', step: 'plan', worker: 'W1' });
  return scene.do('cost.add', {
    feature: '001',
    amount: 0.25,
    tokens: null,
    step: 'plan',
    operation: 'call',
  });
}

const subject = ({ state }: Scene) => ({ state, session: 's' });

/** A reader of RFC 4180 for the test alone. */
function parseCsv(csv: string): string[][] {
  const records: string[][] = [[]];
  const field = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\n|$)/gy;
  for (let match = field.exec(csv); match && field.lastIndex <= csv.length; match = field.exec(csv)) {
    const [, quoted, plain, end] = match;
    records.at(-1)!.push(quoted === undefined ? plain! : quoted.replace(/""/g, '"'));
    if (end === '\n') records.push([]);
    if (field.lastIndex === csv.length) break;
  }
  if (records.at(-1)!.length === 0) records.pop();
  return records;
}

describe('CSV', () => {
  test('a record a feature', () => {
    expect(exportCsv(subject(planned()))).toBe(
      [
        'id,name,status,priority,phase,dependencies,current_step,steps_completed,worker_id,branch,pr_number,retry_count,total_cost,created_at,started_at,completed_at,updated_at,error,summary',
        '001,first,in_progress,,,,code,plan,W1,,,0,0.25,2026-03-01T10:03:00Z,2026-03-01T10:06:00Z,,2026-03-01T10:08:00Z,,',
        '002,"second, ""quoted""",pending,P0,2,001,,,,,,0,0,2026-03-01T10:04:00Z,,,2026-03-01T10:04:00Z,,',
        '003,003,pending,,,002 001,,,,,,0,0,2026-03-01T10:05:00Z,,,2026-03-01T10:05:00Z,,',
        '',
      ].join('\n'),
    );
  });

  test('any text reads back', () => {
    fc.assert(
      fc.property(text, (name) => {
        const scene = Scene.started().do('feature.add', { feature: 'f', name });
        const [names, record] = parseCsv(exportCsv(subject(scene)));
        expect(record).toHaveLength(names!.length);
        expect(record![1]).toBe(name);
      }),
    );
  });
});

describe('Mermaid', () => {
  test('arrows lead from what has to be done first', () => {
    expect(exportMermaid(subject(planned())).split('\n').slice(0, 7)).toEqual([
      'flowchart LR',
      '  f1["001: first"]:::in_progress',
      '  f2["002: second, #34;quoted#34;"]:::pending',
      '  f3["003"]:::pending',
      '  f1 --> f2',
      '  f2 --> f3',
      '  f1 --> f3',
    ]);
  });

  test('no text leaves its label', () => {
    fc.assert(
      fc.property(text, (name) => {
        const scene = Scene.started().do('feature.add', { feature: 'f', name });
        const lines = exportMermaid(subject(scene)).split('\n');
        expect(lines[1]).toMatch(/^ {2}f1\["f:[^"<>`[\](){}|\\]*"\]:::pending$/u);
        expect(lines[2]).toMatch(/^ {2}classDef /);
      }),
    );
  });
});

describe('Markdown', () => {
  test('a summary', () => {
    const scene = planned();
    scene.do('feature.add', { feature: '004' });
    scene.do('feature.claim', claiming('004', 'W2', 2));
    scene.do('feature.fail', { feature: '004', error: 'line | one\nline two', no_retry: true, worker: 'W2' });
    expect(exportMarkdown(subject(scene))).toBe(
      [
        '## Release 1 (s)',
        '',
        '**active**: 0 of 4 done, 2 blocked, 1 in progress, 1 failed, cost 0.25',
        '',
        '| Feature | Name | Status | Step | Worker | Cost | Remark |',
        '| --- | --- | --- | --- | --- | ---: | --- |',
        '| 001 | first | in progress | code | W1 | 0.25 |  |',
        '| 002 | second, "quoted" | pending |  |  |  | waits for 001 |',
        '| 003 |  | pending |  |  |  | waits for 002, 001 |',
        '| 004 |  | failed | plan |  |  | line \\| one… |',
        '',
      ].join('\n'),
    );
  });

  test('a session without features is no table', () => {
    expect(exportMarkdown(subject(Scene.started()))).toBe('## the session (s)\n\n**active**: 0 of 0 done\n');
  });

  test('no text is markup, or another cell', () => {
    fc.assert(
      fc.property(text, (name) => {
        const scene = Scene.started().do('feature.add', { feature: 'f', name });
        const rows = exportMarkdown(subject(scene)).split('\n').slice(4);
        expect(rows).toHaveLength(4);
        const cells = rows[2]!.replace(/\\[\\|]/g, '').split('|');
        expect(cells).toHaveLength(9);
        expect(cells[2]).not.toMatch(/[<>@]|(?<!\\)[*_`[\]~#]/);
      }),
    );
  });

  test('links and mentions are text', () => {
    const scene = Scene.started().do('feature.add', {
      feature: 'f',
      name: 'see https://x.example @me <b> [a](b)',
    });
    expect(exportMarkdown(subject(scene))).toContain(
      '| see https&#58;//x.example &#64;me &lt;b&gt; \\[a\\](b) |',
    );
  });
});

test('JSON is the whole session, as commands print it', () => {
  const scene = planned();
  scene.do('checkpoint.create', {
    name: 'half',
    commit: null,
    feature: '001',
    step: null,
    next_step: 'code',
    data: null,
    heads: {},
  });
  const whole = exportJson(subject(scene));
  expect(whole).toMatchObject({
    schema_version: 1,
    session: { id: 's', progress: { total: 3, in_progress: 1, blocked: 2 }, metrics: { total_cost: 0.25 } },
    features: [
      { id: '001', total_cost: 0.25, current_step: 'code' },
      { id: '002', ready: false },
      { id: '003' },
    ],
    workers: [{ id: 'W1', status: 'busy' }],
    checkpoints: [{ name: 'half' }],
    artifacts: [],
  });
  expect(JSON.parse(JSON.stringify(whole))).toEqual(whole);
  expect(JSON.stringify(whole)).not.toContain(scene.feature('001').claim!.id);
});

test.each(Object.entries({ exportJson, exportCsv, exportMermaid, exportMarkdown }))(
  '%s needs the session',
  (_, write) => {
    expect(refusalOf(() => write({ state: Scene.started().state, session: 'nope' })).code).toBe(
      'SESSION_NOT_FOUND',
    );
  },
);
