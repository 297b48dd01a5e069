import { isGitStateError } from '../../src/errors.ts';
import { openStore } from '../../src/index.ts';

/** Several workers of one clone claim and complete features through `origin` until none is left; prints each on a line. */
const [cwd, name, workers] = process.argv.slice(2);
const store = await openStore({ cwd: cwd!, remote: 'origin' });
const passing = ['REMOTE_UNREACHABLE', 'CONTENTION'] as const;

/** Repeats a call under the same id until its outcome is known. */
async function surely<T>(call: (opId: string) => Promise<T>): Promise<T> {
  const opId = `op-${name}-${Math.random().toString(36).slice(2)}`;
  for (;;) {
    try {
      return await call(opId);
    } catch (error) {
      if (!isGitStateError(error, 'OUTCOME_UNKNOWN', ...passing)) throw error;
      process.stderr.write(`${error.code}\n`);
    }
  }
}

async function work(worker: string): Promise<void> {
  for (;;) {
    try {
      const { feature, token } = await surely((opId) => store.claim({ worker, opId }));
      await surely((opId) => store.complete({ feature: feature.id, token: token!, opId }));
      process.stdout.write(`${feature.id}\n`);
    } catch (error) {
      if (isGitStateError(error, 'NOTHING_READY')) return;
      throw error;
    }
  }
}

try {
  await Promise.all(Array.from({ length: Number(workers) }, (_, index) => work(`${name}-${index + 1}`)));
} finally {
  await store.close();
}
