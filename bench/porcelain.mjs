import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { featureFile, featureId, runChild } from './repository.mjs';

/** Adds a linked worktree of the state branch on a branch of its own, where people would edit the files by hand. */
export function addWorktree(repository, branch) {
  const path = `${repository.path}-${branch}`;
  repository.git(['worktree', 'add', '-q', '-b', branch, path, 'gitstate']);
  return path;
}

/** Edits one field of a JSON file in place. */
export function editFile(path, change) {
  const entity = JSON.parse(readFileSync(path, 'utf8'));
  change(entity);
  writeFileSync(path, `${JSON.stringify(entity, null, 2)}\n`);
}

/** What a script does without gitstate: edit a file of a linked worktree, `git add`, `git commit`.
 *  @param durable whether Git flushes what it writes, which it does not do by itself. */
export class Porcelain {
  #worktree;
  #file;
  #settings;
  #count = 0;

  constructor(repository, { durable }) {
    this.#worktree = addWorktree(repository, 'porcelain');
    this.#file = featureFile(repository.git, featureId(0));
    this.#settings = durable ? ['-c', 'core.fsync=loose-object,reference'] : [];
  }

  async mutate() {
    this.#count += 1;
    editFile(join(this.#worktree, this.#file), (entity) => {
      entity.data = { n: this.#count };
    });
    const cwd = this.#worktree;
    await runChild('git', [...this.#settings, 'add', this.#file], { cwd });
    await runChild('git', [...this.#settings, 'commit', '-q', '-m', `update ${this.#count}`], { cwd });
  }
}
