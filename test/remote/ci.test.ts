import { chmodSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Ajv } from 'ajv';
import { beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { commandTable } from '../../src/cli/commands/table.ts';
import { bundle } from '../support/bundle.ts';
import { type Ended, execute, makeWorkplace, type Workplace, withCommand } from '../support/cli.ts';
import { temporaryDirectory, userEnvironment } from '../support/repo.ts';
import { addBareRepository } from '../support/servers/path.ts';

/** The templates for CI systems are what those systems accept, and their shell runs. */

const examples = fileURLToPath(new URL('../../examples/ci/', import.meta.url));
const textOf = (file: string) => readFileSync(join(examples, file), 'utf8');

type Feature = Record<string, unknown>;

interface Step {
  name?: string;
  run?: string;
  env?: Record<string, string>;
}
const action = parse(textOf('github/action.yml')) as { runs: { steps: Step[] } };
const workflow = parse(textOf('github/workflow.yml')) as {
  on: { push: object };
  jobs: Record<string, { steps: Step[] }>;
};
const gitlab = parse(textOf('gitlab/gitstate.gitlab-ci.yml')) as Record<string, Record<string, string[]>> & {
  workflow: { rules: { if?: string; when: string }[] };
};

const githubSteps = [action.runs, ...Object.values(workflow.jobs)].flatMap(({ steps }) => steps);
const gitlabScripts = ['before_script', 'script', 'after_script'].flatMap((part) =>
  ['.gitstate', '.gitstate-summary'].flatMap((job) => gitlab[job]![part] ?? []),
);
const scripts = [...githubSteps.flatMap(({ run }) => run ?? []), ...gitlabScripts];

describe('what GitHub accepts', () => {
  let parser: typeof import('../support/workflow-parser.ts');
  beforeAll(async () => {
    parser = (await import(await bundle('workflow-parser'))) as typeof parser;
  });
  const errorsOf = (kind: 'parseAction' | 'parseWorkflow', content: string) => {
    const { context } = parser[kind]({ name: 'file.yml', content }, new parser.NoOperationTraceWriter());
    return context.errors.getErrors().map(({ message }) => message);
  };

  test('the action', () => {
    const text = textOf('github/action.yml');
    expect(errorsOf('parseAction', text)).toEqual([]);
    expect(errorsOf('parseAction', text.replace('using: composite', 'using: composit'))).not.toEqual([]);
    expect(errorsOf('parseAction', text.replace('inputs.version }}', 'inputs.version( }}'))).not.toEqual([]);
  });

  test('the workflow', () => {
    const text = textOf('github/workflow.yml');
    expect(errorsOf('parseWorkflow', text)).toEqual([]);
    expect(errorsOf('parseWorkflow', text.replace('branches-ignore', 'branch-ignore'))).not.toEqual([]);
  });

  test('no value from outside is pasted into shell', () => {
    expect(githubSteps.filter(({ run }) => run?.includes('${{'))).toEqual([]);
  });
});

const schemaFile = fileURLToPath(
  new URL('../../node_modules/.cache/gitlab-ci-local@4.61.1/src/schema/index.js', import.meta.url),
);
const schemaMissing = existsSync(schemaFile) ? '' : ' (skipped: run `bash .ci/gitlab-schema`)';

test.skipIf(schemaMissing !== '')(`what GitLab accepts: the template${schemaMissing}`, async () => {
  const { default: schema } = (await import(/* @vite-ignore */ schemaFile)) as { default: object };
  const validate = new Ajv({ strict: false, validateFormats: false }).compile(schema);
  // Of jobs whose names begin with a dot nothing is checked.
  const { '.gitstate': work, '.gitstate-summary': summary, ...rest } = gitlab;
  const shown = { ...rest, work, summary };
  expect(validate(shown), JSON.stringify(validate.errors)).toBe(true);
  expect(validate({ ...shown, work: { ...work, script: 3 } })).toBe(false);
  expect(validate({ ...shown, workflow: { rules: [{ when: 'ever' }] } })).toBe(false);
});

describe('pushes of the state start nothing', () => {
  test('at GitHub', () => {
    expect(workflow.on.push).toEqual({ 'branches-ignore': ['gitstate'], 'tags-ignore': ['gitstate/**'] });
  });

  test('at GitLab', () => {
    const [branch, tag, rest] = gitlab.workflow.rules;
    expect(branch).toEqual({ if: '$CI_COMMIT_BRANCH == "gitstate"', when: 'never' });
    expect(tag).toEqual({ if: String.raw`$CI_COMMIT_TAG =~ /^gitstate\//`, when: 'never' });
    expect(rest).toEqual({ when: 'always' });
  });
});

describe('the shell of the templates', () => {
  test('is shell', async () => {
    for (const script of scripts) {
      expect(await execute('bash', ['-n', '-c', script])).toMatchObject({ status: 0, stderr: '' });
    }
  });

  test('calls commands that exist', () => {
    const known = new Set([...[...commandTable.keys()].map((name) => name.split(' ')[0]), 'resume']);
    const called = scripts.flatMap((script) =>
      [...script.matchAll(/git state (\w+)/g)].map(([, name]) => name!),
    );
    expect(called.length).toBeGreaterThan(8);
    expect(called.filter((name) => !known.has(name))).toEqual([]);
  });
});

/** A repository whose origin has the store too, and one feature that is ready. */
async function makeProject(): Promise<Workplace> {
  const place = await makeWorkplace({ session: false });
  const bare = addBareRepository(temporaryDirectory());
  place.repository.git('remote', 'add', 'origin', bare.path);
  await place.ok('init');
  await place.ok('session start S --steps plan,build');
  await place.ok('add 001');
  place.repository.git('push', '-q', 'origin', 'main', 'gitstate');
  return place;
}

/** Runs shell as a CI system does. The user's settings are those of a runner: no name, no hooks. */
function runShell(place: Workplace, shell: string[], script: string, env: Record<string, string>) {
  const { PATH: _path, ...user } = userEnvironment;
  return execute(
    shell[0]!,
    [...shell.slice(1), script],
    withCommand({ cwd: place.repository.path, env: { ...user, GITSTATE_WORKER: 'W1', ...env } }),
  );
}

describe('a job at GitHub', () => {
  const shell = ['bash', '--noprofile', '--norc', '-eo', 'pipefail', '-c'];
  const stepOf = (name: string) => githubSteps.find((step) => step.name === name)!.run!;

  /** Runs a step, and adds to `env` what it exports. */
  async function runStep(place: Workplace, name: string, env: Record<string, string>): Promise<Ended> {
    const folder = temporaryDirectory();
    const files = { GITHUB_ENV: join(folder, 'env'), GITHUB_OUTPUT: join(folder, 'output') };
    const ended = await runShell(place, shell, stepOf(name), { ...env, ...files });
    for (const file of Object.values(files).filter(existsSync)) {
      for (const line of readFileSync(file, 'utf8').trim().split('\n')) {
        const [key, value] = line.split(/=(.*)/s);
        env[file === files.GITHUB_ENV ? key! : `output_${key}`] = value!;
      }
    }
    return ended;
  }

  const inputs = { REMOTE: 'origin', SESSION: 'S', WORKER: 'W1', LEASE: '1h', FEATURE: '', SLOT: '1' };
  const run = { GITHUB_RUN_ID: '7', GITHUB_SERVER_URL: 'https://git.example', GITHUB_REPOSITORY: 'a/b' };

  /** A job that has claimed the only feature. */
  async function claimed() {
    const place = await makeProject();
    const env: Record<string, string> = { ...inputs, ...run };
    expect(await runStep(place, 'Configure', env)).toMatchObject({ status: 0, stderr: '' });
    const { status, stdout, stderr } = await runStep(place, 'Claim', env);
    expect({ status, stdout, stderr }).toEqual({
      ...{ status: 0, stderr: '' },
      stdout: `::add-mask::${env.GITSTATE_TOKEN}\n`,
    });
    expect(env).toMatchObject({ GITSTATE_SESSION: 'S', output_feature: '001', output_step: 'plan' });
    return { place, env };
  }
  const featureOf = (place: Workplace) => place.json<Feature>('show 001');

  test('claims, works through the steps, completes, tells, and finds nothing more', async () => {
    const { place, env } = await claimed();
    place.repository.write('ci/step', '#!/bin/sh\necho "$1 $2" >> worked\n');
    chmodSync(join(place.repository.path, 'ci/step'), 0o755);
    expect(await runStep(place, 'Work', { ...env, STEP: env.output_step! })).toMatchObject({ status: 0 });
    expect(readFileSync(join(place.repository.path, 'worked'), 'utf8')).toBe('001 plan\n001 build\n');
    expect(await runStep(place, 'Complete', env)).toMatchObject({ status: 0 });
    expect(await featureOf(place)).toMatchObject({ status: 'completed', summary: 'run 7' });
    const tip = place.repository.git('rev-parse', 'gitstate');
    expect(place.repository.git('ls-remote', 'origin', 'refs/heads/gitstate')).toContain(tip);
    expect(await runStep(place, 'Claim', env)).toMatchObject({ status: 0 });
    expect(env.output_feature).toBe('');
    expect(await runStep(place, 'Fetch the state', env)).toMatchObject({ status: 0 });
    const GITHUB_STEP_SUMMARY = join(temporaryDirectory(), 'summary');
    expect(await runStep(place, 'Summary', { ...env, GITHUB_STEP_SUMMARY })).toMatchObject({ status: 0 });
    expect(readFileSync(GITHUB_STEP_SUMMARY, 'utf8')).toContain('| 001 |');
  });

  test('fails, or is cancelled and leaves a checkpoint', async () => {
    const { place, env } = await claimed();
    expect(await runStep(place, 'Fail', env)).toMatchObject({ status: 0 });
    expect(await featureOf(place)).toMatchObject({ retry_count: 1 });
    expect(await runStep(place, 'Claim', env)).toMatchObject({ status: 0 });
    expect(await runStep(place, 'Release', env)).toMatchObject({ status: 0 });
    expect(await featureOf(place)).toMatchObject({ status: 'pending', claim: null });
    expect(await place.json('checkpoint show run-7-1')).toMatchObject({ feature: '001', next_step: 'plan' });
    // The next run goes on from there.
    const again: Record<string, string> = { ...inputs, ...run, CHECKPOINT: 'run-7-1' };
    expect(await runStep(place, 'Configure', again)).toMatchObject({ status: 0 });
    expect(await runStep(place, 'Resume', again)).toMatchObject({ status: 0, stderr: '' });
    expect(await runStep(place, 'Claim', { ...again, FEATURE: again.output_feature! })).toMatchObject({
      status: 0,
    });
    expect(await featureOf(place)).toMatchObject({ status: 'in_progress', current_step: 'plan' });
  });

  test('fails where the claim fails for another reason than that nothing is ready', async () => {
    const { place, env } = await claimed();
    expect(await runStep(place, 'Claim', { ...env, FEATURE: 'none' })).toMatchObject({ status: 3 });
  });
});

describe('a job at GitLab', () => {
  const { before_script: before, after_script: after } = gitlab['.gitstate']!;
  const variables = {
    GITSTATE_LEASE: '1h',
    GITSTATE_CHECKPOINT: '',
    CI_JOB_ID: '7',
    CI_JOB_URL: 'https://a',
  };

  /** Both scripts run in one shell, and what follows them in another, as a runner does. */
  async function runJob(
    place: Workplace,
    script: string,
    CI_JOB_STATUS: string,
    more: Record<string, string> = {},
  ): Promise<Ended> {
    const env = { ...variables, CI_JOB_STATUS, ...more };
    const ended = await runShell(
      place,
      ['bash', '-eo', 'pipefail', '-c'],
      [...before!, script].join('\n'),
      env,
    );
    expect(await runShell(place, ['bash', '-c'], after!.join('\n'), env)).toMatchObject({
      status: 0,
      stderr: '',
    });
    return ended;
  }

  test.each([
    ['success', 'completed'],
    ['failed', 'pending'],
    ['canceled', 'pending'],
  ])('that ends as %s leaves its feature %s', async (status, expected) => {
    const place = await makeProject();
    const job = await runJob(place, 'echo "works on $GITSTATE_FEATURE at $GITSTATE_STEP"', status);
    expect(job).toMatchObject({ status: 0, stdout: expect.stringContaining('works on 001 at plan\n') });
    expect(await place.json('show 001')).toMatchObject({
      ...{ status: expected, claim: null },
      retry_count: status === 'failed' ? 1 : 0,
    });
  });

  test('goes on with the feature of a checkpoint, at its first unfinished step', async () => {
    const place = await makeProject();
    await place.ok('add 000');
    for (const line of [
      'claim 001 --worker W9',
      'step done 001 plan --worker W9',
      'checkpoint create half --feature 001',
      'release 001 --worker W9',
    ])
      await place.ok(`${line} --remote origin`);
    const script = 'echo "works on $GITSTATE_FEATURE at $GITSTATE_STEP"';
    const { stdout, stderr } = await runJob(place, script, 'success', { GITSTATE_CHECKPOINT: 'half' });
    expect(stdout, stderr).toContain('works on 001 at build\n');
    expect(await place.json('show 001')).toMatchObject({ status: 'completed' });
  });

  test('ends well where nothing is ready, without its script', async () => {
    const place = await makeProject();
    await place.ok('claim --worker W2 --remote origin');
    const { status, stdout } = await runJob(place, 'echo worked', 'success');
    expect({ status, stdout }).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/nothing is ready\n$/),
    });
  });
});
