import { openStore } from '../../src/index.ts';

/** Writes notes for ever; each one is announced before and acknowledged after. */
const [cwd, name] = process.argv.slice(2);
const store = await openStore({ cwd: cwd! });
for (let count = 1; ; count += 1) {
  const opId = `${name}-${count}`;
  process.stdout.write(`begin ${opId}\n`);
  await store.add({ feature: opId, session: 's' });
  process.stdout.write(`done ${opId}\n`);
}
