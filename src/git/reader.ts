import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough, type Readable } from 'node:stream';
import { GitStateError } from '../errors.ts';
import type { BatchAnswer, ObjectInfo } from './batch-parser.ts';
import { CatFile, damagedObject } from './cat-file.ts';
import { gitFailed } from './failure.ts';
import { isFullRefName, isOid } from './ids.ts';
import { LooseFiles } from './loose.ts';
import { hashObject, type Oid, type StoredObject } from './objects.ts';
import { packedRefsStamp } from './packed-refs.ts';
import { isAtLeast, type Repository } from './repository.ts';
import { spawnFailure } from './run.ts';

export type { ObjectInfo } from './batch-parser.ts';

export type { StoredObject } from './objects.ts';

/** Reads objects and refs. Names are object names, full ref names, or either with a suffix as in gitrevisions(7):
 *  `refs/heads/main^{tree}`, `<oid>:path`. */
export interface ObjectReader {
  /** The object, or null if there is none. @throws CORRUPT_STATE, GIT_FAILED. */
  read(name: string): Promise<StoredObject | null>;
  /** Reads many objects in one stream. `take` gets them in this order, but those that are missing and those that had to
   *  be asked for once more, which come last. Their bodies are gone when it returns; what it throws ends the reading.
   *  @throws CORRUPT_STATE, GIT_FAILED. */
  readEach(oids: readonly Oid[], take: (object: StoredObject | null, index: number) => void): Promise<void>;
  /** Type and size, without the body. */
  info(name: string): Promise<ObjectInfo | null>;
  /** What a ref holds now; null if it does not exist. @throws CORRUPT_STATE if it holds an object that is missing. */
  resolve(ref: string): Promise<Oid | null>;
  close(): void;
}

interface ReaderOptions {
  /** Largest body that is taken into memory; larger ones are refused. 256 MiB by default. */
  sizeMax?: number;
  /** How long Git may keep silent. 30 s by default, 180 s in a partial clone, where it may have to fetch. */
  deadlineMs?: number;
}

/** Reads through one long-lived `git cat-file`, which knows packs, alternates and partial clones, and sees at once what
 *  other processes write. Until something needs it, files of single objects and refs are read without it. */
export class CatFileReader implements ObjectReader {
  readonly #repository: Repository;
  readonly #loose: LooseFiles;
  readonly #bodies: CatFile;
  readonly #infos: CatFile;
  /** Which `packed-refs` stood there when a ref was last asked for. */
  #packedRefs: string | null = null;
  readonly #sizeMax: number;
  /** Whether one process serves both kinds of request (Git 2.36). */
  readonly #oneProcess: boolean;

  constructor(repository: Repository, { sizeMax = 256 * 1024 ** 2, deadlineMs }: ReaderOptions = {}) {
    this.#repository = repository;
    this.#sizeMax = sizeMax;
    this.#loose = new LooseFiles(repository, { sizeMax: Math.min(sizeMax, 1024 ** 2) });
    this.#oneProcess = isAtLeast(repository.version, 2, 36);
    const { git, config } = repository;
    const partial = config.get('extensions.partialclone') !== undefined;
    const create = (mode: string) =>
      new CatFile({
        spawn: () => git.start(['cat-file', mode], { network: true }),
        deadlineMs: deadlineMs ?? (partial ? 180_000 : 30_000),
        sizeMax,
        cwd: git.context.cwd,
      });
    this.#bodies = create(this.#oneProcess ? '--batch-command' : '--batch');
    this.#infos = this.#oneProcess ? this.#bodies : create('--batch-check');
  }

  /** Starts Git before the first request needs it. */
  warm(): void {
    this.#bodies.warm();
  }

  async read(name: string): Promise<StoredObject | null> {
    requireName(name);
    const loose = this.#inFile(name);
    if (loose !== undefined) return loose;
    const answer = await this.#ask(this.#bodies, name, { withBody: true });
    return answer === null ? null : this.#checked(name, answer);
  }

  async readEach(
    oids: readonly Oid[],
    take: (object: StoredObject | null, index: number) => void,
  ): Promise<void> {
    for (const oid of oids) if (!isOid(oid)) throw new TypeError(`no object name: '${oid}'`);
    const absent: number[] = [];
    let failure: { error: unknown } | null = null;
    const attempt = (action: () => void) => {
      if (failure !== null) return;
      try {
        action();
      } catch (error) {
        failure = { error };
      }
    };
    const line = (oid: Oid) => this.#line(oid, { withBody: true });
    await this.#bodies
      .askEach(oids, line, (answer, index) => {
        if (answer === null) absent.push(index);
        else attempt(() => take(this.#checked(oids[index]!, answer), index));
      })
      .catch((error: unknown) => {
        failure ??= { error };
      });
    for (const index of absent) {
      if (failure !== null) break;
      const object = await this.read(oids[index]!);
      attempt(() => take(object, index));
    }
    if (failure !== null) throw (failure as { error: unknown }).error;
  }

  #checked(name: string, { oid, type, body, size }: Exclude<BatchAnswer, null>): StoredObject {
    if (body === null) {
      throw new GitStateError('CORRUPT_STATE', `object '${name}' is larger than ${this.#sizeMax} bytes`, {
        details: { object: oid, size },
      });
    }
    // Git checks the deflated bytes but not, on this way, that they are what the name promises.
    if (hashObject(this.#repository.objectFormat, type, body) !== oid) throw damagedObject(oid);
    return { oid, type, body };
  }

  #line(name: string, { withBody }: { withBody: boolean }): string {
    const command = withBody ? 'contents ' : 'info ';
    return `${this.#oneProcess ? command : ''}${name}\n`;
  }

  async info(name: string): Promise<ObjectInfo | null> {
    requireName(name);
    const loose = this.#inFile(name);
    if (loose !== undefined) return loose && { oid: loose.oid, type: loose.type, size: loose.body.length };
    const answer = await this.#ask(this.#infos, name, { withBody: false });
    return answer === null ? null : { oid: answer.oid, type: answer.type, size: answer.size };
  }

  async resolve(ref: string): Promise<Oid | null> {
    const info = await this.info(ref);
    if (info !== null) return info.oid;
    if (!(await this.#mayExist(ref))) return null;
    // Git says "missing" of a ref whose object is missing, too; that must not be taken for no ref.
    const { status, stdout, stderr } = await this.#repository.git.run(
      ['rev-parse', '--verify', '--quiet', '--end-of-options', ref],
      { okStatuses: [0, 1, 128] },
    );
    const oid = stdout.toString().trim();
    if (status === 0 && isOid(oid) && (await this.info(oid)) !== null) return oid;
    if (status === 1 && !(await this.#mayExist(ref))) return null;
    throw new GitStateError('CORRUPT_STATE', `ref '${ref}' does not name an object that exists`, {
      hint: `see where it was with \`git reflog ${ref}\``,
      details: { ref, oid: oid || null, stderr },
    });
  }

  close(): void {
    this.#bodies.close();
    this.#infos.close();
  }

  /** What stands in a file of its own, as long as there is no process to ask. */
  #inFile(name: string): StoredObject | null | undefined {
    return this.#bodies.isRunning || this.#infos.isRunning ? undefined : this.#loose.read(name);
  }

  /** Has another Git look for refs where `packed-refs` was replaced; see `packedRefsStamp`. */
  #renew(): void {
    const packedRefs = packedRefsStamp(this.#repository);
    const isNew = this.#packedRefs !== null && this.#packedRefs !== packedRefs;
    if (!isNew || (this.#infos.renew() && (this.#infos === this.#bodies || this.#bodies.renew()))) {
      this.#packedRefs = packedRefs;
    }
  }

  async #ask(catFile: CatFile, name: string, { withBody }: { withBody: boolean }): Promise<BatchAnswer> {
    if (!isOid(name)) this.#renew();
    const line = this.#line(name, { withBody });
    const answer = await catFile.ask(line, { name, withBody });
    if (answer !== null || !isOid(name)) return answer;
    // Git says "missing" of a loose object that it cannot make out, too.
    if (existsSync(join(this.#repository.objectsDir, name.slice(0, 2), name.slice(2)))) {
      const second = await catFile.ask(line, { name, withBody });
      if (second === null) throw damagedObject(name);
      return second;
    }
    return this.#askWhilePacked(() => catFile.ask(line, { name, withBody }));
  }

  /** While packs are replaced Git may look for an object first in the new one, then in the old: it is missing only if
   *  they stood still meanwhile. */
  async #askWhilePacked(ask: () => Promise<BatchAnswer>): Promise<BatchAnswer> {
    for (let attempt = 1; ; attempt += 1) {
      const before = this.#packsStamp();
      const answer = await ask();
      if (answer !== null || attempt === packAttemptsMax || this.#packsStamp() === before) return answer;
    }
  }

  #packsStamp(): bigint | null {
    const path = join(this.#repository.objectsDir, 'pack');
    return statSync(path, { bigint: true, throwIfNoEntry: false })?.mtimeNs ?? null;
  }

  async #mayExist(ref: string): Promise<boolean> {
    const { commonDir, refFormat, git } = this.#repository;
    if (refFormat === 'reftable') {
      const { stdout } = await git.run(['for-each-ref', '--format=%(refname)', ref]);
      return stdout.toString().split('\n').includes(ref);
    }
    const loose = readOrNull(join(commonDir, ref));
    // A symbolic ref may well name a branch that is not born yet.
    if (loose !== null) return !loose.startsWith('ref: ');
    return readOrNull(join(commonDir, 'packed-refs'))?.includes(` ${ref}\n`) ?? false;
  }
}

/** Packs are replaced by few processes, each now and then. */
const packAttemptsMax = 20;

/** The text of a file; null where there is none, or a directory. */
function readOrNull(path: string): string | null {
  try {
    return readFileSync(path, 'latin1');
  } catch (error) {
    if (['EISDIR', 'ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return null;
    throw new GitStateError('CORRUPT_STATE', `cannot read '${path}'`, { cause: error });
  }
}

/** Refuses what Git could take for something else: short names, options, more than one line. */
function requireName(name: string): void {
  const [start = ''] = name.split(/[:^~@]/, 1);
  const usable = isOid(start) || isFullRefName(start) || start === 'HEAD';
  if (!usable || /[\n\0]/.test(name))
    throw new TypeError(`no name of an object or ref: ${JSON.stringify(name)}`);
}

/** The content of a blob of any size, piece by piece. The stream fails if Git does. */
export function streamBlob({ git }: Repository, oid: Oid): Readable {
  if (!isOid(oid)) throw new TypeError(`no object name: '${oid}'`);
  const child = git.start(['cat-file', 'blob', oid], { network: true });
  const output = new PassThrough();
  let stderr = '';
  child.stdin.on('error', () => {});
  child.stdin.end();
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  child.stdout.pipe(output, { end: false });
  child.on('error', (error) =>
    output.destroy(spawnFailure(error, { command: 'cat-file', cwd: git.context.cwd })),
  );
  child.on('close', (status, signal) => {
    if (status === 0) output.end();
    else output.destroy(gitFailed({ command: 'cat-file', status, signal, stderr }));
  });
  output.on('close', () => child.kill());
  return output;
}
