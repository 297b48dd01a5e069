import { execFileSync, spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import type { JsonObject } from '../../src/core/json.ts';
import { exportOrchestrator, importOrchestrator } from '../../src/formats/orchestrator.ts';
import { claiming, Scene } from '../support/scene.ts';
import { context } from './support.ts';

/** The commands of the orchestrator's description, on documents that gitstate wrote. */

const present = spawnSync('jq', ['--version']).status === 0;
if (!present) console.warn('jq is not installed: its commands were not tried');

function jq(document: JsonObject, ...args: string[]): string {
  return execFileSync('jq', args, { input: JSON.stringify(document, null, 2), encoding: 'utf8' }).trim();
}

function orchestrated(): Scene {
  const scene = Scene.started({ preset: 'orchestrator', steps: ['specify', 'clarify', 'plan'] });
  scene.do('feature.add', { feature: '001', name: 'first' });
  scene.do('feature.add', { feature: '002', name: 'second' });
  return scene.do('feature.claim', claiming('001', 'W1'));
}
const written = (scene: Scene) => exportOrchestrator({ state: scene.state, session: 's' });

describe.skipIf(!present)('jq', () => {
  test('reads the whole state', () => {
    const document = written(orchestrated());
    expect(JSON.parse(jq(document, '.'))).toEqual(document);
  });

  test('finds the next pending feature', () => {
    const query = `.features | to_entries
      | map(select(.value.status == "pending"))
      | map(select(
          (.value.dependencies | length == 0) or
          (all(.value.dependencies[]; . as $dep | $dep | IN(.features[$dep].status | select(. == "completed"))))
        ))
      | first
      | .key`;
    const scene = orchestrated();
    expect(jq(written(scene), '-r', query)).toBe('002');
    scene.do('feature.claim', claiming('002', 'W2', 2));
    expect(jq(written(scene), '-r', query)).toBe('null');
  });

  test('sees whether all is complete', () => {
    const scene = orchestrated();
    const counts = () => [
      jq(written(scene), '.progress.completed'),
      jq(written(scene), '.progress.total_features'),
    ];
    expect(counts()).toEqual(['0', '2']);
    scene.do('feature.claim', claiming('002', 'W2', 2));
    for (const [feature, worker] of [
      ['001', 'W1'],
      ['002', 'W2'],
    ]) {
      scene.do('feature.complete', { feature, worker, skip_remaining: true });
    }
    expect(counts()).toEqual(['2', '2']);
  });

  test('claims, moves on and completes in the file, which can be read again', () => {
    const time = '2026-03-01T11:00:00+00:00';
    const claimed = jq(
      written(orchestrated()),
      ...['--arg', 'fid', '002', '--arg', 'wid', 'W2', '--arg', 'ts', time],
      `.features[$fid].status = "in_progress" |
       .features[$fid].worker_id = $wid |
       .features[$fid].started_at = $ts |
       .features[$fid].current_step = "specify" |
       .workers[$wid].status = "busy" |
       .workers[$wid].current_feature = $fid |
       .progress.in_progress += 1 |
       .progress.pending -= 1 |
       .updated_at = $ts`,
    );
    const stepped = jq(
      JSON.parse(claimed) as JsonObject,
      ...['--arg', 'fid', '002', '--arg', 'step', 'specify', '--arg', 'next', 'clarify', '--arg', 'ts', time],
      `.features[$fid].steps_completed += [$step] |
       .features[$fid].current_step = $next |
       .updated_at = $ts`,
    );
    const completed = jq(
      JSON.parse(stepped) as JsonObject,
      ...[
        '--arg',
        'fid',
        '001',
        '--arg',
        'wid',
        'W1',
        '--arg',
        'ts',
        time,
        '--arg',
        'summary',
        'Implemented X',
      ],
      `.features[$fid].status = "completed" |
       .features[$fid].completed_at = $ts |
       .features[$fid].current_step = null |
       .features[$fid].summary = $summary |
       .workers[$wid].status = "idle" |
       .workers[$wid].current_feature = null |
       .progress.completed += 1 |
       .progress.in_progress -= 1 |
       .updated_at = $ts`,
    );
    const { sessions, warnings } = importOrchestrator(JSON.parse(completed), context());
    expect(warnings).toEqual([]);
    expect(sessions[0]?.features).toMatchObject([
      { id: '001', status: 'completed', completed_by: 'W1', worker_id: null, summary: 'Implemented X' },
      {
        id: '002',
        status: 'in_progress',
        worker_id: 'W2',
        steps: [{ status: 'completed' }, { status: 'active' }, {}, {}, {}, {}],
      },
    ]);
  });
});
