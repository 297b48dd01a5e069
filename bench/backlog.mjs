import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeRepository, runChild } from './repository.mjs';
import { programOf, quoted } from './tools.mjs';

/** Backlog.md, whose tasks are Markdown files in the repository: the command that people use for this today.
 *  @param backlog its command, as a path or as a name on PATH.
 *  @returns its version and its commands on a repository with as many tasks; null where it is not installed. */
export async function backlogScripts(directory, { backlog, features }) {
  const program = existsSync(backlog) ? backlog : programOf(backlog);
  if (program === null) return null;
  const { path } = makeRepository(directory, 'backlog', { durable: false });
  const run = (args) => runChild(program, args, { cwd: path });
  const version = (await run(['--version'])).trim();
  await run(['init', 'Bench', '--defaults', '--integration-mode', 'none']);
  await run(['config', 'set', 'remoteOperations', 'false']);
  await run(['task', 'create', 'Feature 1', '-d', 'a task', '--plain']);
  copyTask(join(path, 'backlog/tasks'), features);
  let count = 0;
  const edit = () => {
    count += 1;
    return `cd ${quoted(path)} && ${quoted(program)} task edit ${count} -s 'In Progress' -a @W${count} --plain`;
  };
  return { version, scripts: { 'Backlog.md: task edit': edit } };
}

/** Tasks 1 to `features`, as the one that Backlog.md made itself: its command takes half a minute for a hundred. */
function copyTask(folder, features) {
  const [name] = readdirSync(folder);
  const text = readFileSync(join(folder, name), 'utf8');
  rmSync(join(folder, name));
  for (let number = 1; number <= features; number += 1) {
    const own = text.replace('TASK-1', `TASK-${number}`).replace('Feature 1', `Feature ${number}`);
    writeFileSync(join(folder, `task-${number} - Feature-${number}.md`), own);
  }
}
