import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runChild } from './repository.mjs';
import { programOf } from './tools.mjs';

/** One JSON file for all features, rewritten for each change: what scripts do, with one writer and no history. */

const edit = `jq '.features[7].status = "in_progress"' state.json > state.tmp && mv state.tmp state.json`;

export const jqScripts = {
  'jq > tmp && mv': edit,
  'jq, mv, git add, git commit': `${edit} && git add state.json && git commit -q --allow-empty -m claim`,
};

/** All features in one file, with no more in it than a script needs. */
export function documentOf({ features: list }) {
  const rows = list.map(({ id, name, status, priority, phase, worker_id, steps }) => {
    const plainSteps = Object.fromEntries(steps.map((step) => [step.name, step.status]));
    return { id, name, status, priority, phase, worker_id, steps: plainSteps };
  });
  return JSON.stringify({ features: rows }, null, 2);
}

export class JqFile {
  static isInstalled = programOf('jq') !== null;
  #cwd;

  constructor(directory, list) {
    mkdirSync(directory);
    this.#cwd = directory;
    writeFileSync(join(directory, 'state.json'), documentOf(list));
  }

  mutate() {
    return runChild('/bin/sh', ['-c', edit], { cwd: this.#cwd });
  }
}
