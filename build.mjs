import { execFile } from 'node:child_process';
import { chmod, mkdir, rename } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import * as esbuild from 'esbuild';

const root = fileURLToPath(new URL('.', import.meta.url));
const run = promisify(execFile);

/** Translations of zod's messages, which nothing here uses; they would be parsed at every start. */
const withoutLocales = {
  name: 'without-locales',
  setup({ onLoad }) {
    onLoad({ filter: /zod.v4.locales.index\.js$/ }, () => ({
      contents: "export { default as en } from './en.js';",
    }));
  },
};

/** The command is one file, so that it starts fast: packages are bundled, and each command's code runs only when used. */
export async function buildCommand() {
  const outfile = `${root}dist/git-state.cjs`;
  const fresh = `${outfile}.${process.pid}`;
  await esbuild.build({
    entryPoints: [`${root}src/cli/main.ts`],
    outfile: fresh,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: 'none',
    plugins: [withoutLocales],
    banner: { js: '#!/usr/bin/env node' },
    logLevel: 'warning',
  });
  await chmod(fresh, 0o755);
  // In one step, so that nobody who runs it meanwhile meets half of it.
  await rename(fresh, outfile);
}

/** The library is ES modules with types, one file for one. */
async function buildLibrary() {
  await run(process.execPath, [`${root}node_modules/typescript/bin/tsc`, '-p', `${root}tsconfig.build.json`]);
}

export async function build() {
  await mkdir(`${root}dist`, { recursive: true });
  await Promise.all([buildLibrary(), buildCommand()]);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await build();
