import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { execute, makeWorkplace } from '../support/cli.ts';

const folder = fileURLToPath(new URL('../../examples/presets/', import.meta.url));

describe('a preset in a file', () => {
  const file = [
    'name: episode',
    'steps: [research, audio]',
    'budgets: {steps: {research: 2}, day: 9}',
    'max_retries: 1',
    'lease: 30m',
    'auto_checkpoints: true',
    'quality_min: {accuracy: 8, depth: 7}',
    'session_id: production',
  ].join('\n');

  it('gives a session all of its rules, and its name', async () => {
    const { repository, json } = await makeWorkplace();
    repository.write('episode.yaml', file);
    expect(await json('session start --preset episode.yaml')).toMatchObject({
      id: 'production',
      preset: 'episode',
      steps: ['research', 'audio'],
      budgets: { steps: { research: 2 }, feature: null, day: 9 },
      max_retries: 1,
      default_lease: '30m',
      auto_checkpoints: true,
      quality_min: { accuracy: 8, depth: 7 },
    });
    expect(await json('preset list')).toMatchObject({ presets: { length: 4 } });
  });

  it('gives way to options', async () => {
    const { repository, json } = await makeWorkplace();
    repository.write('episode.yaml', file);
    const options = '--steps a,b --quality-min depth=none --quality-min style=6.5 --no-auto-checkpoints';
    expect(await json(`session start T --preset episode.yaml ${options} --lease 5m`)).toMatchObject({
      id: 'T',
      preset: 'episode',
      steps: ['a', 'b'],
      quality_min: { accuracy: 8, style: 6.5 },
      auto_checkpoints: false,
      default_lease: '5m',
    });
  });

  it('is checked', async () => {
    const { repository, error, json } = await makeWorkplace();
    repository.write('bad.json', '{"name": "x", "max_retries": "many"}');
    expect(await error('session start T --preset bad.json')).toMatchObject({
      code: 'INVALID_INPUT',
      details: { path: ['rules', 'max_retries'] },
    });
    repository.write('taken.json', '{"name": "Production"}');
    expect((await error('session start T --preset taken.json')).code).toBe('ALREADY_EXISTS');
    repository.write('bare.json', '{"steps": ["a"]}');
    expect(await json('session start T --preset bare.json')).toMatchObject({ preset: null, steps: ['a'] });
  });
});

it('least scores hold a completion back', async () => {
  const { ok, error } = await makeWorkplace({ session: false });
  await ok('init');
  await ok('session start S --quality-min accuracy=9');
  expect(await error('session start T --quality-min accuracy')).toMatchObject({ status: 2 });
  await ok('add 001');
  await ok('claim 001 --worker W1');
  expect((await error('complete 001 --worker W1')).status).toBe(4);
  await ok('quality 001 accuracy=9.5');
  await ok('complete 001 --worker W1');
});

describe('session directories', () => {
  it('are written as production has them', async () => {
    const { repository, ok, json, error } = await makeWorkplace({ session: false });
    await ok('init --preset production');
    await ok('session start P');
    await ok('add ep_001');
    await ok('add ep_002');
    await ok('claim ep_001 --worker W1');
    const sound = 'RIFF\r\n'.repeat(20_000);
    mkdirSync(join(repository.path, 'audio_chunks'));
    repository.write('audio_chunks/01.wav', sound);
    await ok('artifact put audio audio_chunks --feature ep_001 --worker W1');
    await ok('step done ep_001 research --worker W1');
    const read = (path: string) => readFileSync(join(repository.path, 'out', path), 'utf8');
    expect((await ok('export --format production --dir out')).split('\n').sort()).toEqual([
      'ep_001/audio/audio_chunks/01.wav',
      'ep_001/research/checkpoint.json',
      'ep_001/session.json',
      'ep_002/session.json',
    ]);
    expect(read('ep_001/audio/audio_chunks/01.wav')).toBe(sound);
    expect(JSON.parse(read('ep_001/session.json'))).toMatchObject({ session_id: 'ep_001' });
    expect(JSON.parse(read('ep_001/research/checkpoint.json'))).toMatchObject({
      phase: 'research',
      next_phase: 'script',
      can_resume: true,
    });
    expect(await json('export --format production --dir out --feature ep_002')).toMatchObject({
      dir: 'out',
      files: ['ep_002/session.json'],
    });
    expect((await error('export --format csv --dir out')).code).toBe('USAGE');
    expect((await error('export --format production --dir out --output x')).code).toBe('USAGE');
    expect((await error('export --format production --dir out --feature ep_009')).status).toBe(3);
    repository.write('file', '');
    expect((await error('export --format production --dir file')).code).toBe('INVALID_INPUT');
  });
});

describe('the demos', () => {
  it.each(['parallel-dev', 'orchestrator', 'production'])('%s', async (name) => {
    const { status, stderr, stdout } = await execute('sh', [`${folder}${name}.sh`]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(/\nok: .*\n$/);
  });
});
