import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { orchestratorExample, parallelDevExample, productionExample } from '../formats/seeds.ts';
import { commandFile, gitState, makeWorkplace, start } from '../support/cli.ts';

const documents = [
  ['parallel-dev', parallelDevExample, '2024-06-17-001'],
  ['orchestrator', orchestratorExample, 'speckit-orch-20251226-143022'],
  ['production', productionExample, 'production'],
] as const;

/** What adds up by itself may be said otherwise than the example says it. */
function withoutDerived(value: unknown): unknown {
  const derived = new Set(['metrics', 'progress', 'logs', 'status', 'last_updated', 'updated_at']);
  return JSON.parse(JSON.stringify(value, (key, inner) => (derived.has(key) ? undefined : inner)));
}

describe('documents', () => {
  it.each(documents)('%s comes in and goes out again', async (format, example, id) => {
    const { repository, json, ok, error } = await makeWorkplace();
    repository.write('state.json', JSON.stringify(example));
    const dry = await json(`import --format ${format} state.json --dry-run`);
    expect(dry).toMatchObject({ session: id, commit: null });
    expect(await json(`import --format ${format} state.json`)).toMatchObject({ session: id, changed: true });
    expect((await error(`import --format ${format} state.json`)).code).toBe('ALREADY_EXISTS');
    const text = await ok(`export --format ${format} --session ${id}`);
    expect(withoutDerived(JSON.parse(text))).toEqual(withoutDerived(example));
    expect(text.split('\n')[1]).toMatch(/^ {2}"version"/);
    expect(readFileSync(join(repository.path, 'state.json'), 'utf8')).toBe(JSON.stringify(example));
  });

  it('a damaged one is set aside and refused', async () => {
    const { repository, error } = await makeWorkplace();
    repository.write('state.json', '{"version": "1.0.0", "features": {');
    expect(await error('import --format orchestrator state.json')).toMatchObject({
      status: 2,
      code: 'INVALID_INPUT',
    });
    const [backup] = readdirSync(repository.path).filter((name) => name.startsWith('state.json.damaged-'));
    expect(readFileSync(join(repository.path, backup!), 'utf8')).toContain('"features"');
    expect((await error('import --format nope state.json')).status).toBe(2);
    expect((await error('import state.json')).code).toBe('USAGE');
  });

  it('a file is kept current', async () => {
    const { repository, ok } = await makeWorkplace();
    await ok('add 001 --name one');
    const file = join(repository.path, 'out/state.json');
    const child = start(
      process.execPath,
      [commandFile, 'export', '--format', 'orchestrator', '--output', file, '--follow'],
      {
        cwd: repository.path,
      },
    );
    const features = () => {
      try {
        return Object.keys((JSON.parse(readFileSync(file, 'utf8')) as { features: object }).features);
      } catch {
        return [];
      }
    };
    await expect.poll(features, { timeout: 10_000 }).toEqual(['001']);
    await ok('add 002');
    await expect.poll(features, { timeout: 10_000 }).toEqual(['001', '002']);
    child.kill('SIGINT');
    expect(await new Promise((resolve) => child.on('close', resolve))).toBe(130);
  });

  it('other forms are for reading', async () => {
    const { ok } = await makeWorkplace();
    await ok('add 001 --name one');
    await ok('add 002 --needs 001');
    expect(await ok('export --format csv')).toContain('001,');
    expect(await ok('export --format mermaid')).toContain('flowchart');
    expect(await ok('export --format markdown')).toContain('| 001 |');
    expect(JSON.parse(await ok('export --format json'))).toHaveProperty('features');
  });
});

describe('doctor', () => {
  it('says what is not as it should be', async () => {
    const { repository, json, human, run } = await makeWorkplace();
    expect((await json<{ checks: { ok: boolean }[] }>('doctor')).checks.every(({ ok }) => ok)).toBe(true);
    expect(await human('doctor')).toContain('nobody writes');
    writeFileSync(join(repository.path, '.git/refs/heads/gitstate.lock'), '');
    const { status, stdout } = await run('doctor');
    expect(status).toBe(4);
    expect(stdout).toMatch(/^git locks\tattention/m);
    expect((await gitState(['doctor'], { cwd: '/' })).status).toBe(3);
  });
});
