import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { repositoryAt, runGit, type TestRepository } from '../repo.ts';
import type { GitServer } from './server.ts';

/** Makes an empty bare repository in a served folder. Its hooks are its own, also where it is reached by path
 *  and its Git runs under the client's settings. */
export function addBareRepository(
  folder: string,
  name = 'repository.git',
  { objectFormat = 'sha1' }: { objectFormat?: 'sha1' | 'sha256' } = {},
): TestRepository {
  const path = join(folder, name);
  mkdirSync(path, { recursive: true });
  runGit(path, ['init', '-q', '--bare', '--initial-branch=main', `--object-format=${objectFormat}`]);
  const repository = repositoryAt(path);
  repository.git('config', 'core.hooksPath', join(path, 'hooks'));
  // Partial clones (`--filter`) are what CI systems make, and hosts allow them.
  repository.git('config', 'uploadpack.allowFilter', 'true');
  repository.git('config', 'uploadpack.allowAnySHA1InWant', 'true');
  return repository;
}

/** Nothing to start: the folder itself, by plain path or as `file://`. */
export async function startPath(
  folder: string,
  { scheme = 'path' }: { scheme?: 'path' | 'file' } = {},
): Promise<GitServer> {
  return {
    url: (name) => (scheme === 'file' ? pathToFileURL(join(folder, name)).href : join(folder, name)),
    port: null,
    env: {},
    stop: async () => {},
  };
}

/** Every machine that has Git has this one. */
export const pathMissing: string | null = null;
