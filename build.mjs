import { execFile } from 'node:child_process';
import { chmod, rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import * as esbuild from 'esbuild';

const root = fileURLToPath(new URL('.', import.meta.url));
const run = promisify(execFile);

/** The command is one file, so that it starts fast: packages are bundled, and each command's code runs only when used. */
export async function buildCommand() {
  const outfile = `${root}dist/git-state.cjs`;
  await esbuild.build({
    entryPoints: [`${root}src/cli/main.ts`],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    minifySyntax: true,
    legalComments: 'none',
    banner: { js: '#!/usr/bin/env node' },
    logLevel: 'warning',
  });
  await chmod(outfile, 0o755);
}

/** The library is ES modules with types, one file for one. */
async function buildLibrary() {
  await run(process.execPath, [`${root}node_modules/typescript/bin/tsc`, '-p', `${root}tsconfig.build.json`]);
}

export async function build() {
  await rm(`${root}dist`, { recursive: true, force: true });
  await Promise.all([buildLibrary(), buildCommand()]);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await build();
