import { mkdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { compete } from './contention-worker.mjs';
import { editFile } from './porcelain.mjs';
import { runChild } from './repository.mjs';

const [worktree, file, from, mutations] = process.argv.slice(2);
const lock = `${worktree}.lock`;

/** The lock that scripts take: whoever makes the directory has it. */
async function acquire() {
  for (;;) {
    try {
      mkdirSync(lock);
      return;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
      await sleep(5 + Math.random() * 5);
    }
  }
}

async function mutate(n) {
  await acquire();
  try {
    editFile(join(worktree, file), (entity) => {
      entity.data = { n };
    });
    await runChild('git', ['add', file], { cwd: worktree });
    await runChild('git', ['commit', '-q', '-m', `update ${n}`], { cwd: worktree });
  } finally {
    rmdirSync(lock);
  }
}

await compete({ from: Number(from), mutations: Number(mutations), prepare: () => ({ mutate, close() {} }) });
