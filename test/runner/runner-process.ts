import { systemEnv } from '../../src/env.ts';
import { runWork, type WorkOptions } from '../../src/runner/work.ts';
import { openStoreIn } from '../../src/store/open.ts';

/** A runner in a process of its own: `<cwd> <options as JSON>`. Prints its events, one JSON object a line. */
const [cwd = '.', options = '{}'] = process.argv.slice(2);

async function main(): Promise<number> {
  const env = systemEnv();
  const stop = new AbortController();
  const kill = new AbortController();
  process.on('SIGINT', () => (stop.signal.aborted ? kill.abort() : stop.abort()));
  const store = await openStoreIn(
    { cwd },
    { env, cwd, onExit: (callback) => process.once('exit', callback) },
  );
  try {
    const summary = await runWork({
      ...(JSON.parse(options) as Pick<WorkOptions, 'command'>),
      store,
      env,
      stop: stop.signal,
      kill: kill.signal,
      onEvent: (event) => process.stdout.write(`${JSON.stringify(event)}\n`),
    });
    return summary.exit_status;
  } finally {
    await store.close();
  }
}

main().then(
  (status) => {
    process.exitCode = status;
  },
  (error: unknown) => {
    process.stderr.write(`${(error as Error).stack}\n`);
    process.exitCode = 1;
  },
);
