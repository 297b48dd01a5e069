import { describe, expect, it } from 'vitest';
import { commandTable, groupTitles } from '../../src/cli/commands/table.ts';
import { globalOptions } from '../../src/cli/global-options.ts';
import { execute, gitState, withCommand } from '../support/cli.ts';
import { temporaryDirectory } from '../support/repo.ts';

const outside = { cwd: temporaryDirectory() };

describe('help', () => {
  it.each([['-h'], ['--help'], ['help']])(
    '%s lists every command by group, outside of any repository',
    async (word) => {
      const { status, stdout, stderr } = await gitState([word], outside);
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      for (const [name, { summary }] of commandTable)
        expect(stdout).toContain(`\n  ${name.padEnd(17)}  ${summary}`);
      for (const title of Object.values(groupTitles)) expect(stdout).toContain(`\n${title}\n`);
      for (const { flags } of globalOptions) expect(stdout).toContain(`  ${flags}`);
      expect(stdout).toContain('`git state --help` is caught by Git itself');
    },
  );

  it('without a command stands on standard error, with exit status 2', async () => {
    const { status, stdout, stderr } = await gitState([], outside);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toContain('usage: git state COMMAND');
  });

  it('works through Git', async () => {
    const [first, second, third] = await Promise.all([
      execute('git', ['state', '-h'], withCommand(outside)),
      execute('git', ['state', 'help', 'claim'], withCommand(outside)),
      execute('git', ['state', 'claim', '-h'], withCommand(outside)),
    ]);
    expect(first.stdout).toContain('usage: git state COMMAND');
    expect(second.stdout).toContain('usage: git state claim [ID] [options]');
    expect(third.stdout).toBe(second.stdout);
  });

  it('of every command has a description, its options and an example of it', async () => {
    for (const chunk of chunks([...commandTable], 4)) {
      await Promise.all(
        chunk.map(async ([name, entry]) => {
          const spec = await entry.load();
          const { status, stdout, stderr } = await gitState([...name.split(' '), '-h'], outside);
          expect({ name, status, stderr }).toEqual({ name, status: 0, stderr: '' });
          const [usage, description, ...parts] = stdout.trimEnd().split('\n\n');
          expect(usage).toContain(`usage: git state ${name}`);
          expect(description!.length, name).toBeGreaterThan(10);
          expect(description, name).not.toMatch(/^Options|^Examples/);
          for (const { flags } of spec.options ?? []) expect(stdout, name).toContain(`  ${flags}`);
          const examples = parts.find((part) => part.startsWith('Examples\n'))!;
          expect(examples, name).toContain(`git state ${name}`);
          expect(Math.max(...stdout.split('\n').map((line) => line.length)), name).toBeLessThanOrEqual(110);
        }),
      );
    }
  });

  it('of a word that begins several commands lists them', async () => {
    const answers = await Promise.all([
      gitState(['step', '-h'], outside),
      gitState(['help', 'step'], outside),
      gitState(['help', '--json', 'step'], outside),
    ]);
    expect(answers[0]!.stdout).toContain('step done   finish a step, start the next');
    expect(answers[1]!.stdout).toBe(answers[0]!.stdout);
    expect(JSON.parse(answers[2]!.stdout)).toEqual({ schema_version: 1, help: answers[0]!.stdout.trimEnd() });
  });

  it('of what is no command says what may be meant', async () => {
    const { status, stderr } = await gitState(['help', 'chekpoint', 'list'], outside);
    expect(status).toBe(2);
    expect(stderr).toBe(
      "error: no command 'chekpoint list'; did you mean checkpoint list (USAGE)\nhint: see `git state help checkpoint list`\n",
    );
  });

  it('names only commands that exist in its examples', async () => {
    for (const [name, { load }] of commandTable) {
      for (const example of (await load()).examples) {
        for (const [, words] of example.matchAll(/git state ([a-z]+( [a-z]+)?)/g)) {
          const [first] = words!.split(' ');
          expect(commandTable.has(words!) || commandTable.has(first!), `${name}: ${example}`).toBe(true);
        }
      }
    }
  });
});

describe('--version', () => {
  it('prints the version of the package without a repository and without Git', async () => {
    const { version } = (await import('../../package.json', { with: { type: 'json' } })).default;
    const options = { ...outside, env: { PATH: '/nonexistent' } };
    const [plain, json] = await Promise.all([
      gitState(['--version'], options),
      gitState(['--json', '--version'], options),
    ]);
    expect(plain).toEqual({ status: 0, stdout: `git-state ${version}\n`, stderr: '' });
    expect(JSON.parse(json.stdout)).toEqual({ schema_version: 1, version });
  });
});

function chunks<T>(all: T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(all.length / size) }, (_, index) =>
    all.slice(index * size, (index + 1) * size),
  );
}
