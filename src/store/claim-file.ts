import { readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import * as z from 'zod';
import { replaceFile } from '../git/files.ts';

/** Left in a worktree's private Git directory, so that commands inside it need no ids and no token. */
const ClaimFile = z.object({
  session: z.string(),
  feature: z.string(),
  worker: z.string(),
  token: z.string(),
});
export type ClaimFile = z.infer<typeof ClaimFile>;

const name = 'gitstate-claim.json';

/** The claim of the worktree whose private Git directory is `gitDir`; null where there is none. */
export function readClaimFile(gitDir: string): ClaimFile | null {
  try {
    return ClaimFile.parse(JSON.parse(readFileSync(join(gitDir, name), 'utf8')));
  } catch {
    return null;
  }
}

export async function writeClaimFile(worktree: string, claim: ClaimFile): Promise<void> {
  const gitDir = privateGitDir(worktree);
  if (gitDir !== null)
    await replaceFile(join(gitDir, name), `${JSON.stringify(claim, null, 2)}\n`, { mode: 0o600 });
}

export function dropClaimFile(worktree: string): void {
  const gitDir = privateGitDir(worktree);
  if (gitDir !== null) rmSync(join(gitDir, name), { force: true });
}

/** What else is remembered of a worktree, and gone with it: the commit at which its branch began, the setup that it had,
 *  and whether it may go once its feature is completed. */
type Note = 'base' | 'setup' | 'passing';

/** @returns null where nothing is noted. */
export function readNote(worktree: string, note: Note): string | null {
  const gitDir = privateGitDir(worktree);
  try {
    return gitDir === null ? null : readFileSync(join(gitDir, `gitstate-${note}`), 'utf8');
  } catch {
    return null;
  }
}

export async function writeNote(worktree: string, note: Note, text: string): Promise<void> {
  const gitDir = privateGitDir(worktree);
  if (gitDir !== null) await replaceFile(join(gitDir, `gitstate-${note}`), text);
}

export function dropNote(worktree: string, note: Note): void {
  const gitDir = privateGitDir(worktree);
  if (gitDir !== null) rmSync(join(gitDir, `gitstate-${note}`), { force: true });
}

/** The private Git directory of a linked worktree; null where `worktree` is none. */
export function privateGitDir(worktree: string): string | null {
  try {
    const line = readFileSync(join(worktree, '.git'), 'utf8').trim();
    return line.startsWith('gitdir: ') ? resolve(worktree, line.slice('gitdir: '.length)) : null;
  } catch {
    return null;
  }
}
