import { isGitStateError } from '../errors.ts';

/** The command `git-state`. What it does is loaded when it is known that this Node.js can run it. */
async function main(): Promise<void> {
  const version = Number(process.versions.node.split('.')[0]);
  if (version < 20) {
    process.stderr.write(`error: gitstate needs Node.js 20 or newer; this is ${process.versions.node}\n`);
    process.exit(1);
  }
  const { runProgram } = await import('./program.ts');
  process.exit(await runProgram(process.argv.slice(2)));
}

main().catch((error: unknown) => {
  process.stderr.write(`error: ${isGitStateError(error) ? error.message : String(error)}\n`);
  process.exit(1);
});
