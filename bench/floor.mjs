import { execFileSync, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { closeSync, fsync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { deflateSync } from 'node:zlib';

/** What no engine of this kind can do without: the objects of one mutation, written blindly, and one transaction of a
 *  long-lived `git update-ref`. Nothing is read, decided, encoded or locked. */

const flush = promisify(fsync);

/** The objects that `commit` brought, in the order blob, trees from the inside out, commit; each knows where the names
 *  of others stand in its body, so that copies with other content can be made without reading anything. */
export function templateOf(repository, commit) {
  const git = (args) => execFileSync('git', args, { cwd: repository.path, maxBuffer: 2 ** 28 });
  const names = git(['rev-list', '--objects', commit, `^${commit}^`])
    .toString()
    .trim()
    .split('\n');
  const objects = names.map((line) => {
    const oid = line.slice(0, 40);
    const type = git(['cat-file', '-t', oid]).toString().trim();
    return { oid, type, depth: depthOf(type, line.slice(41)), body: git(['cat-file', type, oid]) };
  });
  objects.sort((a, b) => b.depth - a.depth);
  const parent = git(['rev-parse', `${commit}^`])
    .toString()
    .trim();
  return objects.map((object) => ({ ...object, places: placesIn(object, objects, parent) }));
}

function depthOf(type, path) {
  if (type === 'commit') return -1;
  return path === '' ? 0 : path.split('/').length;
}

function placesIn({ type, body }, objects, parent) {
  const encoding = type === 'commit' ? 'latin1' : 'hex';
  return [...objects.map(({ oid }) => oid), parent]
    .map((oid) => ({ oid, encoding, at: body.indexOf(Buffer.from(oid, encoding)) }))
    .filter(({ at }) => at >= 0);
}

/** Sizes of the objects of a template, for people to read: `blob 612, tree 40, …`. */
export function sizesOf(template) {
  return template.map(({ type, body }) => `${type} ${body.length}`).join(', ');
}

export class Floor {
  #template;
  #objectsDir;
  #refsDir;
  #ref;
  #durable;
  #tip;
  #firstParent;
  #count = 0;
  #child;
  #output = '';
  #onReply = () => {};

  /** @param branch made here, at the commit before the template's. */
  constructor(repository, template, { branch, durable }) {
    const commit = template.at(-1).oid;
    this.#template = template;
    this.#objectsDir = join(repository.path, '.git/objects');
    this.#ref = `refs/heads/${branch}`;
    this.#refsDir = dirname(join(repository.path, '.git', this.#ref));
    this.#durable = durable;
    this.#firstParent = repository.git(['rev-parse', `${commit}^`]);
    this.#tip = this.#firstParent;
    repository.git(['update-ref', this.#ref, this.#tip]);
    // Without the second one Git looks whether there is a ref of the name of each commit.
    const lean = ['core.hooksPath=/dev/null', 'core.warnAmbiguousRefs=false'];
    const settings = [...lean, ...(durable ? ['core.fsync=reference'] : [])];
    const args = [...settings.flatMap((setting) => ['-c', setting]), 'update-ref', '-m', 'floor', '--stdin'];
    this.#child = spawn('git', args, { cwd: repository.path, stdio: ['pipe', 'pipe', 'inherit'] });
    this.#child.stdout.on('data', (chunk) => {
      this.#output += chunk;
      if (this.#output === 'start: ok\nprepare: ok\ncommit: ok\n') this.#onReply();
    });
    this.#child.on('close', () => this.#onReply(new Error('git update-ref has ended')));
  }

  async mutate() {
    const objects = this.#nextObjects();
    if (this.#durable) await this.#writeDurably(objects);
    else for (const object of objects) this.#place(this.#writeTemporary(object));
    const commit = objects.at(-1).oid;
    await this.#move(commit);
    if (this.#durable) await flushDirectory(this.#refsDir);
    this.#tip = commit;
  }

  close() {
    this.#child.stdin.end();
  }

  /** New content of the same sizes, each object naming those written before it. */
  #nextObjects() {
    this.#count += 1;
    const renamed = new Map([[this.#firstParent, this.#tip]]);
    return this.#template.map(({ oid, type, body: old, places }) => {
      const body = Buffer.from(old);
      if (type === 'blob') body.write(String(this.#count).padStart(8, '0'));
      for (const place of places) body.write(renamed.get(place.oid), place.at, place.encoding);
      const bytes = Buffer.concat([Buffer.from(`${type} ${body.length}\0`), body]);
      const name = createHash('sha1').update(bytes).digest('hex');
      renamed.set(oid, name);
      return { oid: name, type, bytes };
    });
  }

  async #writeDurably(objects) {
    const pending = objects.map((object) => this.#writeTemporary(object));
    await Promise.all(pending.map(({ fd }) => flush(fd)));
    for (const file of pending) this.#place(file);
    const directories = new Set(objects.map(({ oid }) => join(this.#objectsDir, oid.slice(0, 2))));
    await Promise.all([this.#objectsDir, ...directories].map(flushDirectory));
  }

  #writeTemporary({ oid, type, bytes }) {
    const temporary = join(this.#objectsDir, `tmp_obj_${randomBytes(8).toString('hex')}`);
    const fd = openSync(temporary, 'wx', 0o444);
    // Trees do not shrink.
    writeSync(fd, deflateSync(bytes, { level: type === 'tree' ? 0 : 1 }));
    return { fd, temporary, oid };
  }

  #place({ fd, temporary, oid }) {
    closeSync(fd);
    const directory = join(this.#objectsDir, oid.slice(0, 2));
    try {
      renameSync(temporary, join(directory, oid.slice(2)));
    } catch {
      mkdirSync(directory);
      renameSync(temporary, join(directory, oid.slice(2)));
    }
  }

  #move(commit) {
    return new Promise((resolve, reject) => {
      this.#onReply = (error) => (error ? reject(error) : resolve());
      this.#output = '';
      this.#child.stdin.write(`start\nupdate ${this.#ref} ${commit} ${this.#tip}\nprepare\ncommit\n`);
    });
  }
}

async function flushDirectory(path) {
  const fd = openSync(path, 'r');
  try {
    await flush(fd);
  } finally {
    closeSync(fd);
  }
}
