import { execFileSync, spawn } from 'node:child_process';
import { cpSync } from 'node:fs';

/** `git fast-import`, told of the same commits: as many, with the same paths, messages and sizes of files. What it is
 *  told is put together before the clock runs; it decides, checks and reads nothing, and the trees are its own work. */
export class FastImport {
  #repository;
  #commits;
  #child;
  #count = 0;
  #first = true;
  #stream = null;
  #output = '';
  #onProgress = () => {};

  /** @param path a repository whose newest commits on `gitstate` are the ones to make again, in a copy of it. */
  constructor(path, { size }) {
    const copy = `${path}-fast-import-${size}`;
    cpSync(path, copy, { recursive: true });
    this.#repository = copy;
    this.#commits = this.#newest(size);
    // The pack is flushed by itself, the ref with this; small packs are kept, as gitstate keeps its own.
    const settings = ['core.fsync=committed,reference', 'fastimport.unpackLimit=1'];
    const args = [...settings.flatMap((setting) => ['-c', setting]), 'fast-import', '--quiet', '--done'];
    this.#child = spawn('git', args, { cwd: copy, stdio: ['pipe', 'pipe', 'inherit'] });
    this.#child.stdout.on('data', (chunk) => {
      this.#output += chunk;
      if (this.#output.endsWith(`progress ${this.#count}\n`)) this.#onProgress();
    });
    this.#child.on('close', () => this.#onProgress(new Error('git fast-import has ended')));
  }

  /** Puts the next commits together, which `run` makes. */
  prepare() {
    const commits = this.#commits.map((commit, index) => this.#text(commit, index));
    this.#stream = Buffer.concat([...commits, Buffer.from(`checkpoint\nprogress ${++this.#count}\n`)]);
  }

  run() {
    return new Promise((resolve, reject) => {
      this.#onProgress = (error) => (error ? reject(error) : resolve());
      this.#child.stdin.write(this.#stream);
    });
  }

  /** How many commits the branch has. */
  get commits() {
    return Number(this.#git(['rev-list', '--count', 'gitstate']).toString());
  }

  close() {
    this.#child.stdin.end('done\n');
  }

  #newest(size) {
    const oids = this.#git(['rev-list', '--reverse', `-${size}`, 'gitstate'])
      .toString()
      .trim()
      .split('\n');
    return oids.map((oid) => {
      const [path, ...others] = this.#git(['diff-tree', '-r', '--name-only', '--no-commit-id', oid])
        .toString()
        .trim()
        .split('\n');
      if (others.length > 0) throw new Error(`commit ${oid} changes more than a file`);
      const text = this.#git(['cat-file', 'commit', oid]).toString();
      const end = text.indexOf('\n\n');
      const people = text
        .slice(0, end)
        .split('\n')
        .filter((line) => /^(?:author|committer) /.test(line));
      return {
        people,
        message: text.slice(end + 2),
        path,
        body: this.#git(['cat-file', 'blob', `${oid}:${path}`]),
      };
    });
  }

  /** With a number in its file that no commit had before. */
  #text({ people, message, path, body }, index) {
    const from = this.#first ? 'from refs/heads/gitstate^0\n' : '';
    this.#first = false;
    const number = String(500_000 + this.#count * this.#commits.length + index);
    const file = body.toString().replace(/"n": \d{6}/, `"n": ${number}`);
    const text = message.replace(/"n":\d{6}/, `"n":${number}`);
    return Buffer.from(
      `commit refs/heads/gitstate\n${people.join('\n')}\ndata ${Buffer.byteLength(text)}\n${text}${from}` +
        `M 100644 inline ${path}\ndata ${Buffer.byteLength(file)}\n${file}\n`,
    );
  }

  #git(args) {
    return execFileSync('git', args, { cwd: this.#repository, maxBuffer: 2 ** 26 });
  }
}
