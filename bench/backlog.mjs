import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeRepository, runChild } from './repository.mjs';
import { programOf, quoted } from './tools.mjs';

/** Backlog.md, whose tasks are Markdown files in the repository: the command that people use for this today.
 *  @param backlog its command, as a path or as a name on PATH.
 *  @returns its version and a command on a repository with one task and with many; null where it is not installed. */
export async function backlogScripts(directory, { backlog, features }) {
  const program = existsSync(backlog) ? backlog : programOf(backlog);
  if (program === null) return null;
  const version = (await runChild(program, ['--version'], { cwd: directory })).trim();
  const scripts = {
    'Backlog.md: task edit, 1 task': await editsIn(directory, program, 1),
    [`Backlog.md: task edit, ${features} tasks`]: await editsIn(directory, program, features),
  };
  return { version, scripts };
}

async function editsIn(directory, program, tasks) {
  const { path } = makeRepository(directory, `backlog-${tasks}`, { durable: false });
  const run = (args) => runChild(program, args, { cwd: path });
  await run(['init', 'Bench', '--defaults', '--integration-mode', 'none']);
  await run(['config', 'set', 'remoteOperations', 'false']);
  await run(['task', 'create', 'Feature 1', '-d', 'a task', '--plain']);
  copyTask(join(path, 'backlog/tasks'), tasks);
  let count = 0;
  return () => {
    count += 1;
    const task = `${(count % tasks) + 1} -s 'In Progress' -a @W${count}`;
    return `cd ${quoted(path)} && ${quoted(program)} task edit ${task} --plain`;
  };
}

/** Tasks 1 to `tasks`, as the one that Backlog.md made itself: its command takes half a minute for a hundred. */
function copyTask(folder, tasks) {
  const [name] = readdirSync(folder);
  const text = readFileSync(join(folder, name), 'utf8');
  rmSync(join(folder, name));
  for (let number = 1; number <= tasks; number += 1) {
    const own = text.replace('TASK-1', `TASK-${number}`).replace('Feature 1', `Feature ${number}`);
    writeFileSync(join(folder, `task-${number} - Feature-${number}.md`), own);
  }
}
