import { dirname } from 'node:path';
import { featureFile, featureId, runChild } from './repository.mjs';

const branchRef = 'refs/heads/plumbing';

/** The same commit made with Git's plumbing, one process for each command; the trees are edited as text. */
export class Plumbing {
  #cwd;
  #file;
  /** The lines of `git ls-tree` for each folder on the way to the file, from the inside out. */
  #folders;
  #count = 0;

  constructor(repository) {
    const { git } = repository;
    this.#cwd = repository.path;
    this.#file = featureFile(git, featureId(1));
    git(['update-ref', branchRef, 'gitstate']);
    this.#folders = foldersOf(this.#file).map((folder) => ({
      name: folder.split('/').at(-1),
      lines: git(['ls-tree', `gitstate:${folder}`]).split('\n'),
    }));
  }

  async mutate() {
    this.#count += 1;
    const tip = (await this.#git(['rev-parse', branchRef])).trim();
    const entity = JSON.parse(await this.#git(['cat-file', 'blob', `${tip}:${this.#file}`]));
    entity.data = { n: this.#count };
    const text = `${JSON.stringify(entity, null, 2)}\n`;
    let oid = (await this.#git(['hash-object', '-w', '--stdin'], text)).trim();
    let name = this.#file.split('/').at(-1);
    for (const folder of this.#folders) {
      folder.lines = folder.lines.map((line) => (line.endsWith(`\t${name}`) ? renamed(line, oid) : line));
      oid = (await this.#git(['mktree'], `${folder.lines.join('\n')}\n`)).trim();
      name = folder.name;
    }
    const commit = await this.#git(['commit-tree', oid, '-p', tip, '-m', `update ${this.#count}`]);
    await this.#git(['update-ref', branchRef, commit.trim(), tip]);
  }

  #git(args, input) {
    return runChild('git', args, { cwd: this.#cwd, input });
  }
}

function foldersOf(file) {
  const folder = dirname(file);
  return folder === '.' ? [''] : [folder, ...foldersOf(folder)];
}

function renamed(line, oid) {
  const [fields, name] = line.split('\t');
  return `${fields.split(' ').slice(0, 2).join(' ')} ${oid}\t${name}`;
}
