import { beforeAll, describe, expect, it } from 'vitest';
import { commandTable } from '../../src/cli/commands/table.ts';
import { execute, makeWorkplace, type Workplace, withCommand } from '../support/cli.ts';

let place: Workplace;
beforeAll(async () => {
  place = await makeWorkplace();
  await place.ok('add 001');
});

/** What bash offers for the words typed so far; the last one is being typed. */
async function offered(words: string, script: string, name = '__git_state_alone'): Promise<string[]> {
  const line = `${script}
COMP_WORDS=(${words}); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); ${name}; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = await execute('bash', ['-c', line], withCommand({ cwd: place.repository.path }));
  expect(stderr).toBe('');
  return stdout.trimEnd().split('\n');
}

describe('completion', () => {
  it('of bash offers commands, options and ids', async () => {
    const script = await place.ok('completion bash');
    const firsts = new Set([...commandTable.keys()].map((name) => name.split(' ')[0]));
    expect(new Set(await offered('git-state ""', script))).toEqual(firsts);
    expect(await offered('git-state --session S che', script)).toEqual(['checkpoint']);
    expect(await offered('git-state step ""', script)).toEqual(['start', 'done', 'fail', 'skip']);
    expect(await offered('git-state claim --wo', script)).toEqual(['--worktree', '--worker']);
    expect(await offered('git-state show ""', script)).toEqual(['001']);
    expect(await offered('git -C . state worktree pr', script, '_git_state')).toEqual(['prune']);
  });

  it.each(['zsh', 'fish'])('of %s names every command', async (shell) => {
    const script = await place.ok(['completion', shell]);
    for (const [name, { summary }] of commandTable) {
      expect(script).toContain(name.split(' ').at(-1)!);
      expect(script).toContain(summary);
    }
    expect(JSON.parse(await place.ok(['completion', shell, '--json']))).toMatchObject({
      schema_version: 1,
      shell,
    });
  });
});
