import { join } from 'node:path';
import { build } from 'esbuild';
import { temporaryDirectory } from './repo.ts';

/** Makes one script, which plain Node runs, of a TypeScript file of this folder. @returns its path. */
export async function bundle(file: string): Promise<string> {
  const outfile = join(temporaryDirectory(), `${file}.mjs`);
  await build({
    entryPoints: [`test/support/${file}.ts`],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    // Some packages are CommonJS and ask for Node's own modules by require.
    banner: {
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    },
    logLevel: 'error',
  });
  return outfile;
}
