import { type History, readCommit } from './commits.ts';
import { findOperation } from './history.ts';

interface Known {
  oid: string;
  /** Operation id; null for a commit made by hand. */
  id: string | null;
}

const keptMax = 4096;
const windowSize = 32;

/** Operation ids of the newest commits, so that to look for one does not mean to read the history each time. */
export class RecentOperations {
  readonly #history: History;
  /** Oldest first, each the parent of the next. */
  #chain: Known[] = [];

  constructor(history: History) {
    this.#history = history;
  }

  /** Notes what was put on top of `base`. */
  note(base: string | null, commits: readonly { commit: string; id: string }[]): void {
    if (this.#chain.at(-1)?.oid !== base) this.#chain = base === null ? [] : [{ oid: base, id: null }];
    this.#chain.push(...commits.map(({ commit: oid, id }) => ({ oid, id })));
    if (this.#chain.length > 2 * keptMax) this.#chain = this.#chain.slice(-keptMax);
  }

  /** The commit of operation `id` between `since`, which is older than the operation, and `tip`; null: there is none.
   *  Where `since` is not found nearby, all of the history is searched. */
  async find(tip: string, since: string, id: string): Promise<string | null> {
    if (tip === since) return null;
    await this.#reach(tip, since);
    const from = this.#chain.findLastIndex(({ oid }) => oid === since);
    if (from < 0) return (await findOperation(this.#history, tip, id))?.oid ?? null;
    return this.#chain.slice(from + 1).find((known) => known.id === id)?.oid ?? null;
  }

  /** Reads back from `tip` until what is known, and then to `since`. */
  async #reach(tip: string, since: string): Promise<void> {
    if (this.#chain.at(-1)?.oid !== tip) {
      const last = this.#chain.at(-1)?.oid;
      const newer = await this.#back(tip, (oid) => oid === last || oid === since);
      this.#chain = newer[0]?.oid === last ? [...this.#chain, ...newer.slice(1)] : newer;
    }
    if (this.#chain.some(({ oid }) => oid === since)) return;
    const [oldest] = this.#chain;
    if (oldest === undefined || this.#chain.length >= keptMax) return;
    const older = await this.#back(oldest.oid, (oid) => oid === since);
    this.#chain = [...older, ...this.#chain.slice(1)];
  }

  /** The commits from `tip` back to the first that is an end, oldest first. Many are asked for at a time. */
  async #back(tip: string, isEnd: (oid: string) => boolean): Promise<Known[]> {
    const found: Known[] = [];
    for (let at = 0; at < keptMax; at += windowSize) {
      const names = Array.from({ length: windowSize }, (_, index) => `${tip}~${at + index}`);
      const commits = await Promise.all(names.map((name) => readCommit(this.#history.reader, name)));
      for (const commit of commits) {
        if (commit === null) return found;
        found.unshift({ oid: commit.oid, id: /\ngitstate-id: (.*)\n/.exec(commit.message)?.[1] ?? null });
        if (isEnd(commit.oid)) return found;
      }
    }
    return found;
  }
}
