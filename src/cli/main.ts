import { join } from 'node:path';
import { packageVersion } from './version.ts';

/** The name of the file beside this one that holds everything else; the build settles it. */
declare const GITSTATE_BUNDLE: string;

/** The command `git-state`. What it does is loaded when it is known that this Node.js can run it and that it is needed. */
async function main(argv: readonly string[]): Promise<void> {
  const version = Number(process.versions.node.split('.')[0]);
  if (version < 20) {
    process.stderr.write(`error: gitstate needs Node.js 20 or newer; this is ${process.versions.node}\n`);
    process.exit(1);
  }
  if (argv.length === 1 && argv[0] === '--version') {
    process.stdout.write(`git-state ${packageVersion()}\n`);
    return;
  }
  const { loadScript } = await import('./code-cache.ts');
  const path = join(__dirname, GITSTATE_BUNDLE);
  const { run, keep } = loadScript(path, process.env);
  const module = { exports: {} as typeof import('./program.ts') };
  run(module.exports, require, module, path, __dirname);
  const status = await module.exports.runProgram(argv);
  keep(argv.filter((word) => /^[a-z]+$/.test(word)).slice(0, 2));
  process.exit(status);
}

main(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
