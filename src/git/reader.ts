import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough, type Readable } from 'node:stream';
import { GitStateError } from '../errors.ts';
import type { BatchAnswer, ObjectInfo } from './batch-parser.ts';
import { CatFile, damagedObject } from './cat-file.ts';
import { gitFailed } from './failure.ts';
import { isFullRefName, isOid } from './ids.ts';
import { hashObject, type ObjectType, type Oid } from './objects.ts';
import { packedRefsStamp } from './packed-refs.ts';
import { isAtLeast, type Repository } from './repository.ts';
import { spawnFailure } from './run.ts';

export type { ObjectInfo } from './batch-parser.ts';

export interface StoredObject {
  oid: Oid;
  type: ObjectType;
  body: Buffer;
}

/** Reads objects and refs. Names are object names, full ref names, or either with a suffix as in gitrevisions(7):
 *  `refs/heads/main^{tree}`, `<oid>:path`. */
export interface ObjectReader {
  /** The object, or null if there is none. @throws CORRUPT_STATE, GIT_FAILED. */
  read(name: string): Promise<StoredObject | null>;
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
 *  other processes write. */
export class CatFileReader implements ObjectReader {
  readonly #repository: Repository;
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
    const answer = await this.#ask(this.#bodies, name, { withBody: true });
    if (answer === null) return null;
    const { oid, type, body, size } = answer;
    if (body === null) {
      throw new GitStateError('CORRUPT_STATE', `object '${name}' is larger than ${this.#sizeMax} bytes`, {
        details: { object: oid, size },
      });
    }
    // Git checks the deflated bytes but not, on this way, that they are what the name promises.
    if (hashObject(this.#repository.objectFormat, type, body) !== oid) throw damagedObject(oid);
    return { oid, type, body };
  }

  async info(name: string): Promise<ObjectInfo | null> {
    requireName(name);
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
    const command = withBody ? 'contents ' : 'info ';
    const line = `${this.#oneProcess ? command : ''}${name}\n`;
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
