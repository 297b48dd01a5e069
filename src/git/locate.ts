import { existsSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

export interface Location {
  /** The directory that holds `.git`. */
  workTree: string;
  gitDir: string;
  commonDir: string;
}

/** Finds the repository of `cwd` in the plain case, a `.git` directory or file above it, as Git would; null in any
 *  other, where Git has to be asked. It proves nothing: no format, owner or setting is looked at. */
export function locateRepository(cwd: string): Location | null {
  try {
    for (let directory = realpathSync(cwd); ; directory = dirname(directory)) {
      const entry = statSync(join(directory, '.git'), { throwIfNoEntry: false });
      if (entry !== undefined) return locationAt(directory, entry.isDirectory());
      const insideGitDir = existsSync(join(directory, 'HEAD')) && existsSync(join(directory, 'objects'));
      if (insideGitDir || existsSync(join(directory, 'commondir')) || dirname(directory) === directory)
        return null;
    }
  } catch {
    return null;
  }
}

function locationAt(workTree: string, isDirectory: boolean): Location | null {
  const entry = join(workTree, '.git');
  const gitDir = isDirectory ? entry : gitDirOf(entry);
  if (gitDir === null || !existsSync(join(gitDir, 'HEAD'))) return null;
  const pointer = join(gitDir, 'commondir');
  const commonDir = existsSync(pointer) ? resolve(gitDir, readFileSync(pointer, 'utf8').trim()) : gitDir;
  return { workTree, gitDir: realpathSync(gitDir), commonDir: realpathSync(commonDir) };
}

function gitDirOf(file: string): string | null {
  const match = /^gitdir: (.+?)\n?$/.exec(readFileSync(file, 'utf8'));
  return match === null ? null : resolve(dirname(file), match[1]!);
}
