import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import writeFileAtomic from 'write-file-atomic';

/** The newest commit up to which a history was verified from its root. What is kept is only a name: whoever uses it
 *  checks that it lies in the history, whose object ids then hold all that came before it. */
export class VerifiedMark {
  readonly #directory: string;
  readonly #path: string;

  constructor(directory: string, branchRef: string) {
    const name = createHash('sha256').update(branchRef).digest('hex').slice(0, 12);
    this.#directory = directory;
    this.#path = join(directory, `verified-${name}`);
  }

  /** Null where nothing is kept, or not in one piece. */
  read(): string | null {
    try {
      if (!lstatSync(this.#path).isFile() || !lstatSync(this.#directory).isDirectory()) return null;
      const [title, commit = '', check] = readFileSync(this.#path, 'latin1').split(/[ \n]/);
      return title === heading && check === checkOf(commit) ? commit : null;
    } catch {
      return null;
    }
  }

  /** A mark that cannot be written is no failure. */
  async write(commit: string): Promise<void> {
    try {
      mkdirSync(this.#directory, { recursive: true });
      const text = `${heading} ${commit} ${checkOf(commit)}\n`;
      await writeFileAtomic(this.#path, text, { fsync: false, mode: 0o600 });
    } catch {
      // The next time everything is verified anew.
    }
  }
}

const heading = 'gitstate-verified-1';

function checkOf(commit: string): string {
  return createHash('sha1').update(`${heading} ${commit}`).digest('hex');
}
