import { chmodSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { execute, withCommand } from './support/cli.ts';
import { makeRepository, userEnvironment } from './support/repo.ts';

/** The tour of the README is typed word for word, in one shell, and every command of it has to succeed. */
test('the five minutes of the README', { timeout: 60_000 }, async () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const blocks = [...readme.matchAll(/^```console\n(.*?)^```$/gms)].map(([, block]) => block!);
  const commands = blocks.flatMap((block) => block.split('\n').filter((line) => line.startsWith('$ ')));
  expect(commands.length).toBeGreaterThan(15);
  const repository = makeRepository();
  repository.write('agent.sh', '#!/bin/sh\ngit commit -q --allow-empty -m "work on $GITSTATE_FEATURE"\n');
  chmodSync(join(repository.path, 'agent.sh'), 0o755);
  repository.commit('an agent');
  const script = commands.map((line) => `${line.slice(2)}\nprintf '\\036%s\\n' $?\n`).join('');
  const { PATH: _path, ...user } = userEnvironment;
  const env = { ...user, HOME: repository.path };
  const { stdout, stderr } = await execute('sh', ['-c', script], withCommand({ cwd: repository.path, env }));
  const statuses = [...stdout.matchAll(/\u001e(\d+)/g)].map(([, status]) => status);
  const failed = commands.filter((_, index) => statuses[index] !== '0');
  expect(failed, stderr).toEqual([]);
  expect(JSON.parse(readFileSync(join(repository.path, 'claim.json'), 'utf8'))).toMatchObject({
    feature: { id: '004' },
  });
});
