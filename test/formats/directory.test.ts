import { describe, expect, test } from 'vitest';
import { keyOf } from '../../src/core/ids.ts';
import { putContents, type State } from '../../src/core/state.ts';
import { Table } from '../../src/core/table.ts';
import { type DirectoryFile, productionDirectory } from '../../src/formats/directory.ts';
import { newestCheckpoint } from '../../src/formats/production-checkpoint.ts';
import { productionEpisode } from '../../src/formats/production-episode.ts';
import { oid, Scene } from '../support/scene.ts';
import { refusalOf } from './support.ts';

const id = 'ep_001_20250903_143022';

function produced(): Scene {
  const scene = Scene.started({
    preset: 'production',
    steps: ['research', 'script', 'audio'],
    auto_checkpoints: true,
  });
  scene.do('feature.add', { feature: id });
  scene.do('feature.add', { feature: 'ep_002_20250903_150530' });
  return scene.do('step.done', { feature: id, step: 'research' });
}

function withArtifacts(state: State, ...paths: string[]): State {
  const entries = paths.map((path, index) => [keyOf(path), { path, oid: oid(index) }] as const);
  return putContents(state, 's', { artifacts: Table.of(entries) });
}

const paths = (files: DirectoryFile[]) => files.map(({ path }) => path).sort();

function json(files: DirectoryFile[], path: string): unknown {
  const file = files.find((one) => one.path === path);
  return file && 'text' in file ? JSON.parse(file.text) : file;
}

test('the documented layout', () => {
  const scene = produced();
  const state = withArtifacts(
    scene.state,
    `${id}/research/research_findings.json`,
    `${id}/audio/audio_chunks/01.wav`,
    `${id}/audio/audio_chunks/02 take.wav`,
  );
  const files = productionDirectory({ state, session: 's' });
  expect(paths(files)).toEqual([
    `${id}/audio/audio_chunks/01.wav`,
    `${id}/audio/audio_chunks/02 take.wav`,
    `${id}/research/checkpoint.json`,
    `${id}/research/research_findings.json`,
    `${id}/session.json`,
    'ep_002_20250903_150530/session.json',
  ]);
  expect(json(files, `${id}/audio/audio_chunks/01.wav`)).toEqual({
    path: `${id}/audio/audio_chunks/01.wav`,
    oid: oid(1),
  });
  expect(json(files, `${id}/session.json`)).toEqual(productionEpisode(scene.contents(), scene.feature(id)));
  expect(json(files, `${id}/research/checkpoint.json`)).toEqual({
    phase: 'research',
    timestamp: '2026-03-01T10:05:00Z',
    data: null,
    next_phase: 'script',
    can_resume: true,
  });
  const text = files.find(({ path }) => path.endsWith('session.json'));
  expect(text).toMatchObject({ text: expect.stringMatching(/^\{\n {2}"[\s\S]*\n\}\n$/) });
});

test('one episode alone', () => {
  const { state } = produced();
  expect(paths(productionDirectory({ state, session: 's', feature: 'ep_002_20250903_150530' }))).toEqual([
    'ep_002_20250903_150530/session.json',
  ]);
});

const saved = { commit: null, feature: id, step: 'research', next_step: 'script', heads: {} };

describe('checkpoints', () => {
  test('the newest of a phase counts', () => {
    const scene = produced();
    scene.do('checkpoint.create', { ...saved, name: `${id}.research`, data: { words: 4215 } });
    expect(newestCheckpoint(scene.contents(), id, 'research')?.name).toBe(`${id}.research`);
    expect(newestCheckpoint(scene.contents(), id, 'script')).toBeUndefined();
    const files = productionDirectory({ state: scene.state, session: 's' });
    expect(json(files, `${id}/research/checkpoint.json`)).toMatchObject({ data: { words: 4215 } });
  });

  test('there is nothing to resume once all is done, or the code is gone', () => {
    const scene = produced();
    const canResume = (headsFound: boolean) => {
      const files = productionDirectory({ state: scene.state, session: 's', headsFound: () => headsFound });
      return (json(files, `${id}/research/checkpoint.json`) as { can_resume: boolean }).can_resume;
    };
    expect([canResume(true), canResume(false)]).toEqual([true, false]);
    scene.do('feature.complete', { feature: id, skip_remaining: true });
    expect(canResume(true)).toBe(false);
  });

  test('a kept file is better than one without data', () => {
    const scene = produced();
    const path = `${id}/research/checkpoint.json`;
    const kept = productionDirectory({ state: withArtifacts(scene.state, path), session: 's' });
    expect(json(kept, path)).toEqual({ path, oid: oid(0) });
    scene.do('checkpoint.create', { ...saved, name: 'newer', data: {} });
    const made = productionDirectory({ state: withArtifacts(scene.state, path), session: 's' });
    expect(json(made, path)).toMatchObject({ data: {} });
    expect(paths(made).filter((one) => one === path)).toHaveLength(1);
  });
});

test('two files at one path are refused', () => {
  const scene = Scene.started({ steps: ['session.json'] });
  scene.do('feature.add', { feature: 'e' });
  const state = withArtifacts(scene.state, 'e/session.json/notes.md');
  expect(refusalOf(() => productionDirectory({ state, session: 's' }))).toMatchObject({
    code: 'INVALID_INPUT',
    path: 'e/session.json/notes.md',
  });
  expect(refusalOf(() => productionDirectory({ state, session: 'nope' })).code).toBe('SESSION_NOT_FOUND');
});
