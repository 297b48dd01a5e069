import type { CatFileReader } from '../git/reader.ts';
import type { RefStore } from '../git/refs.ts';
import type { Repository } from '../git/repository.ts';

/** Where a state branch lives, and what else may tell of it. */
export interface BranchHome {
  readonly repository: Repository;
  readonly reader: CatFileReader;
  readonly refs: RefStore;
  readonly branchRef: string;
  readonly cacheDirectory: string;
  /** Where the branch stands. @param expected where it probably is. */
  tip(expected?: string | null): Promise<string | null>;
  /** The commit of the state that is kept on disk; null where there is none in one piece. */
  cachedCommit(): Promise<string | null>;
}
