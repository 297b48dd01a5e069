import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { canonicalJson } from '../../src/codec/canonical.ts';
import {
  artifactPath,
  checkpointPath,
  costPath,
  featurePath,
  fileNameOf,
  payloadPath,
  placeOf,
  presetPath,
  sessionPath,
  shardOf,
  workerPath,
} from '../../src/codec/paths.ts';
import { checkpointRef, encodeTagMessage, headRef, leaseRef, tagRef } from '../../src/codec/tag.ts';
import { changedFiles, parseFile } from '../../src/codec/tree.ts';
import { builtInPresets } from '../../src/core/presets.ts';
import { emptyState, putContents, type State } from '../../src/core/state.ts';
import type { Table } from '../../src/core/table.ts';
import { GitStateError } from '../../src/errors.ts';
import { id, json, jsonRecord } from '../support/arbitraries.ts';
import { claiming, filesOf, oid, Scene, stateOf } from '../support/scene.ts';

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof GitStateError) return error.code;
    throw error;
  }
  return 'accepted';
}

/** A state that has one of everything. */
function everything(): State {
  const scene = Scene.started({
    steps: ['plan', 'code'],
    auto_checkpoints: true,
    quality_min: { b: 1, a: 0.5 },
  });
  scene.do('feature.add', { feature: 'a.b', data: { z: 1, a: [{ y: null, x: 1 }] } });
  scene
    .do('feature.claim', claiming('a.b', 'W'))
    .do('step.done', { feature: 'a.b', step: 'plan', worker: 'W' });
  const entries = [
    {
      at: scene.feature('a.b').updated_at,
      amount: 0.3,
      tokens: null,
      step: null,
      operation: 'x',
      worker: null,
      key: null,
    },
  ];
  const { costs, artifacts } = scene.contents();
  const file = { path: 'a.b/plan/notes/plan 1.md', oid: oid('7') };
  return {
    ...putContents(scene.state, 's', {
      costs: costs.with('2026-03-01/a.b', { entries } as never),
      artifacts: artifacts.with(file.path, file),
    }),
    presets: scene.state.presets.with('mine', { ...builtInPresets()[0]!, name: 'mine' as never }),
  };
}

describe('files', () => {
  test('have their places', () => {
    expect([...filesOf(everything()).keys()]).toEqual([
      'README.md',
      'gitstate.json',
      'presets/mine.json',
      `sessions/s/artifacts/a.b/plan/notes/plan 1.md`,
      `sessions/s/checkpoints/${shardOf('a.b.plan_complete')}/a.b.plan_complete.json`,
      `sessions/s/costs/2026-03-01/${shardOf('a.b')}/a.b.json`,
      `sessions/s/features/${shardOf('A.B')}/a.b.json`,
      'sessions/s/session.json',
      'sessions/s/workers/W.json',
    ]);
  });

  test('give the state again', () => {
    const state = everything();
    const files = filesOf(state);
    const back = stateOf(files);
    expect(filesOf(back)).toEqual(files);
    expect([back.store, back.readme]).toEqual([state.store, state.readme]);
    expect(new Map(back.presets.entries())).toEqual(new Map(state.presets.entries()));
    expect(new Map(back.sessions.entries())).toEqual(new Map(state.sessions.entries()));
    const tables = state.contents.get('s')!;
    const entries = (table: Table<unknown>) => new Map(table.entries());
    for (const name of Object.keys(tables) as (keyof typeof tables)[]) {
      expect(entries(back.contents.get('s')![name])).toEqual(entries(tables[name]));
    }
  });

  test('look the same whatever the order in which keys were given', () => {
    const start = (quality_min: object, config: object) =>
      filesOf(Scene.started({ quality_min, config }).state);
    expect(start({ b: 1, a: 2 }, { y: 1, x: { d: 1, c: 2 } })).toEqual(
      start({ a: 2, b: 1 }, { x: { c: 2, d: 1 }, y: 1 }),
    );
  });

  test('only those that differ are listed, also those that are gone', () => {
    const scene = Scene.started().do('feature.add', { feature: 'a' }).do('feature.add', { feature: 'b' });
    const { state } = scene;
    scene.do('note.add', { message: 'm', level: 'info' });
    expect(changedFiles(state, scene.state)).toEqual([]);
    scene.do('feature.update', { feature: 'a', set: { name: 'n' } });
    expect([...filesOf(scene.state, state).keys()]).toEqual([featurePath('s', 'a')]);
    scene.do('feature.remove', { feature: 'b' });
    expect(filesOf(scene.state, state).get(featurePath('s', 'b'))).toBe('(gone)');
    expect(filesOf(emptyState, everything()).get('presets/mine.json')).toBe('(gone)');
  });

  test('hold any JSON of a user, to the limits of depth', () => {
    let deep: unknown = 1;
    for (let level = 0; level < 63; level += 1) deep = level % 2 ? [deep] : { k: deep };
    fc.assert(
      fc.property(jsonRecord, json, (data, value) => {
        const scene = Scene.started({ config: { value, deep } }).do('feature.add', {
          feature: 'a',
          data: { ...data, deep },
        });
        const checkpoint = { commit: null, step: null, next_step: null, heads: {} };
        scene.do('checkpoint.create', { name: 'v1', data: { k: deep }, ...checkpoint });
        const files = filesOf(scene.state);
        const back = stateOf(files);
        expect(filesOf(back)).toEqual(files);
        expect(back.contents.get('s')!.features.get('a')).toEqual(scene.feature('a'));
      }),
      { numRuns: 100 },
    );
  });

  test('of ids that differ by case alone never stand together', () => {
    fc.assert(
      fc.property(fc.uniqueArray(id, { maxLength: 20, selector: (name) => name.toLowerCase() }), (ids) => {
        const scene = Scene.started().do('plan.load', { features: ids.map((one) => ({ id: one })) });
        const paths = [...filesOf(scene.state).keys()].map((path) => path.toLowerCase());
        expect(new Set(paths).size).toBe(paths.length);
        for (const one of ids)
          expect(placeOf(featurePath('s', one))).toEqual({ kind: 'feature', session: 's', id: one });
      }),
      { numRuns: 100 },
    );
  });

  test('beyond 10 MiB are not written', () => {
    const scene = Scene.started().do('feature.add', {
      feature: 'a',
      steps: Array.from({ length: 11 }, (_, n) => `s${n}`),
    });
    const error = 'x'.repeat(1024 * 1024 - 100);
    const feature = scene.feature('a');
    const large = { ...feature, steps: feature.steps.map((step) => ({ ...step, error })) };
    const state = putContents(scene.state, 's', { features: scene.contents().features.with('a', large) });
    expect(codeOf(() => changedFiles(scene.state, state))).toBe('INVALID_INPUT');
  });
});

describe('reading a file', () => {
  const files = filesOf(everything());
  const featureFile = featurePath('s', 'a.b');
  const read = (path: string, text: string) => parseFile(placeOf(path)!, path, text);

  test.each([...files].filter(([, text]) => !text.startsWith('(blob')))('%s is strict', (path, text) => {
    expect(codeOf(() => read(path, text))).toBe('accepted');
    const document = JSON.parse(text);
    const wrong = [
      '',
      '{',
      'null',
      '[]',
      `${text}x`,
      JSON.stringify({ ...document, extra: 1 }),
      text.replace('{', '{"__proto__": {},'),
      JSON.stringify(Object.fromEntries(Object.entries(document).slice(1))),
    ];
    for (const one of wrong) expect([one, codeOf(() => read(path, one))]).toEqual([one, 'CORRUPT_STATE']);
  });

  test.each([
    ['an id of another file', { id: 'a.c' }],
    ['an id in other letters', { id: 'A.B' }],
    ['a status that there is not', { status: 'done' }],
    ['a claim without a worker', { worker_id: null }],
    ['a claim in a feature that waits', { status: 'pending' }],
    ['a time that is none', { updated_at: '2026-02-30T00:00:00Z' }],
    ['a number that is too large', { phase: 2 ** 60 }],
    ['text in place of a number', { retry_count: '1' }],
    ['a negative count', { claim_count: -1 }],
  ])('of a feature with %s is refused', (_, change) => {
    const text = JSON.stringify({ ...JSON.parse(files.get(featureFile)!), ...change });
    expect(codeOf(() => read(featureFile, text))).toBe('CORRUPT_STATE');
  });

  test('that stands elsewhere than where it belongs is refused', () => {
    const wrongShard = shardOf('a.b') === '00' ? '01' : '00';
    const moves: [string, string][] = [
      [featureFile, `sessions/s/features/${wrongShard}/a.b.json`],
      [
        checkpointPath('s', 'a.b.plan_complete'),
        `sessions/s/checkpoints/${wrongShard}/a.b.plan_complete.json`,
      ],
      [checkpointPath('s', 'a.b.plan_complete'), checkpointPath('s', 'other')],
      [costPath('s', '2026-03-01', 'a.b'), `sessions/s/costs/2026-03-01/${wrongShard}/a.b.json`],
      [costPath('s', '2026-03-01', 'a.b'), costPath('s', '2026-03-01', 'A.B')],
      [sessionPath('s'), sessionPath('t')],
      [workerPath('s', 'W'), workerPath('s', 'V')],
      [presetPath('mine'), presetPath('yours')],
    ];
    for (const [from, to] of moves)
      expect([to, codeOf(() => read(to, files.get(from)!))]).toEqual([to, 'CORRUPT_STATE']);
  });

  test('of a store that is newer says so', () => {
    const text = files.get('gitstate.json')!.replace('"schema": 1', '"schema": 2');
    expect(codeOf(() => read('gitstate.json', text))).toBe('SCHEMA_TOO_NEW');
  });

  test('that is nested or large without end is refused', () => {
    const deep = `{"id": ${'['.repeat(200_000)}${']'.repeat(200_000)}}`;
    expect(codeOf(() => read(featureFile, deep))).toBe('CORRUPT_STATE');
    expect(codeOf(() => read(featureFile, `"${'x'.repeat(10 * 1024 * 1024)}"`))).toBe('CORRUPT_STATE');
  });
});

describe('paths', () => {
  test.each([
    'x',
    'README.txt',
    'gitstate.json/x',
    'presets/x',
    'presets/a/b.json',
    'payload/a',
    'payload/a/b/1.json',
    'sessions',
    'sessions/s',
    'sessions/s/other.json',
    'sessions/s/session.json/x',
    'sessions/.git/session.json',
    'sessions/../session.json',
    'sessions/CON/session.json',
    'sessions/a b/features/00/x.json',
    'sessions/s/features/x.json',
    'sessions/s/features/00/x',
    'sessions/s/workers/00/x.json',
    'sessions/s/costs/2026-02-30/00/x.json',
    'sessions/s/costs/day/00/x.json',
    'sessions/s/costs/2026-02-03/00/x~0.json',
    'sessions/s/artifacts/a/plan',
    'sessions/s/artifacts/a/plan/../x',
    'sessions/s/artifacts/a/plan/.git',
    'sessions/s/artifacts/a/plan/-rf',
    `sessions/s/artifacts/a/plan/${'x'.repeat(256)}`,
    'sessions/s/artifacts/a/CON/x',
    'sessions/s/artifacts/a/plan/a\\b',
    'sessions/s/artifacts/a/plan/a\nb',
  ])('nothing of ours stands at %j', (path) => {
    expect(placeOf(path)).toBeNull();
  });

  test.each([
    [payloadPath('op1', 0), { kind: 'payload' }],
    [costPath('s', '2026-02-03', 'a~2'), { kind: 'cost', session: 's', day: '2026-02-03', id: 'a~2' }],
    [artifactPath('s', 'a/plan/x y/1.wav'), { kind: 'artifact', session: 's', path: 'a/plan/x y/1.wav' }],
    [workerPath('s', 'W'), { kind: 'worker', session: 's', id: 'W' }],
  ])('%s', (path, place) => {
    expect(placeOf(path)).toEqual(place);
  });

  test('a part of the costs of a feature stands beside the first', () => {
    expect(costPath('s', '2026-02-03', 'a~2').split('/').slice(0, -1)).toEqual(
      costPath('s', '2026-02-03', 'a').split('/').slice(0, -1),
    );
  });

  test('long names of checkpoints are cut, and stay apart', () => {
    const [one, other] = [`${'x'.repeat(250)}1`, `${'x'.repeat(250)}2`];
    expect(fileNameOf('x'.repeat(200))).toBe('x'.repeat(200));
    expect(fileNameOf(one)).toMatch(/^x{150}~[0-9a-f]{16}$/);
    expect(fileNameOf(one)).not.toBe(fileNameOf(other));
    for (const ref of [tagRef('gitstate/', 's', one), checkpointRef('s', one), headRef('s', one, 'f')])
      expect(ref.length).toBeLessThan(255);
    expect(leaseRef('s', 'f')).toBe('refs/gitstate/leases/s/f');
  });

  test('the text of a tag follows from the checkpoint', () => {
    const checkpoint = Scene.started({ auto_checkpoints: true, steps: ['plan', 'code'] }).do('feature.add', {
      feature: 'a',
    });
    checkpoint.do('step.done', { feature: 'a', step: 'plan' });
    expect(encodeTagMessage('s', checkpoint.checkpoint('a.plan_complete'))).toBe(`checkpoint a.plan_complete

gitstate-session: s
gitstate-checkpoint: a.plan_complete
gitstate-feature: a
gitstate-step: plan
gitstate-next-step: code
gitstate-schema: 1
`);
  });
});

describe('canonical JSON', () => {
  test('is what JSON.stringify writes, but for keys of digits', () => {
    const values = [null, 1, 'x', [], {}, [[]], [{}], { a: [], b: {} }, { a: [1, { b: 'x\n"9": 1' }] }];
    for (const value of values) expect(canonicalJson(value)).toBe(`${JSON.stringify(value, null, 2)}\n`);
  });

  test('keys of digits stand in code point order like all others', () => {
    expect(canonicalJson({ z: { 9: 1, 10: [{ 2: [], 1: {} }], a: 'b' }, b: 1 })).toBe(`{
  "z": {
    "10": [
      {
        "1": {},
        "2": []
      }
    ],
    "9": 1,
    "a": "b"
  },
  "b": 1
}
`);
  });

  test('reads back to what it was', () => {
    fc.assert(
      fc.property(json, (value) => {
        expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
      { numRuns: 300 },
    );
  });
});
