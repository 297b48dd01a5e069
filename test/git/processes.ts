import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { temporaryDirectory } from '../support/repo.ts';

/** Makes one script, which plain Node runs, of a TypeScript file of this folder. @returns its path. */
export async function bundle(file: string): Promise<string> {
  const outfile = join(temporaryDirectory(), `${file}.mjs`);
  await build({
    entryPoints: [fileURLToPath(new URL(file, import.meta.url))],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    logLevel: 'error',
  });
  return outfile;
}

/** Whether a process runs; one that has ended and was not yet collected by its parent does not. Linux. */
export function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
