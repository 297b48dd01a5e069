import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
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

const common = {
  bundle: true,
  platform: 'node',
  target: 'node20',
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: 'none',
  logLevel: 'warning',
  write: false,
};

/** Chunks load each other with `require`, so that no module loader of Node.js is needed. */
const chunkFormat = {
  format: 'cjs',
  platform: 'node',
  target: 'node20',
  supported: { 'dynamic-import': false },
  minifySyntax: true,
  minifyWhitespace: true,
};

/** The command is two files, so that it starts fast: a small one that is run, and one with everything else, packages
 *  included, of which the first keeps the compiled form. */
export async function buildCommand() {
  const { version } = JSON.parse(await readFile(`${root}package.json`, 'utf8'));
  // One script has no module's address.
  const define = { GITSTATE_VERSION: JSON.stringify(version), 'import.meta.url': 'undefined' };
  const contents = await bundleOf(define);
  const name = `command-${createHash('sha256').update(contents).digest('hex').slice(0, 16)}.cjs`;
  const entry = await esbuild.build({
    ...common,
    format: 'cjs',
    define: { ...define, GITSTATE_BUNDLE: JSON.stringify(name) },
    entryPoints: [`${root}src/cli/main.ts`],
    banner: { js: '#!/usr/bin/env node' },
  });
  await replace(name, contents, 0o644);
  await replace('git-state.cjs', entry.outputFiles[0].contents, 0o755);
  await removeOthers(name);
}

/** Everything but the first file as one function: a CommonJS module of chunks, each a function by itself that runs when
 *  a command first needs it. Modules that are always needed together share a chunk, and what nobody uses is left out. */
async function bundleOf(define) {
  const { outputFiles } = await esbuild.build({
    ...common,
    format: 'esm',
    splitting: true,
    outdir: 'chunks',
    define,
    entryPoints: [`${root}src/cli/program.ts`],
    plugins: [withoutLocales],
  });
  const chunks = await Promise.all(
    outputFiles.map(async ({ path, text }) => {
      const { code } = await esbuild.transform(text, chunkFormat);
      return `${JSON.stringify(`./${basename(path)}`)}(exports, require, module) {${code}}`;
    }),
  );
  return `(function (exports, nodeRequire, module, __filename, __dirname) {
const chunks = {${chunks.join(',\n')}};
const loaded = {};
const require = (name) => {
  if (!Object.hasOwn(chunks, name)) return nodeRequire(name);
  if (loaded[name] === undefined) {
    loaded[name] = { exports: {} };
    chunks[name](loaded[name].exports, require, loaded[name]);
  }
  return loaded[name].exports;
};
module.exports = require('./program.js');
})`;
}

/** In one step, so that nobody who runs it meanwhile meets half of it. */
async function replace(name, contents, mode) {
  const fresh = `${root}dist/${name}.${process.pid}`;
  await writeFile(fresh, contents);
  await chmod(fresh, mode);
  await rename(fresh, `${root}dist/${name}`);
}

/** Earlier bundles, but for those that somebody may be about to read. */
async function removeOthers(name) {
  for (const other of await readdir(`${root}dist`)) {
    if (!/^command-[0-9a-f]{16}\.cjs$/.test(other) || other === name) continue;
    const { mtimeMs } = await stat(`${root}dist/${other}`);
    if (Date.now() - mtimeMs > 600_000) await rm(`${root}dist/${other}`, { force: true });
  }
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
