import { isGitStateError } from '../../src/errors.ts';
import { openStore } from '../../src/index.ts';

/** Claims and completes features until none is left; prints each one on a line. */
const [cwd, worker] = process.argv.slice(2);
const store = await openStore({ cwd: cwd!, worker: worker! });
try {
  for (;;) {
    const { feature, token } = await store.claim({});
    process.stdout.write(`${feature.id}\n`);
    await store.complete({ feature: feature.id, token: token! });
  }
} catch (error) {
  if (!isGitStateError(error, 'NOTHING_READY')) {
    process.stderr.write(`${JSON.stringify(error)} ${(error as Error).stack}\n`);
    process.exitCode = 1;
  }
} finally {
  await store.close();
}
